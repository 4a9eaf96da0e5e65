// Weights as small integers, activations in float.
//
// Before:   x ───────────────────► Conv(w, b) ──► y
//
// After:    x ───────────────────► Conv ────────► y
//           w_q ─► DequantizeLinear ─┘
//
// One scale an output channel. Weights of 8 bits are int8 without a zero point; those of 4 bits uint4 (opset
// 21), of 3 bits uint4 of which 8 levels are used, of 2 bits uint2 (opset 25), all with a zero point a
// channel; where the opset cannot be raised so far, the next wider type that it has. With fewer than 8 bits
// the first and the last layer keep 8: they are small and the network is most sensitive there. Integers,
// scales and zero points have short names, which count beside small weights; the DequantizeLinear keeps the
// weight's name.
//
// Conditions: a Conv over one or two axes, Gemm or MatMul with a constant float32 weight that no other node
// reads. With QuantizeOptions::block_size, each so many inputs of a MatMul or Gemm have a scale of their own
// (opset 21, or MatMulNBits of ONNX Runtime). It pays with bytes alone: runtimes compute in float.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "passes/declarations.h"
#include "passes/quantize/opset.h"
#include "passes/quantize/packed_integers.h"
#include "passes/quantize/placement.h"
#include "passes/quantize/weight_blocks.h"
#include "passes/selection.h"
#include "press/ops/linear_layer.h"
#include "press/ops/operator.h"
#include "press/passes/quantize.h"
#include "press/passes/recover.h"

namespace press {
namespace {

constexpr int kWideBits = 8;

std::vector<std::int32_t> integers_of(std::span<const float> rows, const WeightGrid& grid) {
  std::vector<std::int32_t> integers(rows.size());
  const std::size_t width = rows.size() / grid.scales.size();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t channel = i / width;
    const float steps = std::nearbyint(rows[i] / grid.scales[channel]);
    integers[i] = static_cast<std::int32_t>(std::clamp(steps + static_cast<float>(grid.zero_points[channel]),
                                                       static_cast<float>(grid.limits.lo),
                                                       static_cast<float>(grid.limits.hi)));
  }
  return integers;
}

class Writer {
 public:
  Writer(Graph& graph, const PassContext& context) : graph_(graph), context_(context) {}

  void quantize(const LayerTask& task) {
    Node* node = task.node;
    const LinearLayer layer = *linear_layer(*node);
    Value* weight = node->input(layer.weight_input);
    if (task.block > 0) return quantize_in_blocks(node, layer, task);
    const WeightGrid* given = nullptr;
    if (context_.grids != nullptr) {
      if (const auto found = context_.grids->find(weight->name()); found != context_.grids->end())
        given = &found->second;
    }
    const WeightGrid grid = given != nullptr ? *given : round_layer(task).grid;
    std::vector<std::int32_t> integers = integers_of(weight_rows(*node, layer), grid);
    if (layer.weight_transposed) integers = transposed(integers, layer);
    const DataType type = stored_type(grid.limits);
    Value* stored = graph_.add_constant(packed_integers(type, weight->constant()->dims(), integers),
                                        graph_.fresh_name("q"));
    NodeSpec spec{.op_type = "DequantizeLinear",
                  .inputs = {stored, graph_.add_constant(Tensor::of({layer.outputs}, grid.scales),
                                                         graph_.fresh_name("s"))},
                  .outputs = {graph_.fresh_name(weight->name() + "_dq")}};
    if (!grid.limits.symmetric) {
      spec.inputs.push_back(graph_.add_constant(packed_integers(type, {layer.outputs}, grid.zero_points),
                                                graph_.fresh_name("z")));
    }
    if (const std::int64_t axis = *weight_channel_axis(*node); axis != 1)
      spec.attributes.push_back({"axis", axis, {}});
    put_in_place(node, layer, graph_.add_node(std::move(spec), node)->output());
  }

 private:
  void quantize_in_blocks(Node* node, const LinearLayer& layer, const LayerTask& task) {
    const quantize::BlockedWeight weight = quantize::round_in_blocks(*node, layer, task.grid, task.block);
    if (context_.quantize.contributed_operators) {
      quantize::replace_by_mat_mul_n_bits(node, layer, weight);
    } else {
      put_in_place(node, layer,
                   quantize::add_blocked_dequantize(node, layer, weight, stored_type(weight.limits)));
    }
  }

  void put_in_place(Node* node, const LinearLayer& layer, Value* dequantized) {
    Value* weight = node->input(layer.weight_input);
    graph_.set_input(node, layer.weight_input, dequantized);
    const std::string name = weight->name();
    graph_.erase(weight);
    dequantized->set_name(name);
  }

  DataType stored_type(const IntegerGrid& limits) const {
    if (limits.lo < 0) return DataType::kInt8;
    if (limits.hi <= 3 && graph_.opset() >= kOpsetOf2Bits) return DataType::kUint2;
    if (limits.hi <= 15 && graph_.opset() >= kOpsetOf4Bits) return DataType::kUint4;
    return DataType::kUint8;
  }

  static std::vector<std::int32_t> transposed(const std::vector<std::int32_t>& rows,
                                              const LinearLayer& layer) {
    std::vector<std::int32_t> result(rows.size());
    const auto width = static_cast<std::size_t>(layer.inputs);
    const auto height = static_cast<std::size_t>(layer.outputs);
    for (std::size_t i = 0; i < rows.size(); ++i) result[i % width * height + i / width] = rows[i];
    return result;
  }

  Graph& graph_;
  const PassContext& context_;
};

}  // namespace

Result<std::vector<LayerTask>> layers_with_small_weights(const Model& model, const QuantizeOptions& options,
                                                         std::vector<Declined>* declined) {
  PRESS_ASSIGN(const NodeMatcher selected, NodeMatcher::compile(options.nodes));
  const auto decline = [&](const Node& node, std::string reason) {
    if (declined != nullptr) declined->push_back({node.label(), std::move(reason)});
  };
  std::vector<LayerTask> tasks;
  std::vector<Node*> layers;
  for (Node* node : model.graph->nodes()) {
    if (traits(*node).weight_input < 0) continue;
    const std::optional<LinearLayer> layer = linear_layer(*node);
    if (layer.has_value()) layers.push_back(node);
    if (!selected.matches(*node)) {
      decline(*node, "not selected");
    } else if (!layer.has_value()) {
      const Value* weight = node->input(static_cast<std::size_t>(traits(*node).weight_input));
      if (weight != nullptr && weight->is_constant())
        decline(*node, "its weight has no form for scales a channel");
    } else if (!node->input(layer->weight_input)->has_one_use()) {
      decline(*node, "its weight is shared with other nodes");
    } else {
      PRESS_TRY(quantize::check_finite(*node->input(layer->weight_input), *node, "weight"));
      tasks.push_back({node, {}});
    }
  }
  for (LayerTask& task : tasks) {
    const bool at_the_ends = task.node == layers.front() || task.node == layers.back();
    const std::string_view name = selection_name(*task.node);
    const bool wide = options.weight_bits == kWideBits || at_the_ends ||
                      std::ranges::find(options.wide, name) != options.wide.end();
    if (!wide) task.grid = {0, (1 << options.weight_bits) - 1, false};
    const bool takes_blocks = !task.node->is("Conv") && (!wide || options.weight_bits == kWideBits);
    if (takes_blocks) task.block = options.block_size;
  }
  return tasks;
}

namespace passes {

Result<PassOutcome> quantize_weights(Model& model, const PassContext& context) {
  PassOutcome outcome;
  PRESS_ASSIGN(std::vector<LayerTask> tasks,
               layers_with_small_weights(model, context.quantize, &outcome.declined));
  if (tasks.empty()) return outcome;
  const std::int64_t opset = model.graph->opset();
  if (opset < kUpgradedOpset) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("weights with a scale a channel need opset {}, the model stays at {}",
                             kUpgradedOpset, opset));
  }
  const bool in_blocks = std::ranges::any_of(tasks, [](const LayerTask& task) { return task.block > 0; });
  const bool contributed = context.quantize.contributed_operators;
  const std::int64_t wanted = context.quantize.weight_bits == 2 ? kOpsetOf2Bits
                              : context.quantize.weight_bits <= 4 || (in_blocks && !contributed)
                                  ? kOpsetOf4Bits
                                  : kUpgradedOpset;
  for (const std::int64_t target : {wanted, kOpsetOf4Bits}) {
    if (target > wanted || target <= model.graph->opset()) continue;
    const std::vector<Declined> obstacles = obstacles_to_newer_opset(model, target);
    if (obstacles.empty()) {
      outcome.notes.push_back(fmt::format("opset raised from {} to {}", opset, target));
      declare_newer_opset(model, target);
      break;
    }
    outcome.notes.push_back(
        fmt::format("stored in wider integers, as the model stays below opset {}: node {}: {}", target,
                    obstacles.front().node, obstacles.front().reason));
  }
  if (in_blocks && !contributed && model.graph->opset() < kOpsetOfBlocks) {
    outcome.notes.push_back(fmt::format("one scale a channel, as blocks need opset {}", kOpsetOfBlocks));
    for (LayerTask& task : tasks) task.block = 0;
  }
  Writer writer(*model.graph, context);
  for (const LayerTask& task : tasks) writer.quantize(task);
  outcome.rewrites = tasks.size();
  return outcome;
}

}  // namespace passes
}  // namespace press
