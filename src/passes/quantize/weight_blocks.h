// Weights whose inputs share a scale in blocks: finer than one scale a channel, for few bits.
#pragma once

#include <cstdint>
#include <vector>

#include "press/ir/graph.h"
#include "press/numeric/layer_solver.h"
#include "press/ops/linear_layer.h"

namespace press::quantize {

/// A weight of outputs x inputs, `block` inputs to a scale (the last block of a row may be shorter).
struct BlockedWeight {
  IntegerGrid limits;
  std::int64_t block = 0;
  std::int64_t blocks = 0;                // of a row
  std::vector<std::int32_t> codes;        // outputs x inputs
  std::vector<float> scales;              // outputs x blocks
  std::vector<std::int32_t> zero_points;  // outputs x blocks
};

/// Nearest integers for the scales of least error, each block by itself.
BlockedWeight round_in_blocks(const Node& node, const LinearLayer& layer, const IntegerGrid& limits,
                              std::int64_t block);

/// A DequantizeLinear (opset 21) in front of `node` that stands for its weight; `type` holds the codes.
Value* add_blocked_dequantize(Node* node, const LinearLayer& layer, const BlockedWeight& weight,
                              DataType type);

/// A MatMulNBits of ONNX Runtime (com.microsoft) in place of a MatMul or Gemm, with an Add for a bias; `node`
/// and its weight are gone then.
void replace_by_mat_mul_n_bits(Node* node, const LinearLayer& layer, const BlockedWeight& weight);

}  // namespace press::quantize
