// before:  x ─ If(true) { then: Relu(x)  else: Tanh(x) } ─ y        after:  x ─ Relu ─ y
//
// An If whose condition is a constant is replaced by the nodes of the branch that it takes.
//
// Conditions: the nodes of the branch hold no subgraphs of their own (inner Ifs are inlined first); what the
// branch gives out is made in it, or is a value of the outer graph where the If's output is none of the
// graph's. Names that the outer graph uses already get a number behind them.
//
// Why it pays: exporters write If around Squeeze or Pad for shapes that are known; no runtime optimizes
// across it.
#include <fmt/format.h>

#include <unordered_map>

#include "passes/declarations.h"
#include "passes/match.h"

namespace press::passes {
namespace {

const Graph* taken_branch(const Node& node) {
  const Tensor* condition = constant_input(node, 0);
  if (condition == nullptr || condition->type() != DataType::kBool || condition->size() != 1) return nullptr;
  return node.graph_attribute(condition->data<bool>()[0] ? "then_branch" : "else_branch");
}

std::string obstacle(const Node& node, const Graph& branch) {
  for (const Node* inner : branch.nodes()) {
    if (!inner->subgraphs().empty())
      return fmt::format("{} in the branch holds a graph of its own", inner->label());
  }
  if (branch.outputs().size() != node.output_count()) return "the branch has other outputs than the node";
  for (std::size_t i = 0; i < node.output_count(); ++i) {
    const Value* result = branch.outputs()[i].value;
    const bool is_made_here = result->graph() == &branch && result->producer() != nullptr;
    if (node.output(i) != nullptr && node.graph()->is_output(node.output(i)) && !is_made_here) {
      return "the branch hands on a value as it is, which is an output of the graph";
    }
  }
  return {};
}

void inline_branch(Node& node, const Graph& branch) {
  Graph& graph = *node.graph();
  std::unordered_map<const Value*, Value*> copies;
  const auto copy_of = [&](Value* value) {
    const auto found = copies.find(value);
    return found != copies.end() ? found->second : value;
  };
  for (const Value* constant : branch.constants()) {
    Value* copy = graph.add_constant(*constant->constant(), graph.fresh_name(constant->name()));
    copy->opaque = constant->opaque;
    copy->tensor_opaque = constant->tensor_opaque;
    copy->sparse = constant->sparse;
    copies[constant] = copy;
  }
  for (const Node* inner : branch.nodes()) {
    NodeSpec spec{.op_type = inner->op_type(),
                  .inputs = {},
                  .outputs = {},
                  .attributes = inner->attributes(),
                  .name = inner->name(),
                  .domain = inner->domain()};
    for (Value* input : inner->inputs()) spec.inputs.push_back(input != nullptr ? copy_of(input) : nullptr);
    for (const Value* output : inner->outputs()) {
      spec.outputs.push_back(output != nullptr ? graph.fresh_name(output->name())
                                               : std::string(kOmittedOutput));
    }
    Node* copy = graph.add_node(std::move(spec), &node);
    copy->opaque = inner->opaque;
    for (std::size_t i = 0; i < inner->output_count(); ++i) {
      if (inner->output(i) == nullptr) continue;
      copy->output(i)->set_type(inner->output(i)->type());
      copies[inner->output(i)] = copy->output(i);
    }
  }
  for (std::size_t i = 0; i < node.output_count(); ++i) {
    if (node.output(i) != nullptr) graph.replace_all_uses(node.output(i), copy_of(branch.outputs()[i].value));
  }
  graph.erase(&node);
}

}  // namespace

Result<PassOutcome> inline_conditions(Model& model, const PassContext& /*context*/) {
  PassOutcome outcome;
  for_each_graph(*model.graph, [&](Graph& graph) {
    if (graph.outer() != nullptr && model.ir_version < 4) return;
    for (Node* node : graph.nodes_snapshot()) {
      const Graph* branch = node->is("If") ? taken_branch(*node) : nullptr;
      if (branch == nullptr) continue;
      if (std::string reason = obstacle(*node, *branch); !reason.empty()) {
        outcome.declined.push_back({node->label(), std::move(reason)});
        continue;
      }
      inline_branch(*node, *branch);
      ++outcome.rewrites;
    }
  });
  return outcome;
}

}  // namespace press::passes
