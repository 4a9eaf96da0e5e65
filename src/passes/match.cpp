#include "passes/match.h"

#include "passes/floats.h"

namespace press {

const Tensor* constant_input(const Node& node, std::size_t index) {
  const Value* value = node.input(index);
  return value != nullptr ? value->constant() : nullptr;
}

std::optional<std::vector<std::int64_t>> integers_of(const Tensor* tensor) {
  if (tensor == nullptr) return std::nullopt;
  if (tensor->type() == DataType::kInt64) {
    const auto data = tensor->data<std::int64_t>();
    return std::vector<std::int64_t>(data.begin(), data.end());
  }
  if (tensor->type() == DataType::kInt32) {
    const auto data = tensor->data<std::int32_t>();
    return std::vector<std::int64_t>(data.begin(), data.end());
  }
  return std::nullopt;
}

std::optional<std::vector<std::int64_t>> integers_of(const Node& node, std::string_view name,
                                                     std::int64_t since, std::size_t index) {
  if (node.graph()->opset() >= since) return integers_of(constant_input(node, index));
  if (!node.has_attribute(name)) return std::nullopt;
  return node.ints_attribute(name);
}

std::optional<double> number_of(const Tensor* tensor) {
  if (tensor == nullptr || tensor->size() != 1 || !is_floating_point(tensor->type())) return std::nullopt;
  double number = 0;
  for_each_float(*tensor, [&](std::int64_t, double element) { number = element; });
  return number;
}

Node* made_by(const Value* value, std::string_view op_type) {
  Node* node = value != nullptr ? value->producer() : nullptr;
  return node != nullptr && node->is(op_type) ? node : nullptr;
}

Node* only_user(const Value* value) {
  if (value == nullptr || !value->has_one_use()) return nullptr;
  Node* user = value->uses().front().node;
  return user != nullptr && user->graph() == value->graph() ? user : nullptr;
}

bool is_private(const Value* value) {
  return only_user(value) != nullptr;
}

Value* add_integers(Graph& graph, std::string_view stem, const std::vector<std::int64_t>& values) {
  return graph.add_constant(Tensor::of({static_cast<std::int64_t>(values.size())}, values),
                            graph.fresh_name(stem));
}

void for_each_graph(Graph& graph, const std::function<void(Graph&)>& visit) {
  if (graph.has_subgraphs()) {
    for (Node* node : graph.nodes_snapshot()) {
      for (Graph* inner : node->subgraphs()) for_each_graph(*inner, visit);
    }
  }
  visit(graph);
}

}  // namespace press
