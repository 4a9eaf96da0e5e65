// before:  x ─ Conv(W, b) ─ BatchNormalization(γ, β, μ, σ²) ─ y          after:  x ─ Conv(W', b') ─ y
//
//   W'[c] = W[c] · γ[c] / √(σ²[c] + ε)        b'[c] = (b[c] - μ[c]) · γ[c] / √(σ²[c] + ε) + β[c]
//
// (Jacob et al., arXiv 1712.05877, section 3.2.) c runs over the output channels of Conv, ConvTranspose
// (group by group) and Gemm (alpha stays with the weight, beta goes into b'). A MatMul of two matrices
// becomes a Gemm, to have a bias.
//
// Conditions: BatchNormalization in its inference form; all parameters constant; the linear operator's result
// has no other use; the statistics give finite factors. A weight that other nodes use is copied for this one.
// Computed in double and rounded once. A weight that is zero stays zero: masks of pruning survive.
//
// Why it pays: one pass less over every feature map, and quantization sees the weights that are really used.
#include <fmt/format.h>

#include "passes/declarations.h"
#include "passes/fuse/linear_operator.h"

namespace press::passes {
namespace {

bool follows_linear_operator(const Node& norm) {
  const Value* input = norm.input(0);
  const Node* producer = input != nullptr ? input->producer() : nullptr;
  return norm.output() != nullptr && producer != nullptr && LinearOperator::is_one(*producer);
}

bool fuse(Node& norm, KnownTypes& types, std::string& reason) {
  Value* input = norm.input(0);
  Node& producer = *input->producer();
  if (!input->has_one_use()) {
    reason = fmt::format("the result of {} is used {} times", producer.label(), input->uses().size());
    return false;
  }
  if (input->graph() != norm.graph()) {
    reason = fmt::format("{} stands in an outer graph", producer.label());
    return false;
  }
  auto linear = LinearOperator::read(producer, reason);
  if (!linear.has_value()) return false;
  if (producer.is("MatMul") && linear->weight().rank() != 2) {
    reason = fmt::format("{} has no bias and is not known to multiply two matrices", producer.label());
    return false;
  }
  const auto affine = batch_normalization_affine(norm, linear->output_channels(), reason);
  if (!affine.has_value() || !linear->fold_behind(*affine, types, reason)) return false;
  norm.graph()->replace_all_uses(norm.output(), input);
  norm.graph()->erase(&norm);
  return true;
}

}  // namespace

Result<PassOutcome> fuse_conv_batchnorm(Model& model, const PassContext& context) {
  std::vector<Node*> norms;
  for_each_node(*model.graph, [&](Node* node) {
    if (node->is("BatchNormalization")) norms.push_back(node);
  });
  PassOutcome outcome;
  KnownTypes types(*model.graph, context);
  for (Node* norm : norms) {
    if (!follows_linear_operator(*norm)) continue;
    const std::string label = norm->label();
    std::string reason;
    if (fuse(*norm, types, reason)) {
      ++outcome.rewrites;
    } else {
      outcome.declined.push_back({label, std::move(reason)});
    }
  }
  return outcome;
}

}  // namespace press::passes
