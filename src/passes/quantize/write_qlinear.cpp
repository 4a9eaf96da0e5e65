// QLinear operators in place of float operators between DequantizeLinear and QuantizeLinear.
//
// Before:   x_q ─► DQ ─► Conv(DQ(w_q), DQ(b_q)) ─► Relu ─► Q ─► y_q
//
// After:    x_q ─► QLinearConv(w_q, b_q) ─► y_q
//
//   Conv, MatMul                                         QLinearConv, QLinearMatMul
//   Add, Mul, Concat, Sigmoid, LeakyRelu, AveragePool,   QLinearAdd, QLinearMul, QLinearConcat, …: operators
//   GlobalAveragePool                                    of ONNX Runtime, domain com.microsoft
//   MaxPool, Reshape, Transpose, … of one scale          the same operator on the integers
//
// Conditions: 8 bits on both sides with constant scales, and a single reader of everything in between. A Relu
// or Clip goes where the range of y_q ends inside of it, so that saturation does its work; a bias must stand
// in units of input scale times weight scale, as QLinearConv means it. A MatMul with an Add behind and a Gemm
// have no QLinear form that all runtimes know and stay as they are, between their pairs.
//
// It pays where a runtime has these operators but does not look for pairs; results differ from those of the
// pairs by rounding alone.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <vector>

#include "passes/declarations.h"
#include "passes/quantize/placement.h"
#include "press/numeric/quantization.h"
#include "press/ops/operator.h"

namespace press {
namespace {

constexpr const char* kContributed = "com.microsoft";
constexpr std::int64_t kIntegerMaxPool = 12;  // the first version with MaxPool of integers
constexpr float kUnitTolerance = 1e-5F;

/// Integers with their scale and zero point.
struct Scaled {
  Value* integers = nullptr;
  Value* scale = nullptr;
  Value* zero_point = nullptr;  // null: 0
};

/// Operators of com.microsoft by the operators that they stand for; all take (x, scale, zero point)… of their
/// inputs and then scale and zero point of the result.
struct Contributed {
  std::string_view type;
  const char* integer_type;
};
constexpr auto kContributedOperators = std::to_array<Contributed>({
    {"Add", "QLinearAdd"},
    {"AveragePool", "QLinearAveragePool"},
    {"GlobalAveragePool", "QLinearGlobalAveragePool"},
    {"LeakyRelu", "QLinearLeakyRelu"},
    {"Mul", "QLinearMul"},
    {"Sigmoid", "QLinearSigmoid"},
});

const Tensor* constant_of(const Value* value) {
  return value != nullptr ? value->constant() : nullptr;
}

bool is_byte(DataType type) {
  return type == DataType::kUint8 || type == DataType::kInt8;
}

/// What a DequantizeLinear reads, where `value` comes from one.
std::optional<Scaled> dequantized(const Value* value) {
  const Node* node = value != nullptr ? value->producer() : nullptr;
  if (node == nullptr || !node->is("DequantizeLinear") || constant_of(node->input(1)) == nullptr ||
      constant_of(node->input(1))->type() != DataType::kFloat || node->int_attribute("block_size", 0) != 0) {
    return std::nullopt;
  }
  return Scaled{node->input(0), node->input(1), node->input(2)};
}

/// The scale and zero point of a tensor of 8 bits as a whole.
std::optional<QuantParams> whole(const Scaled& scaled) {
  const Tensor* zero_point = constant_of(scaled.zero_point);
  if (zero_point == nullptr || zero_point->size() != 1 || scaled.scale->constant()->size() != 1 ||
      !is_byte(zero_point->type())) {
    return std::nullopt;
  }
  const bool is_unsigned = zero_point->type() == DataType::kUint8;
  const std::int32_t zero =
      is_unsigned ? zero_point->data<std::uint8_t>()[0] : zero_point->data<std::int8_t>()[0];
  return QuantParams{scaled.scale->constant()->data<float>()[0], zero, zero_point->type()};
}

/// An activation of 8 bits.
std::optional<Scaled> activation(const Value* value) {
  std::optional<Scaled> found = dequantized(value);
  return found && whole(*found) ? found : std::nullopt;
}

Node* only_user(const Value& value) {
  Node* user = value.has_one_use() ? value.uses()[0].node : nullptr;
  return user != nullptr && user->graph() == value.graph() ? user : nullptr;
}

class Rewriter {
 public:
  explicit Rewriter(Graph& graph) : graph_(graph) {}

  /// Why a linear operator stays; empty where it does not, and for operators that nobody wonders about.
  std::string rewrite(Node* node) {
    const OpTraits& operator_traits = traits(*node);
    if (!node->domain().empty() || !operator_traits.quantizable || node->output() == nullptr) return {};
    const bool linear = operator_traits.weight_input >= 0;
    end_ = behind(*node);
    if (!end_) return linear ? "its result is not rounded to 8 bits" : "";
    if (node->is("Conv")) return convolution(node);
    if (node->is("MatMul")) return product(node);
    if (linear) return fmt::format("{} has no QLinear operator that all runtimes know", node->op_type());
    if (node->is("Concat")) return (concat(node), "");
    if (operator_traits.passage == Passage::kSame) return (move(node), "");
    contributed(node);
    return {};
  }

  std::size_t rewrites() const { return rewrites_; }

 private:
  /// The end of the unit that begins with `node`: its QuantizeLinear, and a clamp in between.
  struct End {
    Node* clamp = nullptr;
    Node* quantize = nullptr;
    Scaled scaled;
  };

  static std::optional<End> behind(const Node& node) {
    End end;
    Node* user = only_user(*node.output());
    std::optional<Range> bounds;
    if (user != nullptr && traits(*user).passage == Passage::kClamp && user->input(0) == node.output()) {
      bounds = quantize::clamp_bounds(*user);
      if (!bounds) return std::nullopt;
      end.clamp = user;
      user = only_user(*user->output());
    }
    if (user == nullptr || !user->is("QuantizeLinear") || constant_of(user->input(1)) == nullptr ||
        constant_of(user->input(1))->type() != DataType::kFloat) {
      return std::nullopt;
    }
    end.quantize = user;
    end.scaled = {user->output(), user->input(1), user->input(2)};
    const std::optional<QuantParams> params = whole(end.scaled);
    if (!params) return std::nullopt;
    const Range reach = params->reach();
    if (bounds && (reach.lo < bounds->lo || reach.hi > bounds->hi)) return std::nullopt;
    return end;
  }

  std::string convolution(Node* node) {
    const std::optional<Scaled> input = activation(node->input(0));
    std::optional<Scaled> weight = dequantized(node->input(1));
    if (!input || !weight) return "its input or its weight is not of 8 bits";
    Value* biases = nullptr;
    if (node->input(2) != nullptr) {
      const Node* bias = node->input(2)->producer();
      if (bias == nullptr || !bias->is("DequantizeLinear") || constant_of(bias->input(0)) == nullptr ||
          bias->input(0)->constant()->type() != DataType::kInt32 ||
          !is_product(bias->input(1), *input, *weight)) {
        return "its bias does not stand in units of input scale times weight scale";
      }
      biases = bias->input(0);
    }
    std::vector<Value*> inputs = {input->integers,    input->scale,           input->zero_point,
                                  weight->integers,   weight->scale,          zero_of(*weight),
                                  end_->scaled.scale, end_->scaled.zero_point};
    if (biases != nullptr) inputs.push_back(biases);
    replace(node, {.op_type = "QLinearConv", .inputs = std::move(inputs), .attributes = node->attributes()});
    return {};
  }

  std::string product(Node* node) {
    const std::optional<Scaled> left = activation(node->input(0));
    std::optional<Scaled> right = dequantized(node->input(1));
    if (!left || !right) return "an input is not of 8 bits";
    replace(node, {.op_type = "QLinearMatMul",
                   .inputs = {left->integers, left->scale, left->zero_point, right->integers, right->scale,
                              zero_of(*right), end_->scaled.scale, end_->scaled.zero_point}});
    return {};
  }

  void contributed(Node* node) {
    const auto* found = std::ranges::find(kContributedOperators, node->op_type(), &Contributed::type);
    if (found == kContributedOperators.end() || node->has_attribute("dilations")) return;
    std::vector<Value*> inputs;
    if (!add_activations(*node, inputs)) return;
    inputs.push_back(end_->scaled.scale);
    inputs.push_back(end_->scaled.zero_point);
    replace(node, {.op_type = found->integer_type,
                   .inputs = std::move(inputs),
                   .attributes = node->attributes(),
                   .domain = kContributed});
  }

  void concat(Node* node) {
    std::vector<Value*> inputs = {end_->scaled.scale, end_->scaled.zero_point};
    if (!add_activations(*node, inputs)) return;
    replace(node, {.op_type = "QLinearConcat",
                   .inputs = std::move(inputs),
                   .attributes = node->attributes(),
                   .domain = kContributed});
  }

  /// An operator that only moves elements does so with integers as well.
  void move(Node* node) {
    if (node->is("Pad") || (node->is("MaxPool") && graph_.opset() < kIntegerMaxPool)) return;
    const std::optional<Scaled> input = activation(node->input(0));
    if (!input || *whole(*input) != *whole(end_->scaled) || end_->clamp != nullptr ||
        node->output_count() != 1)
      return;
    std::vector<Value*> inputs = node->inputs();
    inputs.front() = input->integers;
    replace(node,
            {.op_type = node->op_type(), .inputs = std::move(inputs), .attributes = node->attributes()});
  }

  /// Integers, scale and zero point of each input.
  static bool add_activations(const Node& node, std::vector<Value*>& inputs) {
    for (const Value* value : node.inputs()) {
      const std::optional<Scaled> scaled = activation(value);
      if (!scaled) return false;
      inputs.insert(inputs.end(), {scaled->integers, scaled->scale, scaled->zero_point});
    }
    return true;
  }

  /// True where `unit` holds the products of both scales.
  static bool is_product(const Value* unit, const Scaled& input, const Scaled& weight) {
    if (unit == nullptr) return false;
    const float input_scale = input.scale->constant()->data<float>()[0];
    if (const Node* mul = unit->producer(); mul != nullptr && mul->is("Mul")) {
      for (const std::size_t first : {0U, 1U}) {
        const Tensor* other = constant_of(mul->input(1 - first));
        if (mul->input(first) == weight.scale && other != nullptr && other->size() == 1 &&
            other->type() == DataType::kFloat && other->data<float>()[0] == input_scale) {
          return true;
        }
      }
      return false;
    }
    const Tensor* units = constant_of(unit);
    if (units == nullptr || units->type() != DataType::kFloat) return false;
    const std::span<const float> scales = weight.scale->constant()->data<float>();
    const std::span<const float> found = units->data<float>();
    if (found.size() != scales.size()) return false;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const float expected = input_scale * scales[i];
      if (std::abs(found[i] - expected) > kUnitTolerance * expected) return false;
    }
    return true;
  }

  /// Zeros of the weight's type in the form of its scale, where the file leaves them out (int8 then: uint8
  /// weights without a zero point are rare, and the same zeros).
  Value* zero_of(const Scaled& weight) {
    if (weight.zero_point != nullptr) return weight.zero_point;
    const Dims& dims = weight.scale->constant()->dims();
    const Tensor* integers = constant_of(weight.integers);
    const bool is_unsigned = integers != nullptr && integers->type() == DataType::kUint8;
    const auto count = static_cast<std::size_t>(weight.scale->constant()->size());
    const Tensor zeros = is_unsigned ? Tensor::of(dims, std::vector<std::uint8_t>(count))
                                     : Tensor::of(dims, std::vector<std::int8_t>(count));
    for (Value* made : zeros_) {
      if (*made->constant() == zeros) return made;
    }
    zeros_.push_back(graph_.add_constant(zeros, graph_.fresh_name("zero_points")));
    return zeros_.back();
  }

  /// `spec` in the place of the whole unit.
  void replace(Node* node, NodeSpec spec) {
    Node* quantize = end_->quantize;
    Value* old = quantize->output();
    const std::string name = old->name();
    const Type type = old->type();
    if (spec.domain == kContributed && graph_.opset(kContributed) == 0) graph_.set_opset(kContributed, 1);
    spec.name = node->name();
    spec.outputs = {graph_.fresh_name(name)};
    Value* made = graph_.add_node(std::move(spec), node)->output();
    graph_.replace_all_uses(old, made);
    graph_.erase(quantize);
    if (end_->clamp != nullptr) graph_.erase(end_->clamp);
    graph_.erase(node);
    made->set_name(name);
    made->set_type(type);
    ++rewrites_;
  }

  Graph& graph_;
  std::optional<End> end_;
  std::vector<Value*> zeros_;
  std::size_t rewrites_ = 0;
};

}  // namespace

namespace passes {

Result<PassOutcome> write_qlinear(Model& model, const PassContext&) {
  PassOutcome outcome;
  Rewriter rewriter(*model.graph);
  // The clamp and the QuantizeLinear of a unit go with its first node: look only at those that begin one.
  std::vector<Node*> nodes = model.graph->nodes_snapshot();
  std::erase_if(nodes, [](const Node* node) {
    return node->is("QuantizeLinear") || node->is("DequantizeLinear") ||
           traits(*node).passage == Passage::kClamp;
  });
  for (Node* node : nodes) {
    std::string label = node->label();
    if (std::string reason = rewriter.rewrite(node); !reason.empty())
      outcome.declined.push_back({std::move(label), std::move(reason)});
  }
  outcome.rewrites = rewriter.rewrites();
  return outcome;
}

}  // namespace passes
}  // namespace press
