// Integer weights of 7 bits, for CPUs whose instruction adds two 8-bit products in 16 bits with saturation
// (x86 without VNNI: uint8 times int8). |w| <= 63 keeps 255 (|w| + |w|) below 2^15.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "press/numeric/layer_solver.h"
#include "press/numeric/quantization.h"
#include "press/passes/options.h"

namespace press::quantize {

inline constexpr std::int32_t kLargestNarrow = 63;
inline constexpr std::int32_t kLargestWide = 127;

/// What the weights of an integer product may be.
inline IntegerGrid product_grid(const QuantizeOptions& options) {
  const std::int32_t largest = options.narrow_weights ? kLargestNarrow : kLargestWide;
  return {-largest, largest, true};
}

/// weight_scales() for that grid.
inline std::vector<float> product_scales(std::span<const float> weights, ChannelLayout layout,
                                         const QuantizeOptions& options) {
  std::vector<float> scales = weight_scales(weights, layout);
  if (options.narrow_weights) {
    for (float& scale : scales) scale *= static_cast<float>(kLargestWide) / kLargestNarrow;
  }
  return scales;
}

/// True where two weights of one output that stand side by side can saturate; `rows`: outputs x inputs.
inline bool can_saturate(std::span<const std::int8_t> rows, std::size_t inputs) {
  constexpr int kLargestSum = 128;  // 255 * 129 >= 2^15
  for (std::size_t begin = 0; begin + inputs <= rows.size() && inputs > 0; begin += inputs) {
    for (std::size_t i = begin; i + 1 < begin + inputs; i += 2) {
      const int sum = rows[i] + rows[i + 1];
      if (sum > kLargestSum || sum < -kLargestSum) return true;
    }
  }
  return false;
}

}  // namespace press::quantize
