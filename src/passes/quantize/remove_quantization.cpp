// Takes QuantizeLinear/DequantizeLinear out of a network, so that it can be quantized anew.
//
// Before:   x ─► Q ─► DQ ─► Conv(w_q ─► DQ) ─► y
//
// After:    x ────────────► Conv(w) ─────────► y                           w = scale (w_q - zero point)
//
// Weights and biases are the real numbers that their integers stand for. Activations are no longer rounded
// nor cut to their range, but where the smallest integer stands for 0, a Relu takes over, as others leave it
// out there. Conditions: integers, scale and zero point of weights are constant; nothing stands between the
// two of a pair. QLinear operators and dynamic quantization stay as they are.
//
// It pays where a file has quantization of another form, width or placement than the one that is wanted.
#include "passes/declarations.h"
#include "passes/quantize/quantized_constants.h"
#include "press/numeric/quantization.h"
#include "press/ops/operator.h"

namespace press {
namespace {

/// True where the smallest integer of the quantizer stands for 0.
bool cuts_at_zero(const Node& quantizer) {
  if (quantizer.input(2) == nullptr) return true;  // uint8 and 0
  const Tensor* zero_point = quantizer.input(2)->constant();
  if (zero_point == nullptr || zero_point->size() != 1) return false;
  switch (zero_point->type()) {
    case DataType::kUint8:
      return zero_point->data<std::uint8_t>()[0] == 0;
    case DataType::kInt8:
      return zero_point->data<std::int8_t>()[0] == integer_limits(DataType::kInt8).lo;
    case DataType::kUint16:
      return zero_point->data<std::uint16_t>()[0] == 0;
    case DataType::kInt16:
      return zero_point->data<std::int16_t>()[0] == integer_limits(DataType::kInt16).lo;
    default:
      return false;
  }
}

/// True where the elements come from a clamp already.
bool is_clamped(const Value* value) {
  const Node* node = value->producer();
  while (node != nullptr && traits(*node).passage == Passage::kSame && node->input(0) != nullptr)
    node = node->input(0)->producer();
  return node != nullptr && traits(*node).passage == Passage::kClamp;
}

}  // namespace

namespace passes {

Result<PassOutcome> remove_quantization(Model& model, const PassContext&) {
  PassOutcome outcome;
  Graph& graph = *model.graph;
  for (Node* node : graph.nodes_snapshot()) {
    if (!quantize::is_quantizer(*node, "DequantizeLinear") || node->output() == nullptr) continue;
    Value* old = node->output();
    const Node* quantize = node->input(0) != nullptr ? node->input(0)->producer() : nullptr;
    if (std::optional<Tensor> tensor = quantize::computed_constant(old)) {
      const std::string name = old->name();
      Value* made = graph.add_constant(*std::move(tensor), graph.fresh_name(name));
      graph.replace_all_uses(old, made);
      graph.erase(node);
      made->set_name(name);
    } else if (quantize != nullptr && quantize::is_quantizer(*quantize, "QuantizeLinear")) {
      Value* reals = quantize->input(0);
      if (cuts_at_zero(*quantize) && !is_clamped(reals))
        reals = graph.add_node({.op_type = "Relu", .inputs = {reals}}, node)->output();
      graph.replace_all_uses(old, reals);
      graph.erase(node);
    } else {
      outcome.declined.push_back(
          {node->label(), "its integers are neither constant nor made by a QuantizeLinear"});
      continue;
    }
    ++outcome.rewrites;
  }
  return outcome;
}

}  // namespace passes
}  // namespace press
