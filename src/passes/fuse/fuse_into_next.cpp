// before:  x ─ BatchNormalization ─ Conv(W, b) ─ y        after:  x ─ Conv(W', b') ─ y
// before:  x ─ Mul(s) ─ Add(t) ─ Gemm(W, b) ─ y           after:  x ─ Gemm(W', b') ─ y
// before:  x ─ Mul(s) ─ Add(t) ─ Conv, padded (W) ─ y     after:  x ─ Add(t/s) ─ Conv, padded (W·s) ─ y
//
//   W'[o,i] = W[o,i] · s[i]        b'[o] = b[o] + Σ W[o,i,…] · t[i]
//
// i runs over the input channels of the linear operator (within its group).
//
// Conditions: all constant; nobody else reads the value between; the constant is one number or one for each
// channel, and broadcasting adds nothing. A shift t needs a convolution without padding: the border is padded
// with zeros behind the shift, so it would be missing there. A factor s before such a shift, one number that
// is not zero, is drawn through it. Computed in double and rounded once.
//
// Why it pays: normalization of inputs and pre-activation networks (BatchNormalization before the
// convolution) cost a pass over the feature map for each.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "passes/declarations.h"
#include "passes/floats.h"
#include "passes/fuse/linear_operator.h"
#include "passes/match.h"

namespace press::passes {
namespace {

/// True where the value is known to have that many channels, `trailing` axes from its end.
bool has_channels(const Type* type, std::int64_t channels, std::size_t trailing) {
  if (type == nullptr || !type->shape.has_value() || type->shape->size() <= trailing) return false;
  const Dim& dim = (*type->shape)[type->shape->size() - 1 - trailing];
  return dim.known() && dim.value() == channels;
}

bool has_same_rank(const Type* a, const Type* b) {
  return a != nullptr && b != nullptr && a->shape.has_value() && b->shape.has_value() &&
         a->shape->size() == b->shape->size();
}

bool fuse(Node& node, Node& next, KnownTypes& types, std::string& reason) {
  auto linear = LinearOperator::read(next, reason);
  if (!linear.has_value()) return false;
  const std::int64_t channels = linear->input_channels();
  const std::size_t trailing = linear->trailing_axes();
  Value* input = node.input(0);
  std::optional<Affine> affine;
  if (node.is("BatchNormalization")) {
    const Type* type = types.type(input);
    if (type == nullptr || !type->shape.has_value() || type->shape->size() != trailing + 2) {
      reason = fmt::format("its channels are not those of {}", next.label());
      return false;
    }
    affine = batch_normalization_affine(node, channels, reason);
  } else {
    auto operation = constant_operation(node, channels, trailing);
    if (!operation.has_value()) {
      reason = "its constant is neither one number nor one a channel";
      return false;
    }
    input = operation->input;
    const Type* type = types.type(input);
    if (!has_channels(type, channels, trailing) || type->shape->size() < operation->constant_rank) {
      reason = "its operand is not known to have the channels of its result";
      return false;
    }
    affine = std::move(operation->affine);
  }
  if (!affine.has_value() || !linear->fold_before(*affine, types, reason)) return false;
  Graph& graph = *node.graph();
  graph.replace_all_uses(node.output(), input);
  graph.erase(&node);
  return true;
}

/// Draws a factor before the sum `shift` through it, into the padded convolution behind.
bool fuse_through(Node& scale, Node& shift, Node& next, KnownTypes& types, std::string& reason) {
  const std::size_t term = shift.input(0) == scale.output() ? 1 : 0;
  const auto factor = number_of(constant_input(scale, scale.input(1)->is_constant() ? 1 : 0));
  const Tensor* summand = constant_input(shift, term);
  const bool is_sum = shift.is("Add") || (shift.is("Sub") && term == 1);
  if (!factor.has_value() || summand == nullptr || !is_sum || !is_floating_point(summand->type()))
    return false;
  const double number = scale.is("Div") ? 1 / *factor : *factor;
  if (number == 0 || !std::isfinite(number)) return false;
  auto linear = LinearOperator::read(next, reason);
  if (!linear.has_value()) return false;
  const auto channels = static_cast<std::size_t>(linear->input_channels());
  if (!has_same_rank(types.type(variable_operand(scale)), types.type(shift.output()))) {
    reason = "its operand is not known to have the rank of its result";
    return false;
  }
  auto divided = Tensor::allocate(summand->type(), summand->dims());
  if (!divided.ok()) return false;
  std::ranges::copy(summand->bytes(), divided->mutable_bytes().begin());
  bool finite = true;
  for_each_float(*summand,
                 [&](std::int64_t, double element) { finite = finite && std::isfinite(element / number); });
  transform_floats(*divided, [&](std::int64_t, double element) { return element / number; });
  for_each_float(*divided, [&](std::int64_t, double element) { finite = finite && std::isfinite(element); });
  if (!finite) {
    reason = "what it is added to is not finite without it";
    return false;
  }
  const Affine affine{std::vector<double>(channels, number), std::vector<double>(channels, 0.0)};
  if (!linear->fold_before(affine, types, reason)) return false;
  Graph& graph = *scale.graph();
  Graph& home = *shift.input(term)->graph();
  graph.set_input(&shift, term, home.add_constant(*divided, home.fresh_name(shift.input(term)->name())));
  graph.set_input(&shift, 1 - term, variable_operand(scale));
  graph.erase(&scale);
  return true;
}

}  // namespace

Result<PassOutcome> fuse_into_next(Model& model, const PassContext& context) {
  PassOutcome outcome;
  KnownTypes types(*model.graph, context);
  for_each_graph(*model.graph, [&](Graph& graph) {
    const std::vector<Node*> nodes = graph.nodes_snapshot();
    // From the end: what stands before a node that was folded away is folded next.
    for (auto at = nodes.rbegin(); at != nodes.rend(); ++at) {
      Node& node = **at;
      const bool is_norm = node.is("BatchNormalization");
      if (!is_norm && variable_operand(node) == nullptr) continue;
      Node* next = only_user(node.output());
      if (next == nullptr) continue;
      Node* shifted = (node.is("Mul") || node.is("Div")) && (next->is("Add") || next->is("Sub"))
                          ? only_user(next->output())
                          : nullptr;
      Node* linear = shifted != nullptr ? shifted : next;
      if (!LinearOperator::is_one(*linear)) continue;
      if (linear->input(0) != (shifted != nullptr ? next->output() : node.output())) continue;
      const std::string label = node.label();
      std::string reason;
      if (shifted != nullptr ? fuse_through(node, *next, *shifted, types, reason)
                             : fuse(node, *next, types, reason)) {
        ++outcome.rewrites;
      } else {
        outcome.declined.push_back({label, std::move(reason)});
      }
    }
  });
  return outcome;
}

}  // namespace press::passes
