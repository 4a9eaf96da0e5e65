// Weights that are integers in the file and floating-point numbers in the network.
#pragma once

#include <cstdint>
#include <optional>

#include "press/ir/graph.h"

namespace press {

/// w = ((code + zero_point) mod levels - zero_point) · scale: integers of a grid, turned so that the code 0
/// is the weight 0 in every channel, however asymmetric the grids are.
struct WeightCodes {
  Tensor codes;        // int8, the weight's dims
  Tensor zero_points;  // int8, and
  Tensor scales;       // float32: one, or one a channel, with the dims that make them fit the weight
  std::int64_t levels = 0;
};

/// What a DequantizeLinear holds for a layer that computes in floating point; nullopt where it has a part in
/// integer arithmetic, is blocked, or anything but its data flows into it.
std::optional<WeightCodes> weight_codes(const Node& dequantize);

}  // namespace press
