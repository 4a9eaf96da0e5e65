// Constants behind quantizers.
#pragma once

#include <optional>

#include "press/ir/graph.h"

namespace press::quantize {

/// True for a QuantizeLinear or DequantizeLinear of ONNX or of com.microsoft.
bool is_quantizer(const Node& node, std::string_view type);

/// The tensor of a value that depends on constants through QuantizeLinear, DequantizeLinear, Cast and Mul
/// alone; nullopt for others.
std::optional<Tensor> computed_constant(const Value* value);

}  // namespace press::quantize
