// Affine quantization: a real number r stands as the integer q with r = scale·(q - zero_point) (Jacob et al.,
// "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", arXiv
// 1712.05877, equation 1).
//
// 0 is always exactly representable (zero padding, ReLU and Concat rely on it); q rounds half to even and
// saturates, as ONNX's QuantizeLinear does.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "press/ir/data_type.h"
#include "press/numeric/histogram.h"
#include "press/support/result.h"

namespace press {

/// Smallest and largest integer of a quantized type: kUint8, kInt8, kUint16, kInt16, kInt32.
struct IntegerLimits {
  std::int32_t lo = 0;
  std::int32_t hi = 0;
};
IntegerLimits integer_limits(DataType type);

/// Scale and zero point of a whole tensor.
struct QuantParams {
  float scale = 1;
  std::int32_t zero_point = 0;
  DataType type = DataType::kUint8;
  friend bool operator==(const QuantParams&, const QuantParams&) = default;

  std::int32_t quantize(float real) const;
  float dequantize(std::int32_t integer) const;
  /// The real numbers that the integers reach.
  Range reach() const;
};

/// Scale and zero point that cover `range`, widened to contain 0:
///   scale = (hi - lo) / (q_max - q_min),  zero_point = round(q_min - lo / scale).
/// A range of nothing but 0 gets scale 1; scales are normal floats (a range narrower than that gets the
/// smallest one). Errors (kInput): a bound that is NaN or infinite, lo > hi.
Result<QuantParams> choose_params(Range range, DataType type);

/// As choose_params, but reach() stays inside `limit` (which must contain 0), where choose_params would step
/// over it by a part of a step when the zero point is rounded: a runtime then knows that a Clip to `limit` in
/// front changes nothing.
Result<QuantParams> choose_params_within(Range range, Range limit, DataType type);

/// Weights of a linear operator, symmetric int8 in [-127, 127] (-128 is never used), zero point 0.
struct QuantizedWeights {
  std::vector<std::int8_t> values;
  std::vector<float> scales;  // one per channel; one in all for per-tensor quantization
};

/// Shape of a weight seen from its channel axis: element (o, c, i) stands at (o·channels + c)·inner + i.
struct ChannelLayout {
  std::int64_t outer = 1;
  std::int64_t channels = 1;
  std::int64_t inner = 1;
};

/// scale[c] = max|W_c| / 127. A channel of zeros takes the largest scale of the others (1/127 where there is
/// none), so that a bias of usual size stays precise in its units. All values must be finite.
std::vector<float> weight_scales(std::span<const float> weights, ChannelLayout layout);

/// Rounds the weights to given scales, one per channel of `layout` or one in all.
std::vector<std::int8_t> quantize_weights(std::span<const float> weights, ChannelLayout layout,
                                          std::span<const float> scales);

/// Raises weight scales where a bias would not fit: |bias[c]| / (input_scale·scale[c]) must stay at or below
/// 2^30, so that the bias and an accumulator of up to 2^30 do not overflow int32 together. This happens with
/// dead channels (weights near 0, large bias after folding a BatchNormalization); their weights then become
/// 0. `scales` is one per channel, or one in all. Returns the number of scales that were raised.
std::size_t fit_scales_to_bias(std::span<const float> bias, float input_scale, std::span<float> scales);

/// bias[c] / (input_scale·scales[c]) as int32, half to even; `scales` one per channel, or one in all.
std::vector<std::int32_t> quantize_bias(std::span<const float> bias, float input_scale,
                                        std::span<const float> scales);

/// The units of a quantized bias: input_scale·scales[c].
std::vector<float> bias_scales(float input_scale, std::span<const float> scales);

/// Signal to quantization noise in dB: 10·log10(Σ reference² / Σ (reference - other)²); infinite where both
/// are equal.
double sqnr_db(std::span<const float> reference, std::span<const float> other);

}  // namespace press
