// Where a model will run, and which rewrites help there. src/pipeline/targets.def is the only list.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace press {

struct Target {
  std::string_view name;
  std::int64_t opset;         // that fusions may ask for; 0: the model's own
  std::string_view disabled;  // passes, separated by spaces
  bool narrow_weights;        // its int8 products saturate: weights of 7 bits
  bool contributed;           // it has the operators of ONNX Runtime's own domain
  std::string_view summary;

  std::vector<std::string> disabled_passes() const;
};

std::span<const Target> all_targets();

/// Null where no target has that name.
const Target* find_target(std::string_view name);

}  // namespace press
