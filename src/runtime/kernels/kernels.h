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
Factory max_pool, average_pool, global_average_pool;
Function lp_pool, global_max_pool, global_lp_pool;

// normalization.cpp
Function batch_normalization, instance_normalization, layer_normalization, lrn, lp_normalization,
    mean_variance_normalization;

// row_normalization.cpp
Function rms_normalization, group_normalization, skip_layer_normalization, skip_rms_normalization,
    embed_layer_normalization;

// softmax.cpp
Function softmax, log_softmax, hardmax;

// quantization.cpp
Factory quantize_linear;
Function dequantize_linear, dynamic_quantize_linear;

// integer.cpp
Function conv_integer, mat_mul_integer, qlinear_conv, qlinear_mat_mul;

// recurrent.cpp
Factory rnn, gru, lstm;

// elementwise_unary.cpp
Function abs, neg, sign, relu, clip, ceil, floor, round, sqrt, reciprocal, exp, log, erf, sin, cos, tan, asin,
    acos, atan, sinh, cosh, asinh, acosh, atanh, tanh, sigmoid, softplus, softsign, mish, leaky_relu, elu,
    selu, celu, thresholded_relu, hard_sigmoid, hard_swish, shrink, swish, quick_gelu, gelu, image_scaler,
    affine, is_nan, is_inf, logical_not, bitwise_not;

// elementwise_binary.cpp
Function add, sub, mul, div, mod, pow, bit_shift, bitwise_and, bitwise_or, bitwise_xor, logical_and,
    logical_or, logical_xor, equal, greater, less, greater_or_equal, less_or_equal, min, max, sum, mean,
    prelu, bias_gelu, fast_gelu, where;

// cast.cpp
Function cast, cast_like;

// layout.cpp
Function identity, dropout, reshape, flatten, squeeze, unsqueeze, transpose, concat, split, slice, expand,
    tile, depth_to_space, space_to_depth, crop, reverse_sequence;

// pad.cpp
Function pad, center_crop_pad;

// generate.cpp
Function shape, size, constant, constant_of_shape, range, eye_like, one_hot;

// reduce.cpp
Function reduce_sum, reduce_mean, reduce_l1, reduce_l2, reduce_sum_square, reduce_log_sum, reduce_prod,
    reduce_max, reduce_min, reduce_log_sum_exp, arg_max, arg_min;

// index.cpp
Function gather, gather_elements, gather_nd, scatter_elements, scatter_nd, tensor_scatter;

// select.cpp
Function top_k, non_zero, compress, cum_sum, trilu, non_max_suppression;

// resize.cpp
Function resize;

// sampling.cpp
Function grid_sample, affine_grid, roi_align;

// unfold.cpp
Function col2im, max_unpool;

// deform_conv.cpp
Function deform_conv;

// attention.cpp
Function attention, rotary_embedding;

// losses.cpp
Function negative_log_likelihood_loss, softmax_cross_entropy_loss;

// algebra.cpp
Function einsum, det;

// signal.cpp
Function dft, stft, hann_window, hamming_window, blackman_window, mel_weight_matrix;

// unique.cpp
Function unique;

// tf_idf.cpp
Function tf_idf_vectorizer;

// control.cpp
Function if_, loop, scan;

}  // namespace press::kernels
