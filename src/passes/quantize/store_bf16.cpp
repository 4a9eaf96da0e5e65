// Weights in bfloat16, arithmetic in float32.
//
// Before:   x ─────────────► Conv(w) ─► y
//
// After:    x ─────────────► Conv ────► y
//           w_bf16 ─► Cast ───┘
//
// bfloat16 has the range of float32 and 8 bits of precision, so nothing can overflow and no samples are
// needed. The Cast is computed once, while a runtime loads the file. Activations stay float32: the CPU
// provider of ONNX Runtime has no kernels for bfloat16 but Cast and Transpose, and refuses a Conv, Gemm or
// MatMul of it.
//
// Conditions: float32 constants of two dims and more and 64 elements and more, all of whose readers are
// selected. It pays with half the bytes.
#include <fmt/format.h>

#include <algorithm>

#include "passes/declarations.h"
#include "passes/quantize/opset.h"
#include "passes/selection.h"

namespace press {
namespace {

constexpr std::int64_t kSmallestSize = 64;

bool is_candidate(const Value& value, const NodeMatcher& selected) {
  const Tensor& tensor = *value.constant();
  if (tensor.type() != DataType::kFloat || tensor.dims().size() < 2 || tensor.size() < kSmallestSize)
    return false;
  return std::ranges::all_of(
      value.uses(), [&](const Use& use) { return use.node != nullptr && selected.matches(*use.node); });
}

Tensor rounded(const Tensor& tensor) {
  Tensor result = std::move(Tensor::allocate(DataType::kBFloat16, tensor.dims())).value();
  std::ranges::transform(tensor.data<float>(), result.mutable_data<BFloat16>().begin(), to_bfloat16);
  return result;
}

}  // namespace

namespace passes {

Result<PassOutcome> store_bf16(Model& model, const PassContext& context) {
  PassOutcome outcome;
  Graph& graph = *model.graph;
  PRESS_ASSIGN(const NodeMatcher selected, NodeMatcher::compile(context.fp16.nodes));
  const auto candidates = [&] {
    std::vector<Value*> values = graph.constants();
    std::erase_if(values, [&](const Value* value) { return !is_candidate(*value, selected); });
    return values;
  };
  if (candidates().empty()) return outcome;
  const std::int64_t opset = graph.opset();
  if (opset < kUpgradedOpset) {
    const std::vector<Declined> obstacles = obstacles_to_opset(model);
    if (!obstacles.empty()) {
      return Error(ErrorCode::kUnsupported,
                   fmt::format("bfloat16 needs opset {}, the model has {} and cannot be raised: node {}: {}",
                               kUpgradedOpset, opset, obstacles.front().node, obstacles.front().reason));
    }
    raise_opset(model);
    outcome.notes.push_back(fmt::format("opset raised from {} to {}", opset, kUpgradedOpset));
  }
  Node* first = *graph.nodes().begin();
  for (Value* value : candidates()) {
    const std::string name = value->name();
    Value* stored = graph.add_constant(rounded(*value->constant()), graph.fresh_name(name + "_bf16"));
    Value* wide = graph
                      .add_node({.op_type = "Cast",
                                 .inputs = {stored},
                                 .outputs = {graph.fresh_name(name)},
                                 .attributes = {{"to", static_cast<std::int64_t>(DataType::kFloat), {}}}},
                                first)
                      ->output();
    graph.replace_all_uses(value, wide);
    graph.erase(value);
    wide->set_name(name);
    ++outcome.rewrites;
  }
  return outcome;
}

}  // namespace passes
}  // namespace press
