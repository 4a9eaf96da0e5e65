// before:  x ─ local.Swish ─ y        after:  x ─┬─ Sigmoid ─ Mul ─ y
//          (Swish: a = Sigmoid(x), y = Mul(x, a))  └───────────┘
//
// A call of a model-local function becomes the nodes of its body, calls in it too; functions that nothing
// calls any more go.
//
// Conditions: body and model import the same versions of their operator sets (what the model lacks, it
// imports); the function does not call itself; all calls together stay below a million nodes.
//
// Why it pays: no other pass looks into functions, and few runtimes do. It runs only where it is asked for
// (--inline-functions): a function is often one operator to the runtime that the model is meant for, or holds
// packed weights.
#include <fmt/format.h>

#include <unordered_map>

#include "passes/declarations.h"

namespace press::passes {
namespace {

constexpr std::size_t kMostNodes = 1'000'000;

/// How many nodes calls become.
class Sizes {
 public:
  explicit Sizes(const Graph& graph) : graph_(graph) {}

  /// Nodes of the body, calls in it replaced; above kMostNodes where it calls itself, or is larger than that.
  std::size_t of(const Function& function) {
    const auto [at, is_new] = sizes_.try_emplace(&function, kMostNodes + 1);  // as long as it is not known
    if (!is_new) return at->second;
    std::size_t size = 0;
    for_each_node(*function.body, [&](const Node* node) {
      const Function* called = graph_.called_function(*node);
      if (size <= kMostNodes) size += called != nullptr ? of(*called) : 1;
    });
    return sizes_[&function] = size;
  }

 private:
  const Graph& graph_;
  std::unordered_map<const Function*, std::size_t> sizes_;
};

}  // namespace

Result<PassOutcome> inline_functions(Model& model, const PassContext& /*context*/) {
  PassOutcome outcome;
  Graph& graph = *model.graph;
  Sizes sizes(graph);
  std::size_t total = 0;
  for (std::size_t inlined = 1; inlined > 0;) {  // a body may hold calls
    inlined = 0;
    outcome.declined.clear();
    std::vector<Node*> calls;
    for_each_node(graph, [&](Node* node) {
      if (graph.called_function(*node) != nullptr) calls.push_back(node);
    });
    for (Node* call : calls) {
      const Function& function = *graph.called_function(*call);
      const std::size_t size = sizes.of(function);
      if (size > kMostNodes || total + size > kMostNodes) {
        outcome.declined.push_back(
            {call->label(), fmt::format("function '{}' calls itself, or becomes more than {} nodes",
                                        function.name, kMostNodes)});
        continue;
      }
      const std::string label = call->label();
      if (const Status status = inline_call(call); !status.ok()) {
        outcome.declined.push_back({label, status.error().message()});
        continue;
      }
      total += size;
      ++inlined;
      ++outcome.rewrites;
    }
  }
  if (outcome.rewrites > 0) graph.erase_unused_functions();
  return outcome;
}

}  // namespace press::passes
