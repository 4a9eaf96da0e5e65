// before:  x ─ Conv(w, b) ─ Relu ─ y          after:  x ─ Conv(w, b) ─ Relu ─ y
//               └── Shape ─ Gather(1)   (no use)
//
// Conditions: no output of the node has a use, and the operator is known to be pure, with all operators of
// its subgraphs. Operators that we do not know stay, as do graph inputs: the model's interface is not ours to
// change. Constants go when their last use is gone.
//
// Why it pays: less to run, less to store, and values with one use less are what other passes ask for.
#include <algorithm>

#include "passes/declarations.h"
#include "press/ops/operator.h"
#include "press/passes/dead_code.h"

namespace press {
namespace {

bool is_pure(const Node& node) {
  if (!traits(node).pure) return false;
  for (const Graph* inner : node.subgraphs()) {
    if (!std::ranges::all_of(inner->nodes(), [](const Node* one) { return is_pure(*one); })) return false;
  }
  return true;
}

bool is_unused(const Node& node) {
  return std::ranges::all_of(node.outputs(),
                             [](const Value* output) { return output == nullptr || output->uses().empty(); });
}

}  // namespace

std::size_t remove_dead_code(Graph& graph) {
  std::size_t removed = 0;
  // Users come after producers, so one walk from the end sees every node after its last user is gone.
  const std::vector<Node*> nodes = graph.nodes_snapshot();
  for (auto at = nodes.rbegin(); at != nodes.rend(); ++at) {
    Node* node = *at;
    if (is_unused(*node) && is_pure(*node)) {
      graph.erase(node);
      ++removed;
      continue;
    }
    for (Graph* inner : node->subgraphs()) removed += remove_dead_code(*inner);
  }
  for (Value* constant : graph.constants()) {
    if (!constant->uses().empty()) continue;
    graph.erase(constant);
    ++removed;
  }
  return removed;
}

namespace passes {

Result<PassOutcome> eliminate_dead_code(Model& model, const PassContext& /*context*/) {
  return PassOutcome{.rewrites = remove_dead_code(*model.graph)};
}

}  // namespace passes
}  // namespace press
