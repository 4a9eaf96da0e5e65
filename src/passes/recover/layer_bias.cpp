#include "passes/recover/layer_bias.h"

#include <algorithm>

namespace press {
namespace {

bool is_bias(const Value* value, const LinearLayer& layer) {
  const Tensor* tensor = value != nullptr ? value->constant() : nullptr;
  if (tensor == nullptr || tensor->type() != DataType::kFloat) return false;
  return tensor->size() == layer.outputs && (tensor->rank() == 0 || tensor->dims().back() == layer.outputs);
}

}  // namespace

std::optional<BiasSlot> bias_slot(Node& node, const LinearLayer& layer) {
  if (!node.is("MatMul")) {
    if (node.input(2) != nullptr && !is_bias(node.input(2), layer)) return std::nullopt;
    return BiasSlot{&node, 2};
  }
  const Value& output = *node.output();
  Node* add = output.has_one_use() ? output.uses()[0].node : nullptr;
  if (add == nullptr || !add->is("Add") || add->graph() != node.graph()) return std::nullopt;
  const std::size_t input = add->input(0) == &output ? 1 : 0;
  if (!is_bias(add->input(input), layer) || add->input(input)->constant()->rank() != 1) return std::nullopt;
  return BiasSlot{add, input};
}

std::vector<float> bias_values(const BiasSlot& slot, const LinearLayer& layer) {
  const Value* value = slot.node->input(slot.input);
  if (value == nullptr) return std::vector<float>(static_cast<std::size_t>(layer.outputs));
  const std::span<const float> values = value->constant()->data<float>();
  return {values.begin(), values.end()};
}

}  // namespace press
