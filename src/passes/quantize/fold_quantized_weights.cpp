// Weights whose quantization is only simulated become integers.
//
// Before:   w ─► QuantizeLinear ─► DequantizeLinear ─► Conv
//
// After:    w_q ────────────────► DequantizeLinear ─► Conv
//
// So do exports of quantization-aware training stand in files: weights in float32, rounded in every run.
// Conditions: weight, scale and zero point are constant. It pays with a quarter of the bytes, and with
// integer kernels, which look for constants.
#include "passes/declarations.h"
#include "passes/quantize/quantized_constants.h"

namespace press::passes {

Result<PassOutcome> fold_quantized_weights(Model& model, const PassContext&) {
  PassOutcome outcome;
  Graph& graph = *model.graph;
  for (Node* node : graph.nodes_snapshot()) {
    if (!quantize::is_quantizer(*node, "QuantizeLinear") || node->output() == nullptr) continue;
    std::optional<Tensor> integers = quantize::computed_constant(node->output());
    if (!integers) continue;
    Value* old = node->output();
    const std::string name = old->name();
    Value* made = graph.add_constant(*std::move(integers), graph.fresh_name(name));
    graph.replace_all_uses(old, made);
    graph.erase(node);
    made->set_name(name);
    ++outcome.rewrites;
  }
  return outcome;
}

}  // namespace press::passes
