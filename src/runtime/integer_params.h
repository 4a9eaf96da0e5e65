// Scales, zero points and weights of quantized operators as the integer kernels take them.
#pragma once

#include <optional>
#include <vector>

#include "press/ir/tensor.h"
#include "press/numeric/quantization.h"

namespace press {

bool is_byte(DataType type);

/// An element of a tensor of bytes.
std::int32_t byte_at(const Tensor& tensor, std::size_t index);

bool is_normal_scale(float scale);

/// Scale and zero point of a whole tensor of bytes; nullopt for others. Without a zero point: uint8 and 0.
std::optional<QuantParams> tensor_params(const Tensor* scale, const Tensor* zero_point);

/// Constant weights: int8 with zero point 0, and their scales.
struct Weights {
  Tensor values;
  std::vector<float> scales;
};

/// w - zero point (none: 0) as int8; nullopt where that does not fit. `axis`: that of the output channels,
/// along which there may be a zero point for each.
std::optional<Tensor> centred(const Tensor& weights, const Tensor* zero_point, std::size_t axis);

/// `axis`: the axis of the output channels. Nullopt where int8 cannot hold them, or a scale makes no sense.
std::optional<Weights> make_weights(const Tensor* values, const Tensor* scale, const Tensor* zero_point,
                                    std::size_t axis);

}  // namespace press
