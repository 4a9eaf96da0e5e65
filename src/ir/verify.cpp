#include <fmt/format.h>

#include "press/ir/graph.h"

namespace press {
namespace {

class Verifier {
 public:
  explicit Verifier(const Graph& graph) : defined_(graph.value_bound()) {}

  Status check(const Graph& graph) {
    for (const Value* value : graph.values()) {
      if (value->graph() != &graph) return breach("value '{}' belongs to another graph", value->name());
      if (value->origin() != Value::Origin::kNodeOutput) define(*value);
      if (value->is_constant() && !value->constant()->defined())
        return breach("constant '{}' has no tensor", value->name());
      for (const Use& use : value->uses()) {
        const Value* used = use.node != nullptr                  ? use.node->input(use.index)
                            : use.index < graph.outputs().size() ? graph.outputs()[use.index].value
                                                                 : nullptr;
        if (used != value) return breach("a use of value '{}' is out of date", value->name());
      }
    }
    for (const Node* node : graph.nodes()) PRESS_TRY(check(graph, *node));
    for (const GraphOutput& output : graph.outputs()) {
      if (output.value == nullptr) return breach("output '{}' is not filled", output.name);
      if (!is_defined(*output.value)) return breach("output '{}' has no origin", output.name);
    }
    return {};
  }

 private:
  template <typename... Args>
  static Error breach(fmt::format_string<Args...> format, Args&&... args) {
    return {ErrorCode::kInternal, "graph: " + fmt::format(format, std::forward<Args>(args)...)};
  }

  Status check(const Graph& graph, const Node& node) {
    if (node.graph() != &graph) return breach("node {} belongs to another graph", node.label());
    for (std::size_t i = 0; i < node.input_count(); ++i) {
      const Value* input = node.input(i);
      if (input == nullptr) continue;
      if (!is_defined(*input)) {
        return breach("node {} uses '{}' before it is made", node.label(), input->name());
      }
    }
    for (const Graph* inner : node.subgraphs()) {
      if (inner->outer() != &graph)
        return breach("a subgraph of node {} has another outer graph", node.label());
      PRESS_TRY(check(*inner));
    }
    for (std::size_t i = 0; i < node.output_count(); ++i) {
      const Value* output = node.output(i);
      if (output == nullptr) continue;
      if (output->producer() != &node || output->producer_index() != i) {
        return breach("output '{}' of node {} names another producer", output->name(), node.label());
      }
      define(*output);
    }
    return {};
  }

  void define(const Value& value) { defined_[value.number()] = true; }
  bool is_defined(const Value& value) const {
    return value.number() < defined_.size() && defined_[value.number()];
  }

  std::vector<bool> defined_;  // by number
};

}  // namespace

Status verify(const Graph& graph) {
  return Verifier(graph).check(graph);
}

}  // namespace press
