// What a model's file says of itself beside the graph.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "press/ir/graph.h"

namespace press {

struct ModelHeader {
  std::string producer_name;
  std::string producer_version;
  std::string domain;
  std::int64_t model_version = 0;
  std::string doc;
  std::vector<std::pair<std::string, std::string>> metadata;  // as read, then what was added since
  std::int64_t functions = 0;                                 // local functions that the model defines
};

/// Reads it out of the bytes that the model carries along; what is not there stays empty.
ModelHeader model_header(const Model& model);

}  // namespace press
