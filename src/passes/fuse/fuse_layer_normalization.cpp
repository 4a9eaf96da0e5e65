// before:  x ─┬─ ReduceMean ─ Sub ─┬─ Pow(2) ─ ReduceMean ─ Add(ε) ─ Sqrt ─ Div ─ Mul(γ) ─ Add(β) ─ y
//             └───────────────┘    └────────────────────────────────────────┘
// after:   x ─ LayerNormalization(γ, β; axis, ε) ─ y
//
//   y = (x - mean(x)) / √(var(x) + ε) · γ + β   over the last axes (Ba et al., arXiv 1607.06450)
//
// The square may be Pow(·, 2) or the product with itself; β, or both γ and β, may be missing (γ of ones is
// then made).
//
// Conditions: operator set 17 (else the pass says so: --opset raises the model); both means over the same
// last axes, extents kept; γ and β constants of the shape of these axes; nobody else reads the values
// between.
//
// Why it pays: nine passes over the tensor become one.
#include <fmt/format.h>

#include <algorithm>

#include "passes/declarations.h"
#include "passes/known_types.h"
#include "passes/match.h"

namespace press::passes {
namespace {

constexpr std::int64_t kOpsetOfLayerNormalization = 17;

/// A value that only the pattern reads, with its node of that type; null for others. `readers`: how many of
/// them.
Node* inner(const Graph& graph, const Value* value, std::string_view type, std::size_t readers = 1) {
  Node* node = made_by(value, type);
  if (node == nullptr || node->graph() != &graph || value->uses().size() != readers || graph.is_output(value))
    return nullptr;
  return node;
}

/// Axes of a mean that keeps its extents, counted from the front, sorted; empty for others.
std::vector<std::int64_t> axes_of_mean(const Node& mean, std::int64_t rank) {
  if (mean.int_attribute("keepdims", 1) != 1) return {};
  auto axes = integers_of(mean, "axes", 18, 1);
  if (!axes.has_value()) return {};
  for (std::int64_t& axis : *axes) axis += axis < 0 ? rank : 0;
  std::ranges::sort(*axes);
  return *std::move(axes);
}

struct Match {
  Value* input = nullptr;
  std::int64_t axis = 0;
  float epsilon = 0;
  Dims normalized;  // extents of the axes
};

/// The division at the end of the normalization itself.
std::optional<Match> match_division(const Node& div, KnownTypes& types) {
  const Graph& graph = *div.graph();
  const Node* centred = inner(graph, div.input(0), "Sub", 2);
  const Node* by_product = inner(graph, div.input(0), "Sub", 3);  // both factors of its square
  if (centred == nullptr) centred = by_product;
  const Node* root = inner(graph, div.input(1), "Sqrt");
  const Node* add = root != nullptr ? inner(graph, root->input(0), "Add") : nullptr;
  if (centred == nullptr || add == nullptr) return std::nullopt;
  const std::size_t side = constant_input(*add, 1) != nullptr ? 1 : 0;
  const auto epsilon = number_of(constant_input(*add, side));
  const Node* variance = inner(graph, add->input(1 - side), "ReduceMean");
  if (!epsilon.has_value() || *epsilon <= 0 || variance == nullptr) return std::nullopt;
  const Node* power = inner(graph, variance->input(0), "Pow");
  const Node* square = inner(graph, variance->input(0), "Mul");
  const Value* base = centred->output();
  const bool is_power = power != nullptr && by_product == nullptr && power->input(0) == base &&
                        number_of(constant_input(*power, 1)) == 2.0;
  const bool is_square =
      square != nullptr && by_product != nullptr && square->input(0) == base && square->input(1) == base;
  const Node* mean = inner(graph, centred->input(1), "ReduceMean");
  if ((!is_power && !is_square) || mean == nullptr || mean->input(0) != centred->input(0))
    return std::nullopt;
  const Type* type = types.type(mean->input(0));
  if (type == nullptr || !type->shape.has_value() || !is_floating_point(type->element)) return std::nullopt;
  const auto rank = static_cast<std::int64_t>(type->shape->size());
  const std::vector<std::int64_t> axes = axes_of_mean(*mean, rank);
  if (axes.empty() || axes != axes_of_mean(*variance, rank)) return std::nullopt;
  Match match{mean->input(0), axes.front(), static_cast<float>(*epsilon), {}};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t expected = rank - static_cast<std::int64_t>(axes.size() - i);
    if (axes[i] != expected) return std::nullopt;
    const Dim& dim = (*type->shape)[static_cast<std::size_t>(axes[i])];
    if (!dim.known()) return std::nullopt;
    match.normalized.push_back(dim.value());
  }
  return match;
}

/// The Mul or Add of a constant of those dims that alone reads `value`; null where there is none.
Node* scaled_by(const Value* value, std::string_view type, const Dims& dims, Value** constant) {
  Node* node = only_user(value);
  if (node == nullptr || !node->is(type) || node->output() == nullptr) return nullptr;
  for (const std::size_t side : {0U, 1U}) {
    const Tensor* tensor = constant_input(*node, side);
    if (tensor == nullptr || tensor->dims() != dims || node->input(1 - side) != value) continue;
    *constant = node->input(side);
    return node;
  }
  return nullptr;
}

std::optional<Tensor> ones(DataType type, const Dims& dims) {
  const auto count = element_count(dims);
  if (!count.ok() || type != DataType::kFloat) return std::nullopt;
  return Tensor::of(dims, std::vector<float>(static_cast<std::size_t>(*count), 1.0F));
}

}  // namespace

Result<PassOutcome> fuse_layer_normalization(Model& model, const PassContext& context) {
  PassOutcome outcome;
  KnownTypes types(*model.graph, context);
  const std::int64_t opset = model.graph->opset();
  for_each_graph(*model.graph, [&](Graph& graph) {
    if (graph.outer() != nullptr && model.ir_version < 4) return;
    for (Node* div : graph.nodes_snapshot()) {
      if (!div->is("Div") || div->output() == nullptr) continue;
      const auto match = match_division(*div, types);
      if (!match.has_value()) continue;
      if (opset < kOpsetOfLayerNormalization) {
        outcome.declined.push_back(
            {div->label(), fmt::format("it is LayerNormalization, which needs operator set {0}; "
                                       "--opset {0} raises the model",
                                       kOpsetOfLayerNormalization)});
        continue;
      }
      Value *gamma = nullptr, *beta = nullptr;
      Node* last = div;
      if (Node* mul = scaled_by(div->output(), "Mul", match->normalized, &gamma); mul != nullptr) last = mul;
      if (Node* add = scaled_by(last->output(), "Add", match->normalized, &beta); add != nullptr) last = add;
      if (gamma == nullptr) {
        const Type* type = types.type(match->input);
        auto tensor = ones(type->element, match->normalized);
        if (!tensor.has_value()) continue;
        gamma = graph.add_constant(*std::move(tensor), graph.fresh_name(div->output()->name() + "_scale"));
      }
      NodeSpec spec{.op_type = "LayerNormalization",
                    .inputs = {match->input, gamma},
                    .attributes = {{"axis", match->axis, {}}, {"epsilon", match->epsilon, {}}},
                    .name = last->name()};
      if (beta != nullptr) spec.inputs.push_back(beta);
      Node* fused = graph.add_node(std::move(spec), last);
      fused->output()->set_type(last->output()->type());
      graph.replace_all_uses(last->output(), fused->output());
      ++outcome.rewrites;  // what led there has no reader any more: dead code
    }
  });
  return outcome;
}

}  // namespace press::passes
