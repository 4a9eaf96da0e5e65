// A batch of samples on its way through a network: plain data between those who read images and those who run
// models.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "press/ir/tensor.h"

namespace press {

struct Batch {
  std::vector<Tensor> inputs;        // one per network input; the first dim is the number of samples
  std::vector<std::int64_t> labels;  // one per sample; -1 where there is none
  std::vector<std::string> names;    // one per sample, for messages and reports
};

/// The next batch in order, or nullopt at the end. May be called from several threads.
using BatchSource = std::function<Result<std::optional<Batch>>()>;

}  // namespace press
