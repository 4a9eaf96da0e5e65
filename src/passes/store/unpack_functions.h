// The model-local functions that rebuild packed weights from standard operators.
//
//   Digits(words, powers, count)          digit i of a base: (words / base^i) mod base; powers[1] is the base
//   Palette(words, powers, table, shape)  table[digit]
//   Bitmask(words, powers, values, shape) a bit a weight; the weights of set bits are values[0], values[1], …
//   Sparse(words, powers, values, count, shape)
//                                         zeros before each of `count` entries, values[1], values[2], …;
//                                         values[0] is zero
//   Dequantize(codes, zero_points, levels, scales)
//                                         ((codes + zero_points) mod levels - zero_points) * scales
//
// `count` and `shape` are int64 [1] and [rank]; `words` and `powers` int64; `table` and
// `values` have the weight's type and rank 1. `codes`, `zero_points` and `levels` are int8 (see
// weight_codes.h). Nothing but constants goes in, so that runtimes which fold constants do all of it once,
// while they load the model.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "press/ir/graph.h"

namespace press {

inline constexpr std::string_view kStoreDomain = "compress.store";
inline constexpr std::string_view kPalette = "Palette", kBitmask = "Bitmask", kSparse = "Sparse",
                                  kDequantize = "Dequantize";

/// Since this opset Bitmask takes float16, which runtimes do not pad.
inline constexpr std::int64_t kOpsetOfCastLike = 15;

/// The functions, written for a version (13 or later) of ONNX's operator set.
std::vector<std::shared_ptr<const Function>> unpack_functions(std::int64_t opset);

}  // namespace press
