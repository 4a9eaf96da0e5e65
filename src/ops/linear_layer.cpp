#include "press/ops/linear_layer.h"

#include <algorithm>
#include <cassert>

#include "press/ops/operator.h"

namespace press {
namespace {

constexpr std::size_t kMostConvDims = 4;

/// `from` (rows x columns) with rows and columns exchanged.
std::vector<float> transposed(std::span<const float> from, std::size_t rows, std::size_t columns) {
  std::vector<float> to(from.size());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
  }
  return to;
}

}  // namespace

std::optional<LinearLayer> linear_layer(const Node& node) {
  const Value* weight = constant_weight(node);
  if (weight == nullptr || !node.domain().empty()) return std::nullopt;
  const Tensor& tensor = *weight->constant();
  const Dims& dims = tensor.dims();
  if (tensor.type() != DataType::kFloat || tensor.size() == 0 || dims.size() < 2) return std::nullopt;
  LinearLayer layer{.weight_input = static_cast<std::size_t>(traits(node).weight_input)};
  if (node.is("Conv")) {
    layer.groups = node.int_attribute("group", 1);
    layer.outputs = dims[0];
    layer.inputs = tensor.size() / dims[0];
    if (dims.size() > kMostConvDims || layer.groups < 1 || layer.outputs % layer.groups != 0)
      return std::nullopt;
    return layer;
  }
  if (dims.size() != 2 || (!node.is("Gemm") && !node.is("MatMul"))) return std::nullopt;
  if (node.is("Gemm") && (node.float_attribute("alpha", 1) != 1 || node.float_attribute("beta", 1) != 1 ||
                          node.int_attribute("transA", 0) != 0)) {
    return std::nullopt;
  }
  layer.weight_transposed = node.is("MatMul") || node.int_attribute("transB", 0) == 0;
  layer.outputs = dims[layer.weight_transposed ? 1 : 0];
  layer.inputs = dims[layer.weight_transposed ? 0 : 1];
  return layer;
}

std::vector<float> weight_rows(const Node& node, const LinearLayer& layer) {
  const std::span<const float> stored = node.input(layer.weight_input)->constant()->data<float>();
  if (!layer.weight_transposed) return {stored.begin(), stored.end()};
  return transposed(stored, static_cast<std::size_t>(layer.inputs), static_cast<std::size_t>(layer.outputs));
}

Tensor weight_from_rows(const Node& node, const LinearLayer& layer, std::span<const float> rows) {
  const Dims& dims = node.input(layer.weight_input)->constant()->dims();
  assert(rows.size() == static_cast<std::size_t>(layer.outputs * layer.inputs));
  if (!layer.weight_transposed) return Tensor::of(dims, rows);
  return Tensor::of(dims, transposed(rows, static_cast<std::size_t>(layer.outputs),
                                     static_cast<std::size_t>(layer.inputs)));
}

}  // namespace press
