// All that is told of a model without running it.
#pragma once

#include <cstdint>
#include <string>

#include "press/evaluate/model_facts.h"
#include "press/ir/graph.h"
#include "press/onnx/model_header.h"

namespace press {

struct Inspection {
  std::string name;
  std::int64_t bytes = 0;  // of the file
  std::int64_t ir_version = 0;
  std::vector<std::pair<std::string, std::int64_t>> opsets;  // by domain; "" is ONNX's own
  struct Slot {
    std::string name;
    Type type;
  };
  std::vector<Slot> inputs;
  std::vector<Slot> outputs;
  ModelHeader header;
  ModelFacts facts;
  std::vector<std::string> not_executable;  // operators that the runtime has no kernel for
};

Inspection inspect(const Model& model, const std::string& name, std::int64_t bytes);

/// As JSON: `"schema": 1`, see docs/usage.md.
std::string to_json(const Inspection& inspection);

}  // namespace press
