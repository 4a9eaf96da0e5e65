// Dynamic int8 quantization: the ranges of activations are measured while the network runs.
//
// Before:   x ─► MatMul(w) ─► y
//
// After:    x ─► DynamicQuantizeLinear ─┬─ x_q, zero point ─► MatMulInteger(w_q) ─► Cast ─► Mul ─► y
//                                       └─ scale ─► Mul(scale of w) ─────────────────────────┘
//
// A bias is an Add behind. A Gemm becomes the same, a Conv a ConvInteger. Operators that read the same value
// share one DynamicQuantizeLinear. ONNX Runtime makes one node of each such chain (DynamicQuantizeMatMul or
// MatMulIntegerToFloat).
//
// Weights: symmetric, one scale an output channel, which needs no zero points; int8 for products, and for
// convolutions uint8 with zero point 128, for which alone ONNX Runtime has a fast ConvInteger. Activations:
// uint8, one scale a tensor: the samples of a batch share it.
//
// Conditions: a Conv over one or two axes, Gemm or MatMul with a constant float32 weight. Convolutions in
// groups stay in float unless they are asked for by type: ConvInteger is several times slower there.
//
// It pays with a quarter of the bytes without any samples, and with time where products dominate.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "passes/declarations.h"
#include "passes/quantize/narrow_weights.h"
#include "passes/quantize/opset.h"
#include "passes/quantize/placement.h"
#include "passes/selection.h"
#include "press/numeric/quantization.h"
#include "press/ops/linear_layer.h"
#include "press/ops/operator.h"
#include "press/passes/recover.h"

namespace press {
namespace {

/// The first version with DynamicQuantizeLinear.
constexpr std::int64_t kDynamicOpset = 11;
constexpr std::int32_t kUnsignedZero = 128;

/// Why a linear operator stays in float; nullopt where it does not.
std::optional<std::string> obstacle(const Node& node, const NodeMatcher& selected) {
  if (!node.is("Conv") && !node.is("Gemm") && !node.is("MatMul"))
    return "there is no integer operator for it";
  if (!selected.matches(node)) return "not selected";
  const Value* weight = constant_weight(node);
  if (weight == nullptr) return "its weight is not constant";
  const Tensor& tensor = *weight->constant();
  if (tensor.type() != DataType::kFloat)
    return fmt::format("its weight is {}, not float32", name(tensor.type()));
  const std::optional<LinearLayer> layer = linear_layer(node);
  if (!layer.has_value()) {
    return fmt::format("a {} with a weight of {} has no form as an integer product", node.op_type(),
                       to_string(tensor.dims()));
  }
  if (node.input(0) == nullptr || node.input(0)->is_constant()) return "its input is constant";
  if (layer->groups > 1 && !selected.names_type("Conv"))
    return "ConvInteger is slower in groups than Conv; name Conv as type to have it all the same";
  return std::nullopt;
}

class Writer {
 public:
  Writer(Graph& graph, const PassContext& context) : graph_(graph), context_(context) {}

  void quantize(Node* node) {
    const LinearLayer layer = *linear_layer(*node);
    const Activation& input = activation(node->input(0), node);
    const Weight& weight = stored(node, layer);
    NodeSpec product{.op_type = node->is("Conv") ? "ConvInteger" : "MatMulInteger",
                     .inputs = {input.integers, weight.integers, input.zero_point},
                     .outputs = {name_for(node, "_int32")},
                     .name = node->name()};
    if (node->is("Conv")) {
      product.inputs.push_back(unsigned_zero());
      product.attributes = node->attributes();
    }
    Value* sums = add(std::move(product), node);
    Value* reals = add({.op_type = "Cast",
                        .inputs = {sums},
                        .outputs = {name_for(node, "_float")},
                        .attributes = {{"to", static_cast<std::int64_t>(DataType::kFloat), {}}}},
                       node);
    Value* unit =
        add({.op_type = "Mul", .inputs = {input.scale, weight.scale}, .outputs = {name_for(node, "_scale")}},
            node);
    Value* result =
        add({.op_type = "Mul", .inputs = {reals, unit}, .outputs = {name_for(node, "_scaled")}}, node);
    if (Value* bias = node->input(2); bias != nullptr) {
      result = add({.op_type = "Add",
                    .inputs = {result, node->is("Conv") ? bias_of_conv(bias, node) : bias},
                    .outputs = {name_for(node, "_biased")}},
                   node);
    }
    Value* old = node->output();
    const std::string name = old->name();
    const Type type = old->type();
    graph_.replace_all_uses(old, result);
    graph_.erase(node);
    result->set_name(name);
    result->set_type(type);
  }

 private:
  struct Activation {
    Value* integers;
    Value* scale;
    Value* zero_point;
  };
  struct Weight {
    Value* integers;
    Value* scale;
  };

  Value* add(NodeSpec spec, Node* before) { return graph_.add_node(std::move(spec), before)->output(); }

  std::string name_for(const Node* node, std::string_view what) {
    return graph_.fresh_name(node->output()->name() + std::string(what));
  }

  const Activation& activation(Value* value, Node* before) {
    const auto known = activations_.find(value);
    if (known != activations_.end()) return known->second;
    const auto named = [&](std::string_view what) {
      return graph_.fresh_name(value->name() + std::string(what));
    };
    const Node* quantize = graph_.add_node({.op_type = "DynamicQuantizeLinear",
                                            .inputs = {value},
                                            .outputs = {named("_q"), named("_scale"), named("_zero_point")}},
                                           before);
    const Activation made{quantize->output(0), quantize->output(1), quantize->output(2)};
    return activations_.emplace(value, made).first->second;
  }

  /// Once for all operators that read the same weight in the same way.
  const Weight& stored(const Node* node, const LinearLayer& layer) {
    Value* weight = node->input(layer.weight_input);
    const auto key = std::pair(weight, layer.weight_transposed);
    const auto known = weights_.find(key);
    if (known != weights_.end()) return known->second;
    const std::vector<float> rows = weight_rows(*node, layer);
    const bool per_channel = context_.quantize.per_channel;
    const ChannelLayout layout = per_channel ? ChannelLayout{1, layer.outputs, layer.inputs}
                                             : ChannelLayout{1, 1, static_cast<std::int64_t>(rows.size())};
    std::vector<float> scales;
    if (context_.grids != nullptr && per_channel) {
      if (const auto given = context_.grids->find(weight->name()); given != context_.grids->end())
        scales = given->second.scales;
    }
    // Convolutions have unsigned weights, which are multiplied without saturation.
    if (scales.empty())
      scales = node->is("Conv") ? weight_scales(rows, layout)
                                : quantize::product_scales(rows, layout, context_.quantize);
    const std::vector<std::int8_t> integers = quantize_weights(rows, layout, scales);
    const Tensor tensor =
        node->is("Conv") ? unsigned_integers(weight->constant()->dims(), integers) : columns(integers, layer);
    Value* made = graph_.add_constant(tensor, graph_.fresh_name(weight->name() + "_q"));
    Dims dims;
    if (per_channel) dims = {layer.outputs};
    if (per_channel && node->is("Conv")) dims.resize(weight->constant()->dims().size() - 1, 1);
    Value* scale =
        graph_.add_constant(Tensor::of(dims, scales), graph_.fresh_name(weight->name() + "_scale"));
    return weights_.emplace(key, Weight{made, scale}).first->second;
  }

  static Tensor unsigned_integers(const Dims& dims, const std::vector<std::int8_t>& integers) {
    std::vector<std::uint8_t> shifted;
    shifted.reserve(integers.size());
    for (const std::int8_t integer : integers)
      shifted.push_back(static_cast<std::uint8_t>(integer + kUnsignedZero));
    return Tensor::of(dims, shifted);
  }

  /// Inputs x outputs.
  static Tensor columns(const std::vector<std::int8_t>& rows, const LinearLayer& layer) {
    std::vector<std::int8_t> values(rows.size());
    const auto height = static_cast<std::size_t>(layer.outputs);
    const auto width = static_cast<std::size_t>(layer.inputs);
    for (std::size_t i = 0; i < rows.size(); ++i) values[i % width * height + i / width] = rows[i];
    return Tensor::of({layer.inputs, layer.outputs}, values);
  }

  Value* unsigned_zero() {
    if (unsigned_zero_ == nullptr) {
      unsigned_zero_ = graph_.add_constant(Tensor::scalar(static_cast<std::uint8_t>(kUnsignedZero)),
                                           graph_.fresh_name("weight_zero_point"));
    }
    return unsigned_zero_;
  }

  /// One element a channel, beside the axes of the image.
  Value* bias_of_conv(Value* bias, Node* before) {
    const std::size_t axes = before->input(1)->constant()->dims().size() - 2;
    if (bias->is_constant()) {
      Dims dims = bias->constant()->dims();
      dims.resize(dims.size() + axes, 1);
      return graph_.add_constant(bias->constant()->reshaped(dims), graph_.fresh_name(bias->name()));
    }
    std::vector<std::int64_t> extents(axes + 1, 1);
    extents.front() = -1;
    Value* shape = graph_.add_constant(Tensor::of({static_cast<std::int64_t>(extents.size())}, extents),
                                       graph_.fresh_name("bias_shape"));
    return add({.op_type = "Reshape", .inputs = {bias, shape}}, before);
  }

  Graph& graph_;
  const PassContext& context_;
  std::map<Value*, Activation> activations_;
  std::map<std::pair<Value*, bool>, Weight> weights_;
  Value* unsigned_zero_ = nullptr;
};

}  // namespace

Result<std::vector<LayerTask>> layers_with_dynamic_inputs(const Model& model, const QuantizeOptions& options,
                                                          std::vector<Declined>* declined) {
  PRESS_ASSIGN(const NodeMatcher selected, NodeMatcher::compile(options.nodes));
  std::vector<LayerTask> tasks;
  for (Node* node : model.graph->nodes()) {
    if (traits(*node).weight_input < 0) continue;
    if (std::optional<std::string> reason = obstacle(*node, selected)) {
      if (declined != nullptr) declined->push_back({node->label(), *std::move(reason)});
      continue;
    }
    PRESS_TRY(quantize::check_finite(*constant_weight(*node), *node, "weight"));
    tasks.push_back({node, node->is("Conv") ? IntegerGrid() : quantize::product_grid(options)});
  }
  return tasks;
}

namespace passes {

Result<PassOutcome> quantize_dynamic(Model& model, const PassContext& context) {
  PassOutcome outcome;
  const auto find_tasks = [&] {
    outcome.declined.clear();
    return layers_with_dynamic_inputs(model, context.quantize, &outcome.declined);
  };
  PRESS_ASSIGN(std::vector<LayerTask> tasks, find_tasks());
  if (tasks.empty()) return outcome;
  const std::int64_t opset = model.graph->opset();
  if (opset < kDynamicOpset) {
    const std::vector<Declined> obstacles = obstacles_to_opset(model);
    if (!obstacles.empty()) {
      return Error(ErrorCode::kUnsupported,
                   fmt::format("DynamicQuantizeLinear needs opset {}, the model has {} and cannot be raised: "
                               "node {}: {}",
                               kDynamicOpset, opset, obstacles.front().node, obstacles.front().reason));
    }
    raise_opset(model);
    outcome.notes.push_back(fmt::format("opset raised from {} to {}", opset, kUpgradedOpset));
    PRESS_ASSIGN(tasks, find_tasks());
  }
  Writer writer(*model.graph, context);
  for (const LayerTask& task : tasks) writer.quantize(task.node);
  outcome.rewrites = tasks.size();
  return outcome;
}

}  // namespace passes
}  // namespace press
