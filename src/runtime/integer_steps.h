// Puts integer kernels in the place of float kernels that stand between DequantizeLinear and QuantizeLinear,
// and of QLinear operators.
#pragma once

namespace press {

class GraphPlan;

/// Rewrites the steps of a plan whose lifetimes are not planned yet and whose steps have not been merged.
/// Needs the plan's facts.
///
///   DequantizeLinear -> Conv, Gemm, MatMul (constant int8 weights) [-> activation -> QuantizeLinear]
///   DequantizeLinear, DequantizeLinear -> Add, Mul [-> Relu, Clip] -> QuantizeLinear
///   DequantizeLinear -> Add of a constant vector -> QuantizeLinear
///   DequantizeLinear -> GlobalAveragePool -> QuantizeLinear
///   DequantizeLinear -> functions of one element … -> QuantizeLinear         by a table of 256 bytes
///   DequantizeLinear -> Reshape, Transpose, MaxPool, … (values pass unchanged)   on the integers
///   QLinearConv, QLinearMatMul, QLinearAdd, QLinearMul
///   MatMulInteger, ConvInteger (constant weights)
///
/// Scales and zero points must be constants and, but for weights, of the whole tensor.
void use_integers(GraphPlan& plan);

}  // namespace press
