// before:  x ─ Conv(W, b) ─ Mul(s) ─ Add(t) ─ y          after:  x ─ Conv(W·s, b·s + t) ─ y
//
// Mul, Div, Add and Sub by a constant behind a linear operator go into its weight and bias. s and t are one
// number or one for each output channel: [C,1,1] and [1,C,1,1] behind a convolution of images, [C] and [1,C]
// behind Gemm and MatMul. A MatMul of two matrices becomes a Gemm where it needs a bias.
//
// Conditions: weight, bias and operand constant; the linear operator's result has no other use; the constant
// has no more axes than the result (broadcasting would add some). Computed in double and rounded once.
//
// Why it pays: a pass over the feature map less for each; frameworks write biases as Add and normalizations
// of their own as Mul and Add.
#include "passes/declarations.h"
#include "passes/fuse/linear_operator.h"
#include "passes/match.h"

namespace press::passes {
namespace {

/// The rank of a linear operator's result as far as known without inference, else by it.
std::optional<std::size_t> result_rank(const LinearOperator& linear, KnownTypes& types) {
  const Node& node = linear.node();
  if (node.is("Gemm")) return 2;
  if (!node.is("MatMul")) return linear.weight().rank();
  const Type* type = types.type(node.output());
  return type != nullptr && type->shape.has_value() ? std::optional(type->shape->size()) : std::nullopt;
}

bool fuse(Node& node, Node& producer, KnownTypes& types, std::string& reason) {
  auto linear = LinearOperator::read(producer, reason);
  if (!linear.has_value()) return false;
  const auto operation = constant_operation(node, linear->output_channels(), linear->trailing_axes());
  if (!operation.has_value()) {
    reason = "its constant is neither one number nor one a channel";
    return false;
  }
  const auto rank = result_rank(*linear, types);
  if (operation->constant_rank > 1 && (!rank.has_value() || operation->constant_rank > *rank)) {
    reason = "its constant has more axes than the result of " + producer.label();
    return false;
  }
  if (!linear->fold_behind(operation->affine, types, reason)) return false;
  Graph& graph = *node.graph();
  graph.replace_all_uses(node.output(), operation->input);
  graph.erase(&node);
  return true;
}

}  // namespace

Result<PassOutcome> fuse_conv_arithmetic(Model& model, const PassContext& context) {
  PassOutcome outcome;
  KnownTypes types(*model.graph, context);
  for_each_graph(*model.graph, [&](Graph& graph) {
    for (Node* node : graph.nodes_snapshot()) {
      const Value* input = variable_operand(*node);
      if (input == nullptr || node->output() == nullptr || !is_private(input)) continue;
      Node* producer = input->producer();
      if (producer == nullptr || producer->graph() != &graph || !LinearOperator::is_one(*producer)) continue;
      const std::string label = node->label();
      std::string reason;
      if (fuse(*node, *producer, types, reason)) {
        ++outcome.rewrites;
      } else {
        outcome.declined.push_back({label, std::move(reason)});
      }
    }
  });
  return outcome;
}

}  // namespace press::passes
