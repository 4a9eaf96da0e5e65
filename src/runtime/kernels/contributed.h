// The kernels of ONNX Runtime's own operators (domain com.microsoft) that ops.def names.
#pragma once

#include "runtime/kernels/kernels.h"

namespace press::kernels {

// contributed_quantized.cpp
Factory qlinear_add, qlinear_mul, qlinear_where, qlinear_sigmoid, qlinear_leaky_relu, qlinear_softmax,
    qlinear_concat, qlinear_average_pool, qlinear_global_average_pool, nhwc_max_pool;

// contributed_matrix.cpp
Factory fused_mat_mul, mat_mul_n_bits, dynamic_quantize_mat_mul, mat_mul_integer_to_float;

// convolution.cpp
Factory fused_conv;

// integer.cpp
Function q_gemm;

}  // namespace press::kernels
