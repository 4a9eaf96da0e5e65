// The kernels that ops.def names, by file.
#pragma once

#include "runtime/kernel.h"

namespace press::kernels {

using Function = Status(KernelContext&);
using Factory = Result<std::unique_ptr<Kernel>>(const Node&);

/// The operator is known, but cannot be executed.
struct NoKernel {};
inline constexpr NoKernel none;

// convolution.cpp
Factory conv, conv_transpose;

// matrix.cpp
Factory gemm, mat_mul;

// pooling.cpp
Function max_pool, average_pool, lp_pool, global_average_pool, global_max_pool, global_lp_pool;

// normalization.cpp
Function batch_normalization, instance_normalization, layer_normalization, lrn, lp_normalization,
    mean_variance_normalization;

// softmax.cpp
Function softmax, log_softmax, hardmax;

// quantization.cpp
Function quantize_linear, dequantize_linear, dynamic_quantize_linear;

// integer.cpp
Function conv_integer, mat_mul_integer, qlinear_conv, qlinear_mat_mul;

// recurrent.cpp
Factory rnn, gru, lstm;

}  // namespace press::kernels
