// before:  x [N,64,7,7] ─┬─────────────────────────── Reshape ─ y [N,3136]
//                        └─ Shape ─ Gather(0) ─ Concat(·, -1) ─┘
// after:   x ─ Reshape({0, -1}) ─ y
//
// A Reshape to a shape that is computed gets a constant one where shape inference knows enough of the result:
// extents that it knows stand for themselves, 0 copies one that is the input's at the same place, one that is
// open may be -1.
//
// Conditions: rank of input and output known; no extent of 0 asked for by allowzero; not more than one open
// extent. What computed the shape goes as dead code where nobody else asks for it.
//
// Why it pays: exporters of networks with an open batch write half a dozen nodes for each flattening;
// runtimes execute them one by one, and plan no memory behind a shape that they do not know.
#include "passes/declarations.h"
#include "passes/known_types.h"
#include "passes/match.h"

namespace press::passes {

Result<PassOutcome> simplify_shapes(Model& model, const PassContext& context) {
  PassOutcome outcome;
  KnownTypes types(*model.graph, context);
  for_each_graph(*model.graph, [&](Graph& graph) {
    if (graph.outer() != nullptr && model.ir_version < 4) return;
    for (Node* node : graph.nodes_snapshot()) {
      if (!node->is("Reshape") || node->input(0) == nullptr || node->input(1) == nullptr ||
          node->output() == nullptr || node->input(1)->constant() != nullptr) {
        continue;
      }
      const Type *in = types.type(node->input(0)), *out = types.type(node->output());
      if (in == nullptr || out == nullptr || !in->shape.has_value() || !out->shape.has_value()) continue;
      const auto target = reshape_target_of(*in->shape, *out->shape);
      if (!target.has_value()) {
        outcome.declined.push_back({node->label(), "its result " + to_string(*out->shape) +
                                                       " has more than one extent that only a run can tell"});
        continue;
      }
      node->remove_attribute("allowzero");
      graph.set_input(node, 1, add_integers(graph, node->output()->name() + "_shape", *target));
      ++outcome.rewrites;
    }
  });
  return outcome;
}

}  // namespace press::passes
