// before:  x ─┬─ Div(√2) ─ Erf ─ Add(1) ─ Mul ─ Mul(0.5) ─ y        after:  x ─ Gelu ─ y
//             └────────────────────────────┘
//
// Activations that exporters write by their parts become the one operator that ONNX has for them:
//
//   Gelu         x/2 · (1 + erf(x/√2))                            opset 20 (Hendrycks & Gimpel, arXiv
//   1606.08415) Gelu (tanh)  x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³)))        opset 20 HardSigmoid  clip(x +
//   3, 0, 6) / 6                            alpha = 1/6, beta = 1/2 HardSwish    x · clip(x + 3, 0, 6) / 6, x
//   · HardSigmoid(x)    opset 14 (Howard et al., arXiv 1905.02244); before
//                                                                 that, x · HardSigmoid(x)
//   Softplus     log(1 + exp(x))
// x · Sigmoid(x) stays: Swish (opset 24) is 2.7 times slower in ONNX Runtime 1.31, which fuses the two by
// itself.
//
// Factors may stand on either side and in any order; the numbers must agree to one part in 10,000. Products
// and sums are matched as sets of factors and terms, so the forms of all exporters are one form here.
//
// Conditions: nobody else reads the values between; constants of one element that broadcast to no new axes;
// the operator set has the operator (else the pass says which one does: --opset raises the model).
//
// Why it pays: five to eight passes over a feature map become one; Softplus stays finite where exp(x) does
// not.
#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "passes/declarations.h"
#include "passes/known_types.h"
#include "passes/match.h"

namespace press::passes {
namespace {

constexpr double kSame = 1e-4;  // relative; exporters round √2 and √(2/π) to float16 at worst
constexpr std::int64_t kOpsetOfHardSwish = 14;
constexpr std::int64_t kOpsetOfGelu = 20;

bool is_close(double a, double b) {
  return std::abs(a - b) <= kSame * std::abs(b);
}

/// A value as constant · Π factors, products and quotients by constants looked through.
struct Product {
  double constant = 1;
  std::vector<const Value*> factors;
};

/// A value as offset + term, sums with constants looked through.
struct Sum {
  double offset = 0;
  const Value* term = nullptr;
};

class Pattern {
 public:
  explicit Pattern(const Node& root) : root_(root) {}

  /// The factors of the root, which must be a Mul or Div.
  Product product() const {
    Product product;
    expand(root_, product);
    return product;
  }

  /// The value that is computed at the root of Mul, Div, Add … by a node that only this pattern reads.
  const Node* inner(const Value* value, std::string_view type) const {
    const Node* node = made_by(value, type);
    return node != nullptr && node->graph() == root_.graph() && is_private(value) ? node : nullptr;
  }

  /// Add or Sub of a constant, or nothing of that kind (offset 0).
  Sum sum(const Value* value) const {
    if (const Node* add = inner(value, "Add"); add != nullptr) {
      for (const std::size_t side : {0U, 1U}) {
        if (const auto number = number_of(constant_input(*add, side)); number.has_value())
          return {*number, add->input(1 - side)};
      }
    }
    if (const Node* sub = inner(value, "Sub"); sub != nullptr) {
      if (const auto number = number_of(constant_input(*sub, 1)); number.has_value())
        return {-*number, sub->input(0)};
    }
    return {0, value};
  }

  /// Clip(·, 0, 6), whose input it returns; null for others.
  const Value* relu6(const Value* value) const {
    const Node* clip = inner(value, "Clip");
    if (clip == nullptr) return nullptr;
    const bool by_input = root_.graph()->opset() >= 11;
    const double low =
        by_input ? number_of(constant_input(*clip, 1)).value_or(-1) : clip->float_attribute("min", -1);
    const double high =
        by_input ? number_of(constant_input(*clip, 2)).value_or(-1) : clip->float_attribute("max", -1);
    return low == 0 && high == 6 ? clip->input(0) : nullptr;
  }

  /// value = number · x for the x of the answer (number 1 where it is x itself).
  Product scaled(const Value* value) const {
    Product product;
    expand_value(value, product);
    return product;
  }

 private:
  void expand(const Node& node, Product& product) const {
    for (const std::size_t side : {0U, 1U}) {
      const bool divides = node.is("Div") && side == 1;
      if (const auto number = number_of(constant_input(node, side)); number.has_value()) {
        product.constant *= divides ? 1 / *number : *number;
      } else if (divides) {
        product.factors.push_back(nullptr);  // a quotient of two variables is none of ours
      } else {
        expand_value(node.input(side), product);
      }
    }
  }
  void expand_value(const Value* value, Product& product) const {
    const Node* mul = inner(value, "Mul");
    const Node* node = mul != nullptr ? mul : inner(value, "Div");
    if (node != nullptr && product.factors.size() < 8) {
      expand(*node, product);
    } else {
      product.factors.push_back(value);
    }
  }

  const Node& root_;
};

/// What a root node computes.
struct Activation {
  const char* op_type;
  const Value* input;
  std::int64_t opset = 0;
  std::vector<Attribute> attributes = {};
  bool is_gated = false;  // else, in any operator set, x · HardSigmoid(x)
};

/// HardSigmoid that is clip(x + 3, 0, 6) / 6.
std::vector<Attribute> gate_attributes() {
  return {{"alpha", 1.0F / 6, {}}, {"beta", 0.5F, {}}};
}

bool is_gelu_gate(const Pattern& pattern, const Value* gate, const Value* x, bool& is_tanh) {
  const Sum sum = pattern.sum(gate);
  if (!is_close(sum.offset, 1)) return false;
  if (const Node* erf = pattern.inner(sum.term, "Erf"); erf != nullptr) {
    const Product inside = pattern.scaled(erf->input(0));
    is_tanh = false;
    return inside.factors.size() == 1 && inside.factors[0] == x && is_close(inside.constant, std::sqrt(0.5));
  }
  const Node* tanh = pattern.inner(sum.term, "Tanh");
  if (tanh == nullptr) return false;
  is_tanh = true;
  const Product outside = pattern.scaled(tanh->input(0));
  if (outside.factors.size() != 1 || !is_close(outside.constant, std::sqrt(2 / std::numbers::pi)))
    return false;
  const Node* add = pattern.inner(outside.factors[0], "Add");
  if (add == nullptr) return false;
  for (const std::size_t side : {0U, 1U}) {
    if (add->input(side) != x) continue;
    const Product cube = pattern.scaled(add->input(1 - side));
    if (!is_close(cube.constant, 0.044715)) continue;
    if (cube.factors.size() == 3) {
      return cube.factors[0] == x && cube.factors[1] == x && cube.factors[2] == x;
    }
    const Node* power = cube.factors.size() == 1 ? pattern.inner(cube.factors[0], "Pow") : nullptr;
    return power != nullptr && power->input(0) == x && number_of(constant_input(*power, 1)) == 3.0;
  }
  return false;
}

/// clip(x + 3, 0, 6), whose x it returns.
const Value* shifted_relu6(const Pattern& pattern, const Value* value) {
  const Value* clipped = pattern.relu6(value);
  if (clipped == nullptr) return nullptr;
  const Sum sum = pattern.sum(clipped);
  return is_close(sum.offset, 3) ? sum.term : nullptr;
}

std::optional<Activation> activation_of(const Node& root) {
  const Pattern pattern(root);
  if (root.is("Log")) {
    const Sum sum = pattern.sum(root.input(0));
    const Node* exp = is_close(sum.offset, 1) ? pattern.inner(sum.term, "Exp") : nullptr;
    if (exp != nullptr) return Activation{"Softplus", exp->input(0)};
    return std::nullopt;
  }
  if (!root.is("Mul") && !root.is("Div")) return std::nullopt;
  const Product product = pattern.product();
  const std::vector<const Value*>& factors = product.factors;
  if (factors.size() == 1 && is_close(product.constant, 1.0 / 6)) {
    if (const Value* x = shifted_relu6(pattern, factors[0]); x != nullptr) {
      return Activation{"HardSigmoid", x, 6, gate_attributes()};
    }
  }
  if (factors.size() != 2) return std::nullopt;
  for (const std::size_t side : {0U, 1U}) {
    const Value *x = factors[side], *gate = factors[1 - side];
    if (x == nullptr || gate == nullptr) continue;
    bool is_tanh = false;
    if (is_close(product.constant, 0.5) && is_gelu_gate(pattern, gate, x, is_tanh)) {
      Activation gelu{"Gelu", x, kOpsetOfGelu};
      if (is_tanh) gelu.attributes.push_back({"approximate", std::string("tanh"), {}});
      return gelu;
    }
    if (is_close(product.constant, 1.0 / 6) && shifted_relu6(pattern, gate) == x) {
      return Activation{.op_type = "HardSwish", .input = x, .opset = kOpsetOfHardSwish, .is_gated = true};
    }
    const Node* sigmoid = product.constant == 1 ? pattern.inner(gate, "HardSigmoid") : nullptr;
    if (sigmoid != nullptr && sigmoid->input(0) == x &&
        is_close(sigmoid->float_attribute("alpha", 0.2F), 1.0 / 6) &&
        is_close(sigmoid->float_attribute("beta", 0.5F), 0.5)) {
      return Activation{"HardSwish", x, kOpsetOfHardSwish};
    }
  }
  return std::nullopt;
}

/// Types and shapes in and out are the same: no constant has widened anything.
bool keeps_shape(KnownTypes& types, const Value* input, const Value* output) {
  const Type *in = types.type(input), *out = types.type(output);
  if (in == nullptr || out == nullptr || in->element != out->element || !is_floating_point(in->element))
    return false;
  return in->shape.has_value() && out->shape.has_value() && in->shape->size() == out->shape->size();
}

}  // namespace

Result<PassOutcome> fuse_activations(Model& model, const PassContext& context) {
  PassOutcome outcome;
  KnownTypes types(*model.graph, context);
  const std::int64_t opset = model.graph->opset();
  for_each_graph(*model.graph, [&](Graph& graph) {
    const std::vector<Node*> nodes = graph.nodes_snapshot();
    // From the end: the whole pattern is seen before a part of it.
    for (auto at = nodes.rbegin(); at != nodes.rend(); ++at) {
      Node* node = *at;
      if (node->output() == nullptr || node->output()->uses().empty()) continue;
      const auto found = activation_of(*node);
      if (!found.has_value() || found->input == nullptr || !keeps_shape(types, found->input, node->output()))
        continue;
      const bool by_gate = opset < found->opset && found->is_gated;
      if (opset < found->opset && !by_gate) {
        outcome.declined.push_back(
            {node->label(), fmt::format("it is {}, which needs operator set {}; --opset {} raises the model",
                                        found->op_type, found->opset, found->opset)});
        continue;
      }
      auto* input = const_cast<Value*>(found->input);
      NodeSpec whole{.op_type = found->op_type,
                     .inputs = {input},
                     .attributes = found->attributes,
                     .name = node->name()};
      if (by_gate) {
        Node* gate = graph.add_node(
            {.op_type = "HardSigmoid", .inputs = {input}, .attributes = gate_attributes()}, node);
        whole.op_type = "Mul";
        whole.inputs.push_back(gate->output());
      }
      Node* fused = graph.add_node(std::move(whole), node);
      fused->output()->set_type(node->output()->type());
      graph.replace_all_uses(node->output(), fused->output());
      graph.erase(node);
      ++outcome.rewrites;
    }
  });
  return outcome;
}

}  // namespace press::passes
