// before:  x ─┬─ ReduceMean ─ Sub ─┬─ Pow(2) ─ ReduceMean ─ Add(ε) ─ Sqrt ─ Div ─ Mul(γ) ─ Add(β) ─ y
//             └───────────────┘    └────────────────────────────────────────┘
// after:   x ─ LayerNormalization(γ, β; axis, ε) ─ y       means over the last axes, γ and β of their shape
//          x ─ InstanceNormalization(γ, β; ε) ─ y          means over all axes behind the channels
//
//   y = (x - mean(x)) / √(var(x) + ε) · γ + β, γ and β a channel in the second form
//   (Ba et al., arXiv 1607.06450; Ulyanov et al., arXiv 1607.08022)
//
// The square may be Pow(·, 2) or the product with itself; β, or both γ and β, may be missing (ones and zeros
// are then made where the operator asks for them; one number a channel rather than one an element).
//
// Conditions: LayerNormalization needs operator set 17 (else the pass says so: --opset raises the model);
// both means over the same axes, extents kept; γ and β constants of one of these shapes; nobody else reads
// the values between.
//
// Why it pays: nine passes over the tensor become one.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <span>

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
  DataType type = DataType::kUndefined;
  std::int64_t rank = 0;
  std::vector<std::int64_t> axes;  // of the means, sorted
  float epsilon = 0;
  /// The shape of γ and β in a LayerNormalization, where the axes are the last ones and their extents known.
  std::optional<Dims> of_layer;
  /// The extent of axis 1, where the axes are all behind it and it is known.
  std::optional<std::int64_t> channels;
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
  Match match{.input = mean->input(0),
              .type = type->element,
              .rank = static_cast<std::int64_t>(type->shape->size()),
              .epsilon = static_cast<float>(*epsilon)};
  match.axes = axes_of_mean(*mean, match.rank);
  if (match.axes.empty() || match.axes != axes_of_mean(*variance, match.rank)) return std::nullopt;
  const std::int64_t first = match.axes.front();
  std::vector<std::int64_t> to_the_last(
      static_cast<std::size_t>(std::clamp<std::int64_t>(match.rank - first, 0, match.rank)));
  std::iota(to_the_last.begin(), to_the_last.end(), first);
  if (match.axes != to_the_last) return std::nullopt;
  match.of_layer = known_dims(Shape(type->shape->begin() + first, type->shape->end()));
  if (first == 2 && (*type->shape)[1].known()) match.channels = (*type->shape)[1].value();
  return match;
}

/// The Mul or Add of a constant of one of these shapes that alone reads `value`; null where there is none.
Node* scaled_by(const Value* value, std::string_view type, std::span<const Dims> shapes, Value** constant) {
  Node* node = only_user(value);
  if (node == nullptr || !node->is(type) || node->output() == nullptr) return nullptr;
  for (const std::size_t side : {0U, 1U}) {
    const Tensor* tensor = constant_input(*node, side);
    if (tensor == nullptr || node->input(1 - side) != value ||
        std::ranges::find(shapes, tensor->dims()) == shapes.end())
      continue;
    *constant = node->input(side);
    return node;
  }
  return nullptr;
}

/// What follows a division: the last node of the pattern and the constants on the way, null where missing.
struct Tail {
  Node* last = nullptr;
  Value* gamma = nullptr;
  Value* beta = nullptr;
};

Tail tail_of(Node* div, std::span<const Dims> shapes) {
  Tail tail{.last = div};
  if (Node* mul = scaled_by(div->output(), "Mul", shapes, &tail.gamma); mul != nullptr) tail.last = mul;
  if (Node* add = scaled_by(tail.last->output(), "Add", shapes, &tail.beta); add != nullptr) tail.last = add;
  return tail;
}

/// What a channel's constant looks like before it is broadcast: [C,1,…] or [1,C,1,…].
std::array<Dims, 2> channel_shapes(const Match& match) {
  Dims plain(static_cast<std::size_t>(match.rank - 1), 1);
  plain.front() = *match.channels;
  Dims batched(static_cast<std::size_t>(match.rank), 1);
  batched[1] = *match.channels;
  return {plain, batched};
}

/// `given` under other dims, or (null) a new constant of `missing`.
Value* parameter(Graph& graph, Value* given, const Dims& dims, float missing, const std::string& name) {
  if (given != nullptr && given->constant()->dims() == dims) return given;
  if (given != nullptr) {
    return graph.add_constant(given->constant()->reshaped(dims), graph.fresh_name(given->name()));
  }
  const std::vector<float> numbers(static_cast<std::size_t>(element_count(dims).value()), missing);
  return graph.add_constant(Tensor::of(dims, numbers), graph.fresh_name(name));
}

/// Puts the normalization in the place of the division and its tail; false, and nothing is done, where a
/// missing parameter cannot be made.
bool replace(Graph& graph, const Match& match, const Tail& tail, bool is_layer) {
  const Dims dims = is_layer ? *match.of_layer : Dims{*match.channels};
  const bool needs_beta = !is_layer || tail.beta != nullptr;
  const bool is_missing = tail.gamma == nullptr || (needs_beta && tail.beta == nullptr);
  if (is_missing && (match.type != DataType::kFloat || !element_count(dims).ok())) return false;
  const std::string& name = tail.last->output()->name();
  NodeSpec spec{.op_type = is_layer ? "LayerNormalization" : "InstanceNormalization",
                .inputs = {match.input, parameter(graph, tail.gamma, dims, 1, name + "_scale")},
                .attributes = {{"epsilon", match.epsilon}},
                .name = tail.last->name()};
  if (is_layer) spec.attributes.push_back({"axis", match.axes.front()});
  if (needs_beta) spec.inputs.push_back(parameter(graph, tail.beta, dims, 0, name + "_bias"));
  Node* fused = graph.add_node(std::move(spec), tail.last);
  fused->output()->set_type(tail.last->output()->type());
  graph.replace_all_uses(tail.last->output(), fused->output());
  return true;
}

}  // namespace

Result<PassOutcome> fuse_normalization(Model& model, const PassContext& context) {
  PassOutcome outcome;
  KnownTypes types(*model.graph, context);
  const std::int64_t opset = model.graph->opset();
  for_each_graph(*model.graph, [&](Graph& graph) {
    if (graph.outer() != nullptr && model.ir_version < 4) return;
    for (Node* div : graph.nodes_snapshot()) {
      if (!div->is("Div") || div->output() == nullptr) continue;
      const auto match = match_division(*div, types);
      if (!match.has_value()) continue;
      Tail layer{.last = div}, instance{.last = div};
      if (match->of_layer.has_value()) layer = tail_of(div, {&*match->of_layer, 1});
      if (match->channels.has_value()) instance = tail_of(div, channel_shapes(*match));
      // Where neither has parameters, rows of one axis are a layer's.
      const bool is_row =
          instance.last == div && match->axes.size() == 1 && opset >= kOpsetOfLayerNormalization;
      const bool is_layer = layer.last != div || is_row || !match->channels.has_value();
      if (is_layer && !match->of_layer.has_value()) continue;
      if (is_layer && opset < kOpsetOfLayerNormalization) {
        outcome.declined.push_back(
            {div->label(), fmt::format("it is LayerNormalization, which needs operator set {0}; "
                                       "--opset {0} raises the model",
                                       kOpsetOfLayerNormalization)});
        continue;
      }
      // What led there has no reader any more: dead code.
      if (replace(graph, *match, is_layer ? layer : instance, is_layer)) ++outcome.rewrites;
    }
  });
  return outcome;
}

}  // namespace press::passes
