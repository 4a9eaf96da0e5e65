#include "runtime/elementwise.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace press {

namespace {

constexpr std::array<std::string_view, 37> kElementwise = {
    "Abs",       "Add",      "Cast",      "Ceil",    "Celu",     "Clip",           "DequantizeLinear",
    "Div",       "Elu",      "Erf",       "Exp",     "Floor",    "Gelu",           "HardSigmoid",
    "HardSwish", "Identity", "LeakyRelu", "Log",     "Max",      "Mean",           "Min",
    "Mish",      "Mul",      "Neg",       "PRelu",   "Pow",      "QuantizeLinear", "Reciprocal",
    "Relu",      "Round",    "Selu",      "Sigmoid", "Softplus", "Sqrt",           "Sub",
    "Sum",       "Tanh"};

}  // namespace

bool is_elementwise(const Node& node) {
  return node.domain().empty() && std::ranges::find(kElementwise, node.op_type()) != kElementwise.end();
}

}  // namespace press
