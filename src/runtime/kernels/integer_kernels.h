// Kernels on quantized tensors: each does in one step, on 8-bit integers, what DequantizeLinear, an operator
// on real numbers and QuantizeLinear do in three (or what a QLinear operator does). No node names them: the
// plan puts them in place of other kernels (runtime/integer_steps.h).
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "press/ir/tensor.h"
#include "press/numeric/quantization.h"
#include "runtime/kernel.h"
#include "runtime/onednn.h"

namespace press::kernels {

/// A convolution or matrix product with constant weights; input 0 is the quantized source.
struct IntegerLinear {
  QuantParams source;
  std::optional<QuantParams> target;  // none: the result stays float32
  Tensor weights;                     // int8, zero point 0, in the node's order
  std::vector<float> weight_scales;   // one, or one for each output channel
  std::vector<float> bias;            // real, one for each output channel; empty: none
  onednn::Activation activation;      // of the real result
};
std::unique_ptr<Kernel> make_integer_convolution(IntegerLinear linear);
/// A (any rank, k last) times B (k x n, or n x k where `transpose_b`).
std::unique_ptr<Kernel> make_integer_product(IntegerLinear linear, bool transpose_b);

/// The int32 sums of MatMulInteger and ConvInteger (of two spatial dims, with channels last) for constant
/// weights: int8 with zero point 0. Input 0 is the source, input 1 its zero point (of one element, or left
/// out).
std::unique_ptr<Kernel> make_integer_product_sums(Tensor weights);
std::unique_ptr<Kernel> make_integer_convolution_sums(Tensor weights);

/// a + b or a · b of two quantized tensors that broadcast; inputs 0 and 1.
struct IntegerBinary {
  bool product = false;
  QuantParams a;
  QuantParams b;
  QuantParams target;
  std::int32_t low = 0;  // the integers that an activation behind the operator leaves
  std::int32_t high = 255;
};
std::unique_ptr<Kernel> make_integer_binary(const IntegerBinary& binary);

/// The sum with a vector of real numbers along the last dim (which is not turned to channels last).
std::unique_ptr<Kernel> make_integer_add_vector(const QuantParams& source, const QuantParams& target,
                                                std::vector<float> vector);

/// Elementwise: the byte of the result for each byte of the source.
struct IntegerTable {
  DataType source = DataType::kUint8;
  DataType target = DataType::kUint8;
  std::array<std::uint8_t, 256> bytes{};
};
std::unique_ptr<Kernel> make_integer_table(const IntegerTable& table);

/// The mean over all spatial dims.
std::unique_ptr<Kernel> make_integer_global_average(const QuantParams& source, const QuantParams& target);

}  // namespace press::kernels
