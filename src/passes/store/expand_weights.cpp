// before:  Conv(Bitmask(bits, values, shape))        after:  Conv(W)
//
// The inverse of pack_weights: calls of its functions are executed once and become constants again, the same
// bit for bit. The functions go too.
//
// Conditions: all inputs of the call are constants.
//
// Why it pays: other tools see weights where they expect them, and a model loads without unpacking.
#include <fmt/format.h>

#include <algorithm>

#include "passes/declarations.h"
#include "passes/store/unpack_functions.h"
#include "press/passes/dead_code.h"
#include "press/runtime/session.h"

namespace press::passes {
namespace {

/// What a call returns for constant inputs.
Result<Tensor> unpacked(const Function& function, const Node& call) {
  PRESS_ASSIGN(const std::unique_ptr<Graph> body, instantiate(function, call));
  PRESS_ASSIGN(Session session, Session::create(*body));
  std::vector<Tensor> inputs;
  for (const Value* input : call.inputs()) inputs.push_back(*input->constant());
  PRESS_ASSIGN(std::vector<Tensor> outputs, session.run(inputs));
  return std::move(outputs.front());
}

}  // namespace

Result<PassOutcome> expand_weights(Model& model, const PassContext&) {
  Graph& graph = *model.graph;
  PassOutcome outcome;
  for (Node* node : graph.nodes_snapshot()) {
    const Function* function = graph.called_function(*node);
    if (node->domain() != kStoreDomain || function == nullptr || node->output() == nullptr) continue;
    const std::vector<Value*> inputs = node->inputs();
    const auto is_constant = [](const Value* input) { return input != nullptr && input->is_constant(); };
    if (!std::ranges::all_of(inputs, is_constant)) {
      outcome.declined.push_back({node->label(), "its inputs are not constant"});
      continue;
    }
    PRESS_ASSIGN(Tensor weight,
                 unpacked(*function, *node).with_context(fmt::format("node {}", node->label())));
    Value* constant = graph.add_constant(std::move(weight), node->output()->name());
    graph.replace_all_uses(node->output(), constant);
    graph.erase(node);
    for (Value* input : inputs) {
      if (input->uses().empty()) graph.erase(input);
    }
    ++outcome.rewrites;
  }
  if (outcome.rewrites > 0) graph.erase_unused_functions(kStoreDomain);
  return outcome;
}

}  // namespace press::passes
