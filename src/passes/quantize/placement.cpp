#include "passes/quantize/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <unordered_set>

#include "press/ops/operator.h"
#include "press/support/mapped_file.h"

namespace press::quantize {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::size_t kReleasedBytes = std::size_t{1} << 20;

bool is_float_constant(const Value* value) {
  return value != nullptr && value->constant() != nullptr && value->constant()->type() == DataType::kFloat;
}

/// Makes the plan in two steps: what each operator could be by itself, then, until nothing changes, which
/// values are worth a scale given their neighbours.
class Planner {
 public:
  Planner(const Graph& graph, const NodeMatcher& selected, const Observations& observations)
      : graph_(graph), selected_(selected), observations_(observations) {}

  Result<Placement> run() {
    for (Node* node : graph_.nodes()) PRESS_TRY(classify(node));
    find_wanted();
    while (mark_once()) {
    }
    collect();
    return std::move(placement_);
  }

 private:
  enum class Kind {
    kLinear,   // part of placement_.linear
    kElement,  // computes from quantized inputs
    kMove,     // passes elements of its first input on: one scale on both sides
    kClamp,    // a clamp on its own
  };

  void decline(const Node& node, std::string reason) {
    placement_.declined.push_back({node.label(), std::move(reason)});
  }

  bool observed(const Value& value) const { return !observations_ || observations_(value).has_value(); }

  Status classify(Node* node) {
    const OpTraits& operator_traits = traits(*node);
    if (!operator_traits.quantizable) {
      if (operator_traits.weight_input >= 0) decline(*node, "runtimes have no integer kernel for it");
      return {};
    }
    if (absorbed_.contains(node)) return {};
    if (operator_traits.weight_input >= 0) return classify_linear(node, operator_traits);
    if (!selected_.matches(*node) || node->output() == nullptr || node->input(0) == nullptr) return {};
    switch (operator_traits.passage) {
      case Passage::kSame:
        if (moves_elements(*node)) kinds_.emplace(node, Kind::kMove);
        return {};
      case Passage::kClamp:
        kinds_.emplace(node, Kind::kClamp);
        return {};
      case Passage::kNone:
        return classify_element(node);
    }
    return {};
  }

  Status classify_linear(Node* node, const OpTraits& operator_traits) {
    const auto weight_index = static_cast<std::size_t>(operator_traits.weight_input);
    Value* weight = constant_weight(*node);
    if (!selected_.matches(*node)) return (decline(*node, "not selected"), Status());
    if (weight == nullptr) return (decline(*node, "its weight is not constant"), Status());
    if (weight->constant()->type() != DataType::kFloat) {
      return (decline(*node, fmt::format("its weight is {}, not float32", name(weight->constant()->type()))),
              Status());
    }
    const Dims& dims = weight->constant()->dims();
    const std::optional<int> axis = weight_channel_axis(*node);
    if (!axis.has_value() || dims.size() < 2 || weight->constant()->size() == 0) {
      return (decline(*node, fmt::format("a weight of {} has no channels", to_string(dims))), Status());
    }
    LinearUnit unit{.node = node, .weight_index = weight_index};
    const auto channel_axis = static_cast<std::size_t>(*axis);
    const bool one_matrix = !node->is("MatMul") || dims.size() == 2;
    if (one_matrix) {
      for (std::size_t i = 0; i < dims.size(); ++i) {
        (i < channel_axis    ? unit.layout.outer
         : i == channel_axis ? unit.layout.channels
                             : unit.layout.inner) *= dims[i];
      }
      unit.axis = *axis;
    } else {
      unit.layout.inner = weight->constant()->size();
    }
    if (node->is("Gemm") &&
        (node->float_attribute("alpha", 1) != 1 || node->int_attribute("transA", 0) != 0 ||
         (node->input(2) != nullptr && node->float_attribute("beta", 1) != 1))) {
      return (decline(*node, "alpha or beta is not 1, or the input is transposed"), Status());
    }
    const Value* input = node->input(0);
    if (input == nullptr || input->is_constant()) return (decline(*node, "its input is constant"), Status());

    unit.output = node->output();
    if (const int bias = operator_traits.bias_input;
        bias >= 0 && node->input(static_cast<std::size_t>(bias)) != nullptr) {
      unit.bias_node = node;
      unit.bias_index = static_cast<std::size_t>(bias);
      const Value* value = node->input(unit.bias_index);
      const bool along_rows = is_float_constant(value) && value->constant()->dims().size() > 1 &&
                              value->constant()->dims().back() != unit.layout.channels;
      if (!is_float_constant(value) || value->constant()->size() != unit.layout.channels || along_rows) {
        return (decline(*node, "its bias is not a constant with one element a channel"), Status());
      }
    } else if (one_matrix) {
      absorb_bias(unit);
    }
    absorb_clamp(unit.output);
    for (const Value* value : {input, static_cast<const Value*>(unit.output)}) {
      const bool needed = value == input || !hands_out_floats(*node);
      if (needed && !observed(*value)) {
        return (decline(*node, fmt::format("there is no calibration data of '{}'", value->name())), Status());
      }
    }
    PRESS_TRY(check_finite(*weight, *node, "weight"));
    if (unit.bias_node != nullptr)
      PRESS_TRY(check_finite(*unit.bias_node->input(unit.bias_index), *node, "bias"));
    kinds_.emplace(node, Kind::kLinear);
    placement_.linear.push_back(unit);
    return {};
  }

  /// Runtimes let a matrix product hand out its accumulator as float; a convolution must be rounded.
  static bool hands_out_floats(const Node& node) { return node.is("Gemm") || node.is("MatMul"); }

  /// MatMul -> Add(constant of one element a channel): the Add is the MatMul's bias.
  void absorb_bias(LinearUnit& unit) {
    Node* add = only_user(*unit.output);
    if (add == nullptr || !add->is("Add")) return;
    const std::size_t index = add->input(0) == unit.output ? 1 : 0;
    const Value* bias = add->input(index);
    if (!is_float_constant(bias) || bias->constant()->dims() != Dims{unit.layout.channels}) return;
    unit.bias_node = add;
    unit.bias_index = index;
    absorbed_.insert(add);
    unit.output = add->output();
  }

  /// A clamp that is the only user of `output` joins the unit; `output` becomes the clamp's.
  void absorb_clamp(Value*& output) {
    Node* clamp = only_user(*output);
    if (clamp == nullptr || traits(*clamp).passage != Passage::kClamp || clamp->input(0) != output) return;
    const std::optional<Range> bounds = clamp_bounds(*clamp);
    if (!bounds.has_value() || !(bounds->lo <= 0 && bounds->hi >= 0)) return;
    absorbed_.insert(clamp);
    output = clamp->output();
    placement_.limits.emplace(output, *bounds);
  }

  static Node* only_user(const Value& value) {
    Node* user = value.has_one_use() ? value.uses()[0].node : nullptr;
    return user != nullptr && user->graph() == value.graph() ? user : nullptr;
  }

  Status classify_element(Node* node) {
    std::size_t activations = 0;
    for (const Value* input : node->inputs()) {
      if (input == nullptr) return {};
      if (input->is_constant()) {
        if (!is_float_constant(input)) return {};
        PRESS_TRY(check_finite(*input, *node, "operand"));
      } else if (observed(*input)) {
        ++activations;
      } else {
        return {};
      }
    }
    Value* output = node->output();
    absorb_clamp(output);
    if (activations == 0 || !observed(*output)) return {};
    kinds_.emplace(node, Kind::kElement);
    outputs_.emplace(node, output);
    if (activations >= 2) several_.insert(node);
    return {};
  }

  /// True where the outputs were seen to hold nothing but what the input holds, or 0 (a Pad may bring other
  /// values).
  bool moves_elements(const Node& node) const {
    if (node.input(0)->is_constant()) return false;
    if (!observations_) return true;
    const std::optional<Observed> input = observations_(*node.input(0));
    if (!input.has_value()) return false;
    for (const Value* output : node.outputs()) {
      if (output == nullptr) continue;
      const std::optional<Observed> seen = observations_(*output);
      if (!seen.has_value() || seen->extremes.lo < std::min(input->extremes.lo, 0.0F) ||
          seen->extremes.hi > std::max(input->extremes.hi, 0.0F)) {
        return false;
      }
    }
    return true;
  }

  /// The value behind the whole unit of a node.
  Value* output_of(const Node* node) const {
    const auto found = outputs_.find(node);
    return found != outputs_.end() ? found->second : node->output();
  }

  /// wanted_ holds the values for which somebody downstream computes on integers: there is no point in
  /// rounding a network's result, or what a Softmax reads, to 8 bits.
  void find_wanted() {
    const std::vector<Node*> nodes = graph_.nodes_snapshot();
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
      const auto kind = kinds_.find(*node);
      if (kind == kinds_.end()) continue;
      switch (kind->second) {
        case Kind::kLinear:
          wanted_.insert((*node)->input(0));
          break;
        case Kind::kElement:
          if (!several_.contains(*node) && !wanted_.contains(output_of(*node))) break;
          for (const Value* input : (*node)->inputs()) wanted_.insert(input);
          break;
        case Kind::kMove:
        case Kind::kClamp:
          if (std::ranges::any_of((*node)->outputs(), [&](const Value* v) { return wanted_.contains(v); })) {
            wanted_.insert((*node)->input(0));
          }
          break;
      }
    }
  }

  bool mark_once() {
    const std::size_t before = marked_.size();
    for (const LinearUnit& unit : placement_.linear) {
      marked_.insert(unit.node->input(0));
      const bool rounded = wanted_.contains(unit.output) && observed(*unit.output);
      if (rounded || !hands_out_floats(*unit.node)) marked_.insert(unit.output);
    }
    for (Node* node : graph_.nodes()) {
      const auto kind = kinds_.find(node);
      if (kind == kinds_.end()) continue;
      if (kind->second == Kind::kElement) {
        const bool fed =
            std::ranges::any_of(node->inputs(), [&](const Value* v) { return marked_.contains(v); });
        if (!fed || !(several_.contains(node) || wanted_.contains(output_of(node)))) continue;
        for (const Value* input : node->inputs()) marked_.insert(input);
        marked_.insert(output_of(node));
      } else if (kind->second != Kind::kLinear) {
        const bool moves = kind->second == Kind::kMove;
        for (const Value* output : node->outputs()) {
          if (output == nullptr) continue;
          if (marked_.contains(node->input(0)) && wanted_.contains(output) && observed(*output))
            marked_.insert(output);
          if (moves && marked_.contains(output)) marked_.insert(node->input(0));
        }
      }
    }
    return marked_.size() != before;
  }

  void collect() {
    for (Value* value : graph_.values()) {
      if (marked_.contains(value))
        (value->is_constant() ? placement_.constants : placement_.activations).push_back(value);
    }
    const auto marked = [this](const Value* value) { return marked_.contains(value); };
    for (Node* node : graph_.nodes()) {
      const auto kind = kinds_.find(node);
      if (kind == kinds_.end() || kind->second == Kind::kLinear || !marked(node->input(0))) continue;
      if (kind->second == Kind::kElement && !std::ranges::all_of(node->inputs(), marked)) continue;
      if (!std::ranges::any_of(node->outputs(), marked) && !marked(output_of(node))) continue;
      placement_.others.push_back(node);
      if (node->is("Concat")) placement_.concats.push_back(node);
      if (kind->second != Kind::kMove) continue;
      for (Value* output : node->outputs()) {
        if (marked(output)) placement_.ties.emplace_back(node->input(0), output);
      }
    }
  }

  const Graph& graph_;
  const NodeMatcher& selected_;
  const Observations& observations_;
  Placement placement_;
  std::unordered_map<const Node*, Kind> kinds_;
  std::unordered_map<const Node*, Value*> outputs_;  // of units that end in another operator's output
  std::unordered_set<const Node*> absorbed_;         // biases and clamps that belong to a unit
  std::unordered_set<const Node*> several_;          // elementwise operators with two activations and more
  std::unordered_set<const Value*> wanted_;
  std::unordered_set<const Value*> marked_;
};

}  // namespace

std::optional<Range> clamp_bounds(const Node& node) {
  if (node.is("Relu")) return Range{0, kInfinity};
  Range bounds{-kInfinity, kInfinity};
  if (node.graph()->opset() < 11) {
    bounds.lo = node.float_attribute("min", bounds.lo);
    bounds.hi = node.float_attribute("max", bounds.hi);
    return bounds;
  }
  for (const std::size_t index : {1U, 2U}) {
    const Value* bound = node.input(index);
    if (bound == nullptr) continue;
    const Tensor* tensor = bound->constant();
    if (tensor == nullptr || tensor->type() != DataType::kFloat || tensor->size() != 1) return std::nullopt;
    (index == 1 ? bounds.lo : bounds.hi) = tensor->data<float>()[0];
  }
  return bounds;
}

/// Reads the bytes as they stand in the file: no aligned copy of the weights is made, pages are let go of.
Status check_finite(const Value& value, const Node& node, std::string_view what) {
  const std::span<const std::byte> bytes = value.constant()->bytes();
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(float)) {
    float element = 0;
    std::memcpy(&element, bytes.data() + at, sizeof(float));
    if (!std::isfinite(element)) {
      return Error(ErrorCode::kInput, fmt::format("node {}: {} '{}' holds {}; no integer stands for that",
                                                  node.label(), what, value.name(), element));
    }
  }
  if (bytes.size() > kReleasedBytes) MappedFile::release(bytes);
  return {};
}

Result<Placement> place(const Graph& graph, const NodeMatcher& selected, const Observations& observations) {
  return Planner(graph, selected, observations).run();
}

}  // namespace press::quantize
