// Linear operators with constant weights, all seen as one matrix product y = W·x + b on columns x: of an
// im2col matrix for a Conv, rows of the first input for a Gemm or MatMul.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "press/ir/graph.h"

namespace press {

struct LinearLayer {
  std::int64_t groups = 1;
  std::int64_t outputs = 0;  // rows of W, all groups together
  std::int64_t inputs = 0;   // columns of W: numbers that one output is made of (inputs of a group x kernel)
  bool weight_transposed = false;  // the tensor holds Wᵀ (MatMul, Gemm without transB)
  std::size_t weight_input = 1;

  std::int64_t outputs_per_group() const { return outputs / groups; }
};

/// Nullopt for other operators, for weights that are not constant float32 or empty, for convolutions over
/// more than two axes, and for a Gemm with alpha, beta or transA.
std::optional<LinearLayer> linear_layer(const Node& node);

/// W, outputs x inputs, row-major.
std::vector<float> weight_rows(const Node& node, const LinearLayer& layer);

/// A tensor like the node's weight from rows of W.
Tensor weight_from_rows(const Node& node, const LinearLayer& layer, std::span<const float> rows);

}  // namespace press
