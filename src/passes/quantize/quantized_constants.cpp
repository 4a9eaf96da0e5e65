#include "passes/quantize/quantized_constants.h"

#include <cstdint>
#include <vector>

#include "press/runtime/session.h"

namespace press::quantize {
namespace {

constexpr std::int64_t kMostBytes = std::int64_t{1} << 33;

}  // namespace

bool is_quantizer(const Node& node, std::string_view type) {
  return node.op_type() == type && (node.domain().empty() || node.domain() == "com.microsoft");
}

std::optional<Tensor> computed_constant(const Value* value) {
  if (value == nullptr) return std::nullopt;
  if (value->is_constant()) return *value->constant();
  const Node* node = value->producer();
  if (node == nullptr || !(is_quantizer(*node, "QuantizeLinear") || is_quantizer(*node, "DequantizeLinear") ||
                           node->is("Cast") || node->is("Mul"))) {
    return std::nullopt;
  }
  std::vector<Tensor> tensors(node->input_count());
  std::vector<const Tensor*> inputs(node->input_count());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (node->input(i) == nullptr) continue;
    std::optional<Tensor> input = computed_constant(node->input(i));
    if (!input) return std::nullopt;
    tensors[i] = *std::move(input);
    inputs[i] = &tensors[i];
  }
  auto outputs = evaluate_node(*node, inputs, kMostBytes);
  if (!outputs.ok() || outputs->empty() || !outputs->front().defined()) return std::nullopt;
  return std::move(outputs->front());
}

}  // namespace press::quantize
