// before:  x ─ Add(0) ─ y        after:  x ─ y
//
// A sum with zeros is the other summand.
//
// Conditions: the zeros are a constant, and broadcasting changes nothing: both shapes are known to be the
// same. The value stays, but -0 becomes no +0 any more: therefore among the fusions and not in the cleanup.
// Between an output of the graph and another interface value the operator stays, because a file needs a node
// there.
//
// Why it pays: layers that are exported without a bias, or quantized for another runtime, carry such sums;
// each is a pass over the tensor.
#include <algorithm>

#include "passes/declarations.h"
#include "passes/floats.h"
#include "passes/known_types.h"
#include "passes/match.h"

namespace press::passes {
namespace {

bool is_zero(const Tensor* tensor) {
  if (tensor == nullptr || tensor->size() == 0 || !is_floating_point(tensor->type())) return false;
  bool all = true;
  for_each_float(*tensor, [&](std::int64_t, double element) { all = all && element == 0; });
  return all;
}

bool same_shape(const Type* a, const Type* b) {
  if (a == nullptr || b == nullptr || !a->shape.has_value() || !b->shape.has_value()) return false;
  return std::ranges::equal(*a->shape, *b->shape, [](const Dim& x, const Dim& y) { return same(x, y); });
}

}  // namespace

Result<PassOutcome> eliminate_zero_sums(Model& model, const PassContext& context) {
  PassOutcome outcome;
  KnownTypes types(*model.graph, context);
  for_each_graph(*model.graph, [&](Graph& graph) {
    for (Node* node : graph.nodes_snapshot()) {
      if (!node->is("Add") || node->input(0) == nullptr || node->input(1) == nullptr ||
          node->output() == nullptr)
        continue;
      const std::size_t side = is_zero(constant_input(*node, 1)) ? 0 : 1;
      if (side == 1 && !is_zero(constant_input(*node, 0))) continue;
      Value* summand = node->input(side);
      if (!same_shape(types.type(summand), types.type(node->output()))) continue;
      const bool is_inner =
          summand->producer() != nullptr && summand->graph() == &graph && !graph.is_output(summand);
      if (graph.is_output(node->output()) && !is_inner) continue;
      graph.replace_all_uses(node->output(), summand);
      graph.erase(node);
      ++outcome.rewrites;
    }
  });
  return outcome;
}

}  // namespace press::passes
