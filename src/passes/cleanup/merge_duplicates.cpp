// before:  x ─┬─ Shape ─ Gather(s0, 0) ─ a        after:  x ─ Shape ─ Gather(s0, 0) ─┬─ a
//             └─ Shape ─ Gather(s1, 0) ─ b                                           └─ b
//
// Nodes of the same operator with the same attributes and the same inputs compute the same: one of them
// stays. So do constants of the same type, dims and bytes.
//
// Conditions: the operator is known to be pure and holds no subgraph; as many outputs on both sides; not both
// results are outputs of the graph (a file needs a node for each). QuantizeLinear and DequantizeLinear stay
// doubled: runtimes look for one of them at each of their users. Constants that carry more than their
// numbers (a doc string, a sparse form) stay, as do those of subgraphs of an IR version before 4.
//
// One walk in topological order: when a node is looked at, its inputs are merged already.
//
// Why it pays: exporters write the same shape arithmetic before every Reshape, and tied weights twice.
#include <algorithm>
#include <bit>
#include <unordered_map>

#include "passes/declarations.h"
#include "passes/match.h"
#include "press/ops/operator.h"
#include "press/support/hash.h"

namespace press::passes {
namespace {

bool same_value(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}
bool same_value(const std::vector<float>& a, const std::vector<float>& b) {
  return std::ranges::equal(a, b, [](float x, float y) { return same_value(x, y); });
}
bool same_value(const OpaqueAttribute& a, const OpaqueAttribute& b) {
  return a.bytes == b.bytes;
}
template <typename T>
bool same_value(const T& a, const T& b) {
  return a == b;
}

bool same_attributes(const Node& a, const Node& b) {
  if (a.attributes().size() != b.attributes().size()) return false;
  return std::ranges::all_of(a.attributes(), [&](const Attribute& one) {
    const Attribute* other = b.attribute(one.name);
    if (other == nullptr || other->value.index() != one.value.index()) return false;
    return std::visit(
        [&](const auto& held) {
          return same_value(held, std::get<std::decay_t<decltype(held)>>(other->value));
        },
        one.value);
  });
}

bool is_candidate(const Node& node) {
  return traits(node).pure && node.subgraphs().empty() && node.op_type() != "QuantizeLinear" &&
         node.op_type() != "DequantizeLinear";
}

bool same_computation(const Node& a, const Node& b) {
  if (!a.is(b.op_type(), b.domain()) || a.output_count() != b.output_count() ||
      a.input_count() != b.input_count()) {
    return false;
  }
  for (std::size_t i = 0; i < a.input_count(); ++i) {
    if (a.input(i) != b.input(i)) return false;
  }
  const Graph& graph = *a.graph();
  for (std::size_t i = 0; i < a.output_count(); ++i) {
    const Value *one = a.output(i), *other = b.output(i);
    if ((one == nullptr) != (other == nullptr)) return false;
    if (one != nullptr && graph.is_output(one) && graph.is_output(other)) return false;
  }
  return same_attributes(a, b);
}

std::uint64_t key_of(const Node& node) {
  std::uint64_t key = hash_bytes(node.op_type(), hash_bytes(node.domain()));
  for (std::size_t i = 0; i < node.input_count(); ++i) {
    const Value* input = node.input(i);
    key = hash_combine(key, input != nullptr ? input->number() + 1 : 0);
  }
  return key;
}

std::size_t merge_constants(Graph& graph) {
  const auto shape_key = [](const Tensor& tensor) {
    std::uint64_t key = static_cast<std::uint64_t>(tensor.type());
    for (const std::int64_t dim : tensor.dims()) key = hash_combine(key, static_cast<std::uint64_t>(dim));
    return key;
  };
  const auto is_plain = [](const Value& value) {
    return value.opaque.empty() && value.tensor_opaque.empty() && value.sparse.empty() &&
           value.constant()->defined() && value.constant()->type() != DataType::kString;
  };
  // Bytes are only read where type and dims agree: weights of large models stay on disk.
  std::unordered_map<std::uint64_t, std::size_t> of_shape;
  const std::vector<Value*> constants = graph.constants();
  for (const Value* constant : constants) {
    if (is_plain(*constant)) ++of_shape[shape_key(*constant->constant())];
  }
  std::size_t merged = 0;
  std::unordered_multimap<std::uint64_t, Value*> kept;
  kept.reserve(constants.size());
  for (Value* constant : constants) {
    if (!is_plain(*constant) || of_shape[shape_key(*constant->constant())] < 2) continue;
    const auto [first, last] = kept.equal_range(constant->constant()->hash());
    const auto twin = std::find_if(
        first, last, [&](const auto& other) { return *other.second->constant() == *constant->constant(); });
    if (twin == last) {
      kept.emplace(constant->constant()->hash(), constant);
    } else if (!graph.is_output(constant)) {
      graph.replace_all_uses(constant, twin->second);
      graph.erase(constant);
      ++merged;
    }
  }
  return merged;
}

std::size_t merge_nodes(Graph& graph) {
  std::size_t merged = 0;
  std::unordered_multimap<std::uint64_t, Node*> kept;
  kept.reserve(graph.node_count());
  for (Node* node : graph.nodes_snapshot()) {
    if (!is_candidate(*node)) continue;
    const std::uint64_t key = key_of(*node);
    const auto [first, last] = kept.equal_range(key);
    const auto twin =
        std::find_if(first, last, [&](const auto& other) { return same_computation(*other.second, *node); });
    if (twin == last) {
      kept.emplace(key, node);
      continue;
    }
    for (std::size_t i = 0; i < node->output_count(); ++i) {
      if (node->output(i) != nullptr) graph.replace_all_uses(node->output(i), twin->second->output(i));
    }
    graph.erase(node);
    ++merged;
  }
  return merged;
}

}  // namespace

Result<PassOutcome> merge_duplicates(Model& model, const PassContext& /*context*/) {
  PassOutcome outcome;
  for_each_graph(*model.graph, [&](Graph& graph) {
    if (graph.outer() == nullptr || model.ir_version >= 4) outcome.rewrites += merge_constants(graph);
    outcome.rewrites += merge_nodes(graph);
  });
  return outcome;
}

}  // namespace press::passes
