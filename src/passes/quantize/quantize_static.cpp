// Static quantization in QDQ form: int8 weights, activations of 8 or 16 bits.
//
// Before:   x ─────────────► Conv(w, b) ─► Relu ─────────────────► y
//
// After:    x ─► Q ─► DQ ──► Conv ───────────────► Q ─► DQ ──────► y
//                    w_int8 ─► DQ ┘│
//                    b_int32 ─► DQ ┘
//
// Q and DQ are QuantizeLinear and DequantizeLinear. The operators between them keep their float form; a
// runtime with integer kernels fuses DQ -> operator -> Q into one of them, any other computes what the file
// says.
//
// Weights: symmetric int8, one scale an output channel (needs opset 13; one scale in all before). Biases:
// int32 in units of input scale times weight scale, exactly, as ONNX Runtime fuses only then. Activations:
// one scale a tensor, from calibration. A Relu or Clip between its operator and Q goes: with a range that
// ends where the clamp does, saturation does its work; one that cuts more stays. Operators that only move
// elements (MaxPool, Reshape, Slice, …) have the same scale on both sides, and so have the inputs and the
// output of a Concat where no clamp suffers from it. A result that only float operators read stays float.
// What is new has short names (q, dq, scale s, zero point z, with a number), as each name stands in the file
// three times and more; what stands for a weight has the weight's.
//
// Activations of 16 bits need opset 21; where a model cannot be raised to it, their pairs are those of ONNX
// Runtime's own domain, com.microsoft.
//
// It pays with a quarter of the size and integer arithmetic. Formulas: numeric/quantization.h; where scales
// go: placement.h.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "passes/declarations.h"
#include "passes/quantize/narrow_weights.h"
#include "passes/quantize/opset.h"
#include "passes/quantize/packed_integers.h"
#include "passes/quantize/placement.h"
#include "press/ops/linear_layer.h"
#include "press/ops/operator.h"
#include "press/passes/quantize.h"
#include "press/passes/recover.h"

namespace press {
namespace {

using quantize::LinearUnit;
using quantize::Observed;
using quantize::Placement;

constexpr std::int64_t kPerTensorOpset = 10;
/// From this many channels on, a Mul of input scale and weight scales takes fewer bytes than its product.
constexpr std::int64_t kSmallestComputedScale = 16;
constexpr int kLargestInt4 = 7;
constexpr int kWideBits = 8;
constexpr const char* kContributed = "com.microsoft";

/// Calls `visit` with a number of the integer type: uint8, int8, uint16, int16.
template <typename Visit>
Tensor with_integer(DataType type, const Visit& visit) {
  switch (type) {
    case DataType::kUint8:
      return visit(std::uint8_t{});
    case DataType::kUint16:
      return visit(std::uint16_t{});
    case DataType::kInt16:
      return visit(std::int16_t{});
    default:
      return visit(std::int8_t{});
  }
}

/// The node that shows that a model is quantized already; null where there is none.
const Node* quantized_node(const Graph& graph) {
  for (const Node* node : graph.nodes()) {
    const std::string& type = node->op_type();
    if (type == "QuantizeLinear" || type == "DequantizeLinear" || type == "DynamicQuantizeLinear" ||
        type.starts_with("QLinear") || type.ends_with("Integer")) {
      return node;
    }
  }
  return nullptr;
}

/// Values that share one scale: union-find over the activations.
class ScaleGroups {
 public:
  struct Group {
    Range range;
    Range limit{-std::numeric_limits<float>::infinity(), std::numeric_limits<float>::infinity()};
  };

  void add(const Value* value, Group group) {
    slots_.emplace(value, parents_.size());
    parents_.push_back(parents_.size());
    groups_.push_back(group);
  }

  std::size_t find(const Value* value) {
    std::size_t slot = slots_.at(value);
    while (parents_[slot] != slot) slot = parents_[slot] = parents_[parents_[slot]];
    return slot;
  }

  const Group& at(std::size_t slot) const { return groups_[slot]; }

  void join(const Value* a, const Value* b) {
    const std::size_t first = find(a);
    const std::size_t second = find(b);
    if (first == second) return;
    groups_[first] = united(groups_[first], groups_[second]);
    parents_[second] = first;
  }

  /// Joins all of them where the common range stays inside the limits of each.
  void join_inside_limits(const std::vector<Value*>& values) {
    Group common = groups_[find(values.front())];
    for (const Value* value : values) common = united(common, groups_[find(value)]);
    if (common.range.lo < common.limit.lo || common.range.hi > common.limit.hi) return;
    for (const Value* value : values) join(values.front(), value);
  }

 private:
  static Group united(const Group& a, const Group& b) {
    return {{std::min(a.range.lo, b.range.lo), std::max(a.range.hi, b.range.hi)},
            {std::max(a.limit.lo, b.limit.lo), std::min(a.limit.hi, b.limit.hi)}};
  }

  std::unordered_map<const Value*, std::size_t> slots_;
  std::vector<std::size_t> parents_;
  std::vector<Group> groups_;
};

/// Writes the plan into the graph.
class Rewriter {
 public:
  /// `grids`: integers that weights were rounded to already; may be null.
  Rewriter(Graph& graph, const QuantizeOptions& options, bool per_channel,
           const quantize::Observations& observations, const WeightGrids* grids)
      : graph_(graph),
        options_(options),
        per_channel_(per_channel),
        observations_(observations),
        grids_(grids),
        pair_domain_(options.activation_bits > kWideBits && graph.opset() < kOpsetOf16Bits ? kContributed
                                                                                           : "") {}

  /// Activations alone.
  Status simulate(const Placement& placement) {
    PRESS_TRY(choose_scales(placement));
    for (Value* value : placement.activations) insert_pair(value);
    return {};
  }

  Status run(const Placement& placement) {
    PRESS_TRY(choose_scales(placement));
    // Weights first: they need to see which value an operator reads before its quantized stand-in takes the
    // place.
    for (const LinearUnit& unit : placement.linear) quantize_linear(unit);
    for (Value* constant : placement.constants) quantize_operand(constant, placement.others);
    for (Value* value : placement.activations) drop_clamp(insert_pair(value));
    // A constant that nobody reads any more leaves its name to what stands for it.
    for (const auto& [constant, dequantized] : replaced_) {
      const std::string name = constant->name();
      graph_.erase(constant);
      dequantized->set_name(name);
    }
    return {};
  }

  std::size_t raised_scales() const { return raised_; }
  /// Layers whose products do not fit 16 bits in pairs.
  const std::vector<std::string>& saturating() const { return saturating_; }

 private:
  Status choose_scales(const Placement& placement) {
    ScaleGroups groups;
    for (Value* value : placement.activations) {
      const std::optional<Observed> seen = observations_(*value);
      ScaleGroups::Group group{.range = {std::min(seen->range.lo, 0.0F), std::max(seen->range.hi, 0.0F)}};
      if (const auto limit = placement.limits.find(value); limit != placement.limits.end())
        group.limit = limit->second;
      groups.add(value, group);
    }
    for (Value* constant : placement.constants) {
      Range range;
      for (const float element : constant->constant()->data<float>()) {
        range = {std::min(range.lo, element), std::max(range.hi, element)};
      }
      groups.add(constant, {.range = range});
    }
    for (const auto& [from, to] : placement.ties) groups.join(from, to);
    for (const Node* concat : placement.concats) {
      std::vector<Value*> values = concat->inputs();
      values.push_back(concat->output());
      groups.join_inside_limits(values);
    }
    for (const std::vector<Value*>* values : {&placement.activations, &placement.constants}) {
      for (const Value* value : *values) {
        const ScaleGroups::Group& group = groups.at(groups.find(value));
        auto params = choose_params_within(group.range, group.limit, options_.activation_type());
        if (!params.ok())
          return std::move(params).error().with_context(fmt::format("value '{}'", value->name()));
        params_.emplace(value, *params);
      }
    }
    return {};
  }

  // -- weights and biases
  // ----------------------------------------------------------------------------------------

  struct Quantized {
    std::vector<float> scales;
    Value* scale;
    Value* dequantized;
  };

  void quantize_linear(const LinearUnit& unit) {
    Node* node = unit.node;
    Value* weight = node->input(unit.weight_index);
    const float input_scale = params_.at(node->input(0)).scale;
    const bool per_channel = per_channel_ && unit.axis.has_value();
    const int axis = per_channel ? *unit.axis : -1;
    const ChannelLayout layout = per_channel ? unit.layout : ChannelLayout{1, 1, weight->constant()->size()};

    const Tensor weights = *weight->constant();
    const WeightGrid* grid = per_channel && grids_ != nullptr ? find_grid(weight->name()) : nullptr;
    std::vector<float> scales =
        grid != nullptr ? grid->scales : quantize::product_scales(weights.data<float>(), layout, options_);
    Value* bias = unit.bias_node != nullptr ? unit.bias_node->input(unit.bias_index) : nullptr;
    if (bias != nullptr) raised_ += fit_scales_to_bias(bias->constant()->data<float>(), input_scale, scales);

    // One int8 tensor for all operators that share the weight, as long as they need the same scales.
    std::vector<Quantized>& copies = weights_[{weight, axis}];
    auto copy = std::ranges::find(copies, scales, &Quantized::scales);
    if (copy == copies.end()) {
      const std::vector<std::int8_t> integers = quantize_weights(weights.data<float>(), layout, scales);
      if (saturates(*node, *weight, integers)) saturating_.push_back(node->label());
      Value* scale = add_scales(scales, per_channel);
      Value* stored = add_integers(weights.dims(), integers, grid, node);
      Value* dequantized = add_dequantize(stored, scale, axis, node);
      // The standard lets a zero point of 0 be left out, but ONNX Runtime fuses matrix products only with it.
      if (!node->is("Conv")) {
        graph_.set_input(dequantized->producer(), 2, weight_zero_point(scale->constant()->dims()));
      }
      copies.push_back({scales, scale, dequantized});
      copy = std::prev(copies.end());
    }
    replace_input(node, unit.weight_index, copy->dequantized);

    if (bias == nullptr) return;
    const Tensor reals = *bias->constant();
    // One dim, along which the scales lie: a Gemm's bias may have two in the file.
    Value* integers = graph_.add_constant(
        Tensor::of({reals.size()}, quantize_bias(reals.data<float>(), input_scale, scales)),
        graph_.fresh_name("q"));
    Value* unit_of_bias = nullptr;
    if (copy->scale->constant()->size() < kSmallestComputedScale) {
      unit_of_bias = add_scales(bias_scales(input_scale, scales), per_channel);
    } else {
      Value* input_unit = scalar_scale(input_scale);
      unit_of_bias = graph_
                         .add_node({.op_type = "Mul",
                                    .inputs = {copy->scale, input_unit},
                                    .outputs = {graph_.fresh_name("s")}},
                                   unit.bias_node)
                         ->output();
    }
    Value* dequantized = add_dequantize(integers, unit_of_bias, per_channel ? 0 : -1, unit.bias_node);
    graph_.set_input(unit.bias_node, unit.bias_index, dequantized);
    if (bias->uses().empty()) graph_.erase(bias);
  }

  /// Kernels walk along the inputs of a product, and along the channels of a convolution.
  bool saturates(const Node& node, const Value& weight, const std::vector<std::int8_t>& integers) const {
    const std::optional<LinearLayer> layer = linear_layer(node);
    if (options_.activation_type() != DataType::kUint8 || !layer.has_value()) return false;
    const Dims& dims = weight.constant()->dims();
    const bool conv = node.is("Conv");
    const auto channels = static_cast<std::size_t>(conv ? dims[1] : layer->inputs);
    const std::size_t places = conv ? static_cast<std::size_t>(layer->inputs) / channels : 1;
    const auto height = static_cast<std::size_t>(layer->outputs);
    std::vector<std::int8_t> rows(integers.size());
    for (std::size_t i = 0; i < integers.size(); ++i) {
      const std::size_t row = layer->weight_transposed ? i % height : i / (channels * places);
      const std::size_t channel = layer->weight_transposed ? i / height : i / places % channels;
      rows[(row * places + i % places) * channels + channel] = integers[i];
    }
    return quantize::can_saturate(rows, channels);
  }

  Value* add_scales(const std::vector<float>& scales, bool per_channel) {
    if (!per_channel) return scalar_scale(scales[0]);
    const auto channels = static_cast<std::int64_t>(scales.size());
    return graph_.add_constant(Tensor::of({channels}, scales), graph_.fresh_name("s"));
  }

  const WeightGrid* find_grid(const std::string& weight) const {
    const auto found = grids_->find(weight);
    return found != grids_->end() ? &found->second : nullptr;
  }

  /// int8; where 4 bits hold them, an int4 constant behind a Cast, which runtimes compute while they load: so
  /// integer kernels still find int8.
  Value* add_integers(const Dims& dims, const std::vector<std::int8_t>& integers, const WeightGrid* grid,
                      Node* before) {
    const std::string name = graph_.fresh_name("q");
    if (grid == nullptr || grid->limits.hi > kLargestInt4 || graph_.opset() < kOpsetOf4Bits)
      return graph_.add_constant(Tensor::of(dims, integers), name);
    const std::vector<std::int32_t> wide(integers.begin(), integers.end());
    return graph_
        .add_node({.op_type = "Cast",
                   .inputs = {graph_.add_constant(packed_integers(DataType::kInt4, dims, wide), name)},
                   .outputs = {graph_.fresh_name("q")},
                   .attributes = {{"to", static_cast<std::int64_t>(DataType::kInt8), {}}}},
                  before)
        ->output();
  }

  /// A DequantizeLinear; axis < 0: one scale in all.
  Value* add_dequantize(Value* integers, Value* scale, int axis, Node* before) {
    NodeSpec spec{
        .op_type = "DequantizeLinear", .inputs = {integers, scale}, .outputs = {graph_.fresh_name("dq")}};
    if (axis >= 0 && axis != 1) spec.attributes.push_back({"axis", std::int64_t{axis}, {}});
    return graph_.add_node(std::move(spec), before)->output();
  }

  void replace_input(Node* node, std::size_t index, Value* value) {
    Value* old = node->input(index);
    graph_.set_input(node, index, value);
    if (old->uses().empty()) replaced_.emplace_back(old, value);
  }

  // -- activations
  // -----------------------------------------------------------------------------------------------

  Node* insert_pair(Value* value) {
    const QuantParams& params = params_.at(value);
    Node* before = value->producer() != nullptr ? value->producer()->next() : *graph_.nodes().begin();
    Value* scale = scalar_scale(params.scale);
    Value* zero_point = scalar_zero_point(params);
    Node* quantize = graph_.add_node({.op_type = "QuantizeLinear",
                                      .inputs = {value, scale, zero_point},
                                      .outputs = {graph_.fresh_name("q")},
                                      .domain = pair_domain_},
                                     before);
    const Node* dequantize = graph_.add_node({.op_type = "DequantizeLinear",
                                              .inputs = {quantize->output(), scale, zero_point},
                                              .outputs = {graph_.fresh_name("dq")},
                                              .domain = pair_domain_},
                                             before);
    graph_.replace_all_uses(value, dequantize->output());
    graph_.set_input(quantize, 0, value);
    return quantize;
  }

  /// Takes out a Relu or Clip whose bounds the integers do not reach: saturation does its work.
  void drop_clamp(Node* quantize) {
    Value* clamped = quantize->input(0);
    Node* clamp = clamped->producer();
    if (clamp == nullptr || traits(*clamp).passage != Passage::kClamp || !clamped->has_one_use() ||
        graph_.is_output(clamped))
      return;
    const std::optional<Range> bounds = quantize::clamp_bounds(*clamp);
    const Range reach = params_.at(clamped).reach();
    if (!bounds.has_value() || reach.lo < bounds->lo || reach.hi > bounds->hi) return;
    graph_.set_input(quantize, 0, clamp->input(0));
    graph_.erase(clamp);
  }

  void quantize_operand(Value* constant, const std::vector<Node*>& users) {
    const QuantParams& params = params_.at(constant);
    const Tensor reals = *constant->constant();
    Value* dequantized = nullptr;
    for (Node* user : users) {
      for (std::size_t i = 0; i < user->input_count(); ++i) {
        if (user->input(i) != constant) continue;
        if (dequantized == nullptr) {
          dequantized =
              graph_
                  .add_node(
                      {.op_type = "DequantizeLinear",
                       .inputs = {graph_.add_constant(integers_of(reals, params), graph_.fresh_name("q")),
                                  scalar_scale(params.scale), scalar_zero_point(params)},
                       .outputs = {graph_.fresh_name("dq")},
                       .domain = pair_domain_},
                      user)
                  ->output();
        }
        replace_input(user, i, dequantized);
      }
    }
  }

  static Tensor integers_of(const Tensor& reals, const QuantParams& params) {
    return with_integer(params.type, [&]<typename T>(T) {
      std::vector<T> values;
      for (const float real : reals.data<float>()) values.push_back(static_cast<T>(params.quantize(real)));
      return Tensor::of(reals.dims(), values);
    });
  }

  // -- scales and zero points, shared where they are equal
  // -------------------------------------------------------

  Value* scalar_scale(float scale) {
    Value*& shared = scales_[std::bit_cast<std::uint32_t>(scale)];
    if (shared == nullptr) shared = graph_.add_constant(Tensor::scalar(scale), graph_.fresh_name("s"));
    return shared;
  }

  Value* scalar_zero_point(const QuantParams& params) {
    Value*& shared = zero_points_[params.zero_point];
    if (shared == nullptr) {
      const Tensor tensor = with_integer(
          params.type, [&]<typename T>(T) { return Tensor::scalar(static_cast<T>(params.zero_point)); });
      shared = graph_.add_constant(tensor, graph_.fresh_name("z"));
    }
    return shared;
  }

  /// int8 zeros.
  Value* weight_zero_point(const Dims& dims) {
    Value*& shared = weight_zero_points_[dims];
    if (shared == nullptr) {
      const std::vector<std::int8_t> zeros(dims.empty() ? 1 : static_cast<std::size_t>(dims[0]));
      shared = graph_.add_constant(Tensor::of(dims, zeros), graph_.fresh_name("z"));
    }
    return shared;
  }

  Graph& graph_;
  const QuantizeOptions& options_;
  bool per_channel_;
  const quantize::Observations& observations_;
  const WeightGrids* grids_;
  std::string pair_domain_;  // of the operators around activations
  std::unordered_map<const Value*, QuantParams> params_;
  std::map<std::pair<const Value*, int>, std::vector<Quantized>> weights_;
  std::unordered_map<std::uint32_t, Value*> scales_;
  std::unordered_map<std::int32_t, Value*> zero_points_;
  std::map<Dims, Value*> weight_zero_points_;
  std::vector<std::pair<Value*, Value*>> replaced_;
  std::size_t raised_ = 0;
  std::vector<std::string> saturating_;
};

/// The ranges of a calibration table, as the options' observer sees them. Errors (kUsage): the table was
/// gathered for another observer.
Result<quantize::Observations> observations_of(const PassContext& context) {
  const ObserverOptions observer{context.quantize.observer, context.quantize.percentile};
  const ObserverInfo& observer_info = info(context.quantize.observer);
  for (const auto& [value, histogram] : *context.calibration) {
    if (observer_info.detail == Histogram::Detail::kBins && histogram.count() > 0 &&
        histogram.bins().empty()) {
      return Error(
          ErrorCode::kUsage,
          fmt::format("the calibration table holds only extremes of '{}', the observer '{}' needs more; "
                      "calibrate again with this observer",
                      value, observer_info.name));
    }
  }
  // Each range once: observers that search take milliseconds.
  std::unordered_map<std::string, Observed> ranges;
  for (const auto& [value, histogram] : *context.calibration) {
    if (histogram.count() > 0) {
      ranges.emplace(value, Observed{histogram.min_max(), observer_info.range(histogram, observer)});
    }
  }
  return quantize::Observations([ranges = std::move(ranges)](const Value& value) -> std::optional<Observed> {
    const auto found = ranges.find(value.name());
    return found != ranges.end() ? std::optional(found->second) : std::nullopt;
  });
}

}  // namespace

Result<std::vector<const Value*>> values_to_calibrate(const Model& model, const QuantizeOptions& options) {
  if (quantized_node(*model.graph) != nullptr) return std::vector<const Value*>();
  PRESS_ASSIGN(const NodeMatcher selected, NodeMatcher::compile(options.nodes));
  PRESS_ASSIGN(const Placement placement, quantize::place(*model.graph, selected, {}));
  return std::vector<const Value*>(placement.activations.begin(), placement.activations.end());
}

Result<std::vector<LayerTask>> layers_to_quantize(const Model& model, const QuantizeOptions& options) {
  std::vector<LayerTask> tasks;
  if (!options.per_channel || model.graph->opset() < kUpgradedOpset ||
      quantized_node(*model.graph) != nullptr)
    return tasks;
  PRESS_ASSIGN(const NodeMatcher selected, NodeMatcher::compile(options.nodes));
  PRESS_ASSIGN(const Placement placement, quantize::place(*model.graph, selected, {}));
  for (const LinearUnit& unit : placement.linear) {
    const bool own_weight = unit.node->input(unit.weight_index)->has_one_use();
    if (unit.axis.has_value() && own_weight && linear_layer(*unit.node).has_value())
      tasks.push_back({unit.node, quantize::product_grid(options)});
  }
  if (options.weight_bits >= kWideBits) return tasks;
  const std::int32_t largest = (1 << (options.weight_bits - 1)) - 1;
  for (LayerTask& task : tasks) {
    const bool at_the_ends = &task == &tasks.front() || &task == &tasks.back();
    const bool wide =
        at_the_ends || std::ranges::find(options.wide, selection_name(*task.node)) != options.wide.end();
    if (!wide) task.grid = {-largest - 1, largest, true};
  }
  return tasks;
}

Status simulate_activations(Model& model, const PassContext& context) {
  PRESS_ASSIGN(const NodeMatcher selected, NodeMatcher::compile(context.quantize.nodes));
  PRESS_ASSIGN(const quantize::Observations observations, observations_of(context));
  PRESS_ASSIGN(const Placement placement, quantize::place(*model.graph, selected, observations));
  return Rewriter(*model.graph, context.quantize, true, observations, nullptr).simulate(placement);
}

namespace passes {

Result<PassOutcome> quantize_static(Model& model, const PassContext& context) {
  PassOutcome outcome;
  const QuantizeOptions& options = context.quantize;
  if (context.calibration == nullptr) {
    return Error(ErrorCode::kUsage,
                 "quantize_static needs calibration; give images to calibrate on, or a table");
  }
  if (const Node* node = quantized_node(*model.graph)) {
    outcome.declined.push_back({node->label(), "the model is quantized already"});
    return outcome;
  }
  PRESS_ASSIGN(const NodeMatcher selected, NodeMatcher::compile(options.nodes));
  PRESS_ASSIGN(const quantize::Observations observations, observations_of(context));
  PRESS_ASSIGN(Placement placement, quantize::place(*model.graph, selected, observations));
  outcome.declined = placement.declined;
  if (placement.activations.empty()) return outcome;

  const std::int64_t opset = model.graph->opset();
  if (opset < kUpgradedOpset) {
    const std::vector<Declined> obstacles = obstacles_to_opset(model);
    if (obstacles.empty()) {
      raise_opset(model);
      outcome.notes.push_back(fmt::format("opset raised from {} to {}", opset, kUpgradedOpset));
      // Adapters may have replaced inputs; look again.
      PRESS_ASSIGN(placement, quantize::place(*model.graph, selected, observations));
    } else if (opset < kPerTensorOpset) {
      return Error(ErrorCode::kUnsupported,
                   fmt::format("int8 needs opset {}, the model has {} and cannot be raised: node {}: {}",
                               kPerTensorOpset, opset, obstacles.front().node, obstacles.front().reason));
    } else {
      outcome.notes.push_back(
          fmt::format("one scale a weight instead of one a channel, as the model stays at opset {}: "
                      "node {}: {}",
                      opset, obstacles.front().node, obstacles.front().reason));
    }
  }
  const bool per_channel = options.per_channel && model.graph->opset() >= kUpgradedOpset;
  const bool small_weights = options.weight_bits < kWideBits && context.grids != nullptr;
  const bool wide_activations = options.activation_bits > kWideBits;
  static_assert(kOpsetOf16Bits == kOpsetOf4Bits);
  if ((small_weights || wide_activations) && model.graph->opset() < kOpsetOf4Bits) {
    const std::vector<Declined> obstacles = obstacles_to_newer_opset(model, kOpsetOf4Bits);
    if (obstacles.empty()) {
      declare_newer_opset(model, kOpsetOf4Bits);
      outcome.notes.push_back(fmt::format("opset raised to {}", kOpsetOf4Bits));
    } else {
      const std::string_view instead =
          small_weights ? "weights are stored as int8" : "QuantizeLinear is that of com.microsoft";
      outcome.notes.push_back(fmt::format("{}, as the model stays below opset {}: node {}: {}", instead,
                                          kOpsetOf4Bits, obstacles.front().node, obstacles.front().reason));
      if (wide_activations && model.graph->opset(kContributed) == 0) model.graph->set_opset(kContributed, 1);
    }
  }
  Rewriter rewriter(*model.graph, options, per_channel, observations, context.grids);
  PRESS_TRY(rewriter.run(placement));
  outcome.rewrites = placement.linear.size() + placement.others.size();
  if (rewriter.raised_scales() > 0) {
    outcome.notes.push_back(
        fmt::format("{} channels have weights near 0 beside their bias and are left with the bias",
                    rewriter.raised_scales()));
  }
  if (const std::vector<std::string>& layers = rewriter.saturating(); !layers.empty()) {
    constexpr std::size_t kNamed = 16;
    outcome.notes.push_back(fmt::format(
        "{} layers may saturate on x86 CPUs without VNNI (--target onnxruntime-x86-avx2 gives weights 7 "
        "bits): "
        "{}{}",
        layers.size(),
        fmt::join(layers.begin(),
                  layers.begin() + static_cast<std::ptrdiff_t>(std::min(kNamed, layers.size())), ", "),
        layers.size() > kNamed ? ", …" : ""));
  }
  const auto left = std::ranges::count_if(model.graph->nodes_snapshot(),
                                          [](const Node* node) { return node->is("BatchNormalization"); });
  if (left > 0) {
    outcome.notes.push_back(
        fmt::format("{} BatchNormalization nodes stay in float; fuse_conv_batchnorm folds them where "
                    "a Conv or Gemm stands before",
                    left));
  }
  return outcome;
}

}  // namespace passes
}  // namespace press
