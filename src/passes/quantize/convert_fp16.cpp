// Weights and computation in float16.
//
// Before:   x ─► Conv(w) ─► Relu ─► y                                      all float32
//
// After:    x ─► Cast ─► Conv(w) ─► Relu ─► Cast ─► y                      float16 between the Casts
//
// Every operator is either converted (its float32 inputs, outputs, constants and type attributes become
// float16) or kept; Casts stand where both meet, one for each value and direction. Kept are
//   - operators that the standard does not define on float16, and those that we do not know;
//   - control flow (the bodies of If, Loop and Scan are converted inside);
//   - operators with a constant that float16 cannot hold: over 65504, or so small that rounding costs more
//   than 2^-9 of it;
//   - operators around a value that calibration saw come near the largest float16;
//   - arithmetic on shapes, and numbers made of wide integers: float16 counts only to 2048;
//   - operators that the user excluded;
//   - data movement between kept operators, to save Casts.
//
// The graph's inputs and outputs stay float32 unless Fp16Options::keep_io says otherwise. It pays with half
// the size, and with twice the speed where there is hardware for it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "passes/declarations.h"
#include "passes/selection.h"
#include "press/ops/operator.h"
#include "press/passes/quantize.h"

namespace press {
namespace {

constexpr float kLargestHalf = 65504;
/// Calibration sees samples, not everything: half of the range is kept in reserve.
constexpr float kLargestSeen = kLargestHalf / 2;
/// Rounding to float16 costs 2^-12 of a normal number on average; eight times that and more is a loss of
/// meaning.
constexpr double kRoundingLimit = 0x1p-9;

/// Operators that we know and that do not take float16: in any version, or below the given one.
struct NotHalf {
  std::string_view type;
  std::int64_t until;
};
constexpr std::int64_t kNever = 1 << 20;
constexpr auto kNotHalf = std::to_array<NotHalf>({
    {"Affine", kNever},
    {"Celu", kNever},
    {"Crop", kNever},
    {"CumSum", 14},
    {"DequantizeLinear", kNever},
    {"DynamicQuantizeLinear", kNever},
    {"If", kNever},
    {"ImageScaler", kNever},
    {"IsInf", 20},
    {"Loop", kNever},
    {"NonMaxSuppression", kNever},
    {"QLinearConv", kNever},
    {"QLinearMatMul", kNever},
    {"QuantizeLinear", kNever},
    {"Range", kNever},
    {"RoiAlign", kNever},
    {"Scan", kNever},
});

bool takes_half(const Node& node) {
  if (!node.domain().empty() || find_operator(node) == nullptr) return false;
  const auto* found = std::ranges::find(kNotHalf, node.op_type(), &NotHalf::type);
  return found == kNotHalf.end() || node.graph()->opset() >= found->until;
}

/// Inputs that stay float32 beside float16 data: the scales of Resize and Upsample.
bool is_float32_input(const Node& node, std::size_t index) {
  if (node.is("Upsample")) return index == 1;
  return node.is("Resize") && index == (node.graph()->opset() < 11 ? 1U : 2U);
}

/// Reads the type of a tensor only.
bool reads_no_numbers(const Node& node) {
  return node.is("Shape") || node.is("Size");
}

/// What float16 would do to a constant; nullopt where it holds it.
std::optional<std::string> trouble_in_half(const Tensor& tensor) {
  double energy = 0;
  double loss = 0;
  for (const float element : tensor.data<float>()) {
    if (!std::isfinite(element)) continue;
    if (std::fabs(element) > kLargestHalf) return fmt::format("{} is beyond float16", element);
    const double difference = static_cast<double>(element) - to_float(to_float16(element));
    energy += static_cast<double>(element) * element;
    loss += difference * difference;
  }
  if (loss > energy * kRoundingLimit * kRoundingLimit) return "its numbers are too small for float16";
  return std::nullopt;
}

Tensor to_half(const Tensor& tensor) {
  auto half = Tensor::allocate(DataType::kFloat16, tensor.dims());
  if (!half.ok()) return {};
  const auto from = tensor.data<float>();
  const auto to = half->mutable_data<Float16>();
  std::ranges::transform(from, to.begin(), [](float element) { return to_float16(element); });
  return std::move(half).value();
}

class Converter {
 public:
  Converter(Model& model, const PassContext& context, const NodeMatcher& selected, ShapeTable types)
      : graph_(*model.graph), context_(context), selected_(selected), types_(std::move(types)) {}

  Status run(PassOutcome& outcome) {
    for_each_node(graph_, [&](Node* node) { nodes_.push_back(node); });
    find_shape_arithmetic();
    for (Node* node : nodes_) {
      if (!uses_float(*node)) continue;
      if (auto reason = reason_to_keep(*node)) {
        if (!reason->empty()) outcome.declined.push_back({node->label(), *std::move(reason)});
      } else {
        half_.insert(node);
      }
    }
    while (keep_movers()) {
    }
    if (half_.empty()) return {};
    outcome.rewrites = half_.size();
    return rewrite();
  }

 private:
  DataType type_of(const Value* value) const {
    if (value->tensor() != nullptr) return value->tensor()->type();
    const ValueFacts* known = types_.find(value);
    if (known != nullptr && known->type.element != DataType::kUndefined) return known->type.element;
    return value->type().element;
  }
  bool is_float(const Value* value) const { return value != nullptr && type_of(value) == DataType::kFloat; }

  bool uses_float(const Node& node) const {
    const auto is = [this](const Value* value) { return is_float(value); };
    return std::ranges::any_of(node.inputs(), is) || std::ranges::any_of(node.outputs(), is);
  }
  bool makes_float(const Node& node) const {
    return std::ranges::any_of(node.outputs(), [this](const Value* value) { return is_float(value); });
  }

  // -- what is kept
  // ----------------------------------------------------------------------------------------------

  /// Floats that are computed from shapes and constants alone and end as integers.
  void find_shape_arithmetic() {
    std::unordered_set<const Value*> data;
    for (const Node* node : nodes_) {
      const bool fed =
          !reads_no_numbers(*node) && std::ranges::any_of(node->inputs(), [&](const Value* value) {
            return value != nullptr && (value->is_graph_input() || data.contains(value));
          });
      const bool closed = node->subgraphs().empty() && traits(*node).pure;
      if (reads_no_numbers(*node) || (!fed && closed)) continue;
      for (const Value* output : node->outputs()) {
        if (output != nullptr) data.insert(output);
      }
    }
    for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
      if (std::ranges::any_of((*node)->outputs(), [&](const Value* value) { return data.contains(value); })) {
        // Data meets shape arithmetic only in inputs that stay float32.
        for (std::size_t i = 0; i < (*node)->input_count(); ++i) {
          if (is_float32_input(**node, i)) exact_.insert((*node)->input(i));
        }
        continue;
      }
      const bool to_integer = (*node)->is("Cast") && !makes_float(**node);
      const bool to_exact =
          std::ranges::any_of((*node)->outputs(), [&](const Value* v) { return exact_.contains(v); });
      if (!to_integer && !to_exact) continue;
      for (const Value* input : (*node)->inputs()) {
        if (is_float(input)) exact_.insert(input);
      }
    }
  }

  /// Nullopt: the node is converted. An empty text: it is kept, and nobody need be told.
  std::optional<std::string> reason_to_keep(const Node& node) const {
    const std::string quietly;
    if (!takes_half(node)) return quietly;
    if (!selected_.matches(node)) return "not selected";
    for (const Value* value : node.inputs()) {
      if (value != nullptr && type_of(value) == DataType::kUndefined) return quietly;
    }
    for (const Value* value : node.outputs()) {
      if (value == nullptr) continue;
      if (type_of(value) == DataType::kUndefined || (is_float(value) && exact_.contains(value)))
        return quietly;
    }
    if (reads_no_numbers(node)) return quietly;
    if (node.is("Cast")) {
      if (!makes_float(node)) return std::nullopt;
      const DataType from = type_of(node.input(0));
      const bool narrow = from == DataType::kFloat || from == DataType::kUint8 || from == DataType::kInt8 ||
                          from == DataType::kBool;
      return narrow ? std::nullopt : std::optional(quietly);
    }
    // Statistics in the outputs behind the first have a type of their own.
    if ((node.is("BatchNormalization") || node.is("LayerNormalization")) && node.output_count() > 1)
      return quietly;
    for (std::size_t i = 0; i < node.input_count(); ++i) {
      const Value* input = node.input(i);
      if (!is_float(input) || is_float32_input(node, i)) continue;
      if (const std::optional<Tensor> tensor = known_numbers(*input)) {
        if (auto trouble = trouble_in_half(*tensor))
          return fmt::format("constant '{}': {}", input->name(), *trouble);
      }
      if (auto trouble = trouble_in_range(*input)) return trouble;
    }
    for (const Value* output : node.outputs()) {
      if (!is_float(output)) continue;
      // The operators that read it tell of trouble.
      if (const std::optional<Tensor> tensor = known_numbers(*output); tensor && trouble_in_half(*tensor))
        return quietly;
      if (auto trouble = trouble_in_range(*output)) return trouble;
    }
    return std::nullopt;
  }

  /// Float32 numbers that stand in the graph as a constant, or as an attribute of Constant and
  /// ConstantOfShape.
  static std::optional<Tensor> known_numbers(const Value& value) {
    if (value.constant() != nullptr) return *value.constant();
    const Node* maker = value.producer();
    if (maker == nullptr || !(maker->is("Constant") || maker->is("ConstantOfShape"))) return std::nullopt;
    if (const Tensor* tensor = maker->tensor_attribute("value");
        tensor != nullptr && tensor->type() == DataType::kFloat) {
      return *tensor;
    }
    if (maker->has_attribute("value_float")) return Tensor::scalar(maker->float_attribute("value_float", 0));
    const std::vector<float> floats = maker->floats_attribute("value_floats");
    if (floats.empty()) return std::nullopt;
    return Tensor::of({static_cast<std::int64_t>(floats.size())}, floats);
  }

  std::optional<std::string> trouble_in_range(const Value& value) const {
    if (context_.calibration == nullptr) return std::nullopt;
    const auto found = context_.calibration->find(value.name());
    if (found == context_.calibration->end()) return std::nullopt;
    const Range range = found->second.min_max();
    const float largest = std::max(std::fabs(range.lo), std::fabs(range.hi));
    if (largest <= kLargestSeen) return std::nullopt;
    return fmt::format("'{}' reached {}, float16 ends at {}", value.name(), largest, kLargestHalf);
  }

  /// A node that only moves data, or only decides, is kept where both sides are float32 anyway.
  bool keep_movers() {
    bool changed = false;
    for (Node* node : nodes_) {
      if (!half_.contains(node)) continue;
      const bool mover = traits(*node).passage == Passage::kSame;
      if (!mover && makes_float(*node)) continue;
      const auto in_float32 = [&](const Value* value) {
        return !is_float(value) || value->is_constant() || !is_half(value);
      };
      if (!std::ranges::all_of(node->inputs(), in_float32)) continue;
      const auto read_as_float32 = [&](const Value* value) {
        return !is_float(value) || std::ranges::all_of(value->uses(), [&](const Use& use) {
          if (use.node == nullptr) return context_.fp16.keep_io || value->graph() != &graph_;
          return !half_.contains(use.node) || is_float32_input(*use.node, use.index);
        });
      };
      if (!std::ranges::all_of(node->outputs(), read_as_float32)) continue;
      half_.erase(node);
      changed = true;
    }
    return changed;
  }

  /// True where the value itself is float16 after the conversion (constants are whatever is asked for).
  bool is_half(const Value* value) const {
    if (!is_float(value)) return false;
    if (value->producer() != nullptr) return half_.contains(value->producer());
    return value->is_graph_input() && value->graph() == &graph_ && !context_.fp16.keep_io &&
           value->tensor() == nullptr;
  }

  // -- rewriting
  // -------------------------------------------------------------------------------------------------

  Status rewrite() {
    for (Node* node : nodes_) {
      if (half_.contains(node)) retarget(*node);
    }
    for (Node* node : nodes_) {
      if (reads_no_numbers(*node)) continue;
      const bool half = half_.contains(node);
      for (std::size_t i = 0; i < node->input_count(); ++i) {
        Value* input = node->input(i);
        if (!is_float(input)) continue;
        const bool wants_half = half && !is_float32_input(*node, i);
        if (input->is_constant()) {
          if (wants_half) half_uses_.emplace_back(input, Use{node, i});
        } else if (wants_half != is_half(input)) {
          node->graph()->set_input(node, i, cast(input, wants_half));
        }
      }
    }
    rewrite_outputs(graph_, context_.fp16.keep_io);
    for (Node* node : nodes_) {
      for (Graph* inner : node->subgraphs()) rewrite_outputs(*inner, true);
    }
    PRESS_TRY(rewrite_constants());
    for (Node* node : nodes_) {
      if (!half_.contains(node)) continue;
      for (Value* output : node->outputs()) {
        if (is_float(output)) declare_half(output);
      }
    }
    if (!context_.fp16.keep_io) {
      for (Value* input : graph_.inputs()) {
        if (is_half(input)) declare_half(input);
      }
    }
    return {};
  }

  static void declare_half(Value* value) {
    Type type = value->type();
    if (type.element != DataType::kFloat) return;
    type.element = DataType::kFloat16;
    value->set_type(std::move(type));
  }

  /// Attributes that name or hold a type.
  static void retarget(Node& node) {
    if (node.is("Cast")) {
      if (node.int_attribute("to", 0) == static_cast<std::int64_t>(DataType::kFloat)) {
        node.set_attribute("to", static_cast<std::int64_t>(DataType::kFloat16));
      }
      return;
    }
    if (node.int_attribute("dtype", 0) == static_cast<std::int64_t>(DataType::kFloat) ||
        node.is("RandomNormal") || node.is("RandomUniform")) {
      node.set_attribute("dtype", static_cast<std::int64_t>(DataType::kFloat16));
    }
    if (const Tensor* tensor = node.tensor_attribute("value");
        tensor != nullptr && tensor->type() == DataType::kFloat) {
      node.set_attribute("value", to_half(*tensor));
    } else if (node.is("ConstantOfShape") && tensor == nullptr) {
      node.set_attribute("value", Tensor::of({1}, std::vector<Float16>{Float16{}}));
    }
    if (node.has_attribute("value_float")) {
      const float value = node.float_attribute("value_float", 0);
      node.remove_attribute("value_float");
      node.set_attribute("value", Tensor::scalar(to_float16(value)));
    }
    if (node.has_attribute("value_floats")) {
      const std::vector<float> values = node.floats_attribute("value_floats");
      node.remove_attribute("value_floats");
      node.set_attribute("value", to_half(Tensor::of({static_cast<std::int64_t>(values.size())}, values)));
    }
  }

  /// The value in the other type, made right behind it.
  Value* cast(Value* value, bool to_half) {
    Value*& made = casts_[value];
    if (made != nullptr) return made;
    Graph& graph = *value->graph();
    Node* before = value->producer() != nullptr ? value->producer()->next()
                   : graph.node_count() > 0     ? *graph.nodes().begin()
                                                : nullptr;
    const DataType to = to_half ? DataType::kFloat16 : DataType::kFloat;
    made = graph
               .add_node({.op_type = "Cast",
                          .inputs = {value},
                          .outputs = {graph.fresh_name(value->name() + (to_half ? "_half" : "_float"))},
                          .attributes = {{"to", static_cast<std::int64_t>(to), {}}}},
                         before)
               ->output();
    return made;
  }

  /// Outputs of a graph that stay float32.
  void rewrite_outputs(Graph& graph, bool keep) {
    for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
      Value* value = graph.outputs()[i].value;
      if (!is_float(value)) continue;
      if (keep) {
        if (is_half(value)) graph.set_output(i, cast(value, false));
        continue;
      }
      GraphOutput& slot = graph.output_slot(i);
      if (value->is_constant()) continue;
      if (!is_half(value)) graph.set_output(i, cast(value, true));
      slot.type.element = DataType::kFloat16;
    }
  }

  Status rewrite_constants() {
    std::unordered_map<const Value*, Value*> copies;
    for (const auto& [constant, use] : half_uses_) {
      Value*& copy = copies[constant];
      if (copy == nullptr) {
        const auto same = std::ranges::count_if(
            half_uses_, [&, c = constant](const auto& other) { return other.first == c; });
        Tensor half = to_half(*constant->constant());
        if (!half.defined()) {
          return Error(ErrorCode::kUnsupported,
                       fmt::format("no memory for '{}' in float16", constant->name()));
        }
        if (static_cast<std::size_t>(same) == constant->uses().size()) {
          constant->set_constant(std::move(half));
          copy = constant;
        } else {
          Graph& graph = *constant->graph();
          copy = graph.add_constant(std::move(half), graph.fresh_name(constant->name() + "_half"));
        }
      }
      if (copy != constant) use.node->graph()->set_input(use.node, use.index, copy);
    }
    return {};
  }

  Graph& graph_;
  const PassContext& context_;
  const NodeMatcher& selected_;
  const ShapeTable types_;
  std::vector<Node*> nodes_;                        // of all graphs, as they were before
  std::unordered_set<const Value*> exact_;          // results of shape arithmetic
  std::unordered_set<const Node*> half_;            // nodes that are converted
  std::unordered_map<const Value*, Value*> casts_;  // value -> the same in the other type
  std::vector<std::pair<Value*, Use>> half_uses_;   // of constants
};

}  // namespace

Result<std::vector<const Value*>> values_to_convert(const Model& model) {
  PRESS_ASSIGN(const ShapeTable types, infer_shapes(*model.graph));
  std::vector<const Value*> values;
  for (const Value* value : model.graph->values()) {
    const auto known = types.find(value);
    const DataType element = known != nullptr ? known->type.element : value->type().element;
    if (!value->is_constant() && element == DataType::kFloat) values.push_back(value);
  }
  return values;
}

namespace passes {

Result<PassOutcome> convert_fp16(Model& model, const PassContext& context) {
  PassOutcome outcome;
  PRESS_ASSIGN(const NodeMatcher selected, NodeMatcher::compile(context.fp16.nodes));
  PRESS_ASSIGN(ShapeTable types, infer_shapes(*model.graph));
  PRESS_TRY(Converter(model, context, selected, std::move(types)).run(outcome));
  return outcome;
}

}  // namespace passes
}  // namespace press
