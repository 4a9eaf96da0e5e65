#include "press/numeric/quantization.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace press {
namespace {

constexpr float kSmallestScale = std::numeric_limits<float>::min();
constexpr double kLargestBias = 1 << 30;
constexpr float kWeightSteps = 127;

/// Half to even (the rounding mode that every C++ program starts in), saturating.
std::int32_t round_into(double value, IntegerLimits limits) {
  return static_cast<std::int32_t>(
      std::clamp(std::nearbyint(value), static_cast<double>(limits.lo), static_cast<double>(limits.hi)));
}

float scale_at(std::span<const float> scales, std::size_t channel) {
  return scales.size() == 1 ? scales[0] : scales[channel];
}

}  // namespace

IntegerLimits integer_limits(DataType type) {
  switch (type) {
    case DataType::kUint8:
      return {0, 255};
    case DataType::kInt8:
      return {-128, 127};
    case DataType::kUint16:
      return {0, 65535};
    case DataType::kInt16:
      return {-32768, 32767};
    default:
      assert(type == DataType::kInt32);
      return {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
  }
}

std::int32_t QuantParams::quantize(float real) const {
  const double steps = std::nearbyint(static_cast<double>(real / scale));
  return round_into(steps + zero_point, integer_limits(type));
}

float QuantParams::dequantize(std::int32_t integer) const {
  return static_cast<float>(static_cast<std::int64_t>(integer) - zero_point) * scale;
}

Range QuantParams::reach() const {
  const IntegerLimits limits = integer_limits(type);
  return {dequantize(limits.lo), dequantize(limits.hi)};
}

Result<QuantParams> choose_params(Range range, DataType type) {
  if (!std::isfinite(range.lo) || !std::isfinite(range.hi) || range.lo > range.hi) {
    return Error(ErrorCode::kInput,
                 fmt::format("[{}, {}] is no range of numbers to quantize", range.lo, range.hi));
  }
  const IntegerLimits limits = integer_limits(type);
  const double lo = std::min(range.lo, 0.0F);
  const double hi = std::max(range.hi, 0.0F);
  QuantParams params{.type = type};
  if (lo < hi) {
    const double steps = static_cast<double>(limits.hi) - limits.lo;
    params.scale = std::max(static_cast<float>((hi - lo) / steps), kSmallestScale);
  }
  params.zero_point = round_into(limits.lo - lo / params.scale, limits);
  return params;
}

Result<QuantParams> choose_params_within(Range range, Range limit, DataType type) {
  assert(limit.lo <= 0.0F && limit.hi >= 0.0F);
  const Range inside{std::max(range.lo, limit.lo), std::min(range.hi, limit.hi)};
  PRESS_ASSIGN(QuantParams params, choose_params(inside.lo <= inside.hi ? inside : Range{}, type));
  const auto inside_limit = [&limit](const QuantParams& p) {
    return p.reach().lo >= limit.lo && p.reach().hi <= limit.hi;
  };
  if (inside_limit(params)) return params;
  // The zero point above or below its exact place, each with the largest scale that stays inside; the larger
  // one wins.
  const IntegerLimits limits = integer_limits(type);
  const double exact = limits.lo - std::min(static_cast<double>(inside.lo), 0.0) / params.scale;
  QuantParams best{.scale = 0, .type = type};
  for (const double rounded : {std::floor(exact), std::ceil(exact)}) {
    QuantParams candidate = params;
    candidate.zero_point = round_into(rounded, limits);
    const auto shrink = [&](float bound, std::int32_t steps) {
      if (steps == 0) return;
      candidate.scale = std::min(candidate.scale, static_cast<float>(static_cast<double>(bound) / steps));
    };
    shrink(limit.hi, limits.hi - candidate.zero_point);
    shrink(limit.lo, limits.lo - candidate.zero_point);
    candidate.scale = std::max(candidate.scale, kSmallestScale);
    // The last bit: the product of scale and steps must not round over the limit.
    while (!inside_limit(candidate) && candidate.scale > kSmallestScale) {
      candidate.scale = std::nextafter(candidate.scale, 0.0F);
    }
    if (candidate.scale > best.scale) best = candidate;
  }
  return best;
}

std::vector<float> weight_scales(std::span<const float> weights, ChannelLayout layout) {
  const auto channels = static_cast<std::size_t>(layout.channels);
  const auto inner = static_cast<std::size_t>(layout.inner);
  assert(weights.size() == static_cast<std::size_t>(layout.outer) * channels * inner);
  std::vector<float> scales(channels);
  for (std::size_t start = 0, channel = 0; start < weights.size(); start += inner) {
    float& largest = scales[channel];
    for (const float weight : weights.subspan(start, inner)) largest = std::max(largest, std::fabs(weight));
    channel = channel + 1 == channels ? 0 : channel + 1;
  }
  const float largest = channels != 0 ? *std::ranges::max_element(scales) : 0.0F;
  for (float& scale : scales) {
    const float extreme = scale > 0.0F ? scale : largest;
    scale = extreme > 0.0F ? std::max(extreme / kWeightSteps, kSmallestScale) : 1.0F / kWeightSteps;
  }
  return scales;
}

std::vector<std::int8_t> quantize_weights(std::span<const float> weights, ChannelLayout layout,
                                          std::span<const float> scales) {
  const auto channels = static_cast<std::size_t>(layout.channels);
  const auto inner = static_cast<std::size_t>(layout.inner);
  assert(scales.size() == 1 || scales.size() == channels);
  std::vector<std::int8_t> values(weights.size());
  for (std::size_t start = 0, channel = 0; start < weights.size(); start += inner) {
    const float scale = scale_at(scales, channel);
    for (std::size_t i = start; i < start + inner; ++i) {
      values[i] = static_cast<std::int8_t>(
          std::clamp(std::nearbyint(weights[i] / scale), -kWeightSteps, kWeightSteps));
    }
    channel = channel + 1 == channels ? 0 : channel + 1;
  }
  return values;
}

std::size_t fit_scales_to_bias(std::span<const float> bias, float input_scale, std::span<float> scales) {
  assert(scales.size() == 1 || scales.size() == bias.size());
  std::size_t raised = 0;
  for (std::size_t c = 0; c < bias.size(); ++c) {
    float& scale = scales.size() == 1 ? scales[0] : scales[c];
    const auto fits = [&] {
      const float unit = input_scale * scale;
      return unit >= kSmallestScale && std::fabs(static_cast<double>(bias[c])) / unit <= kLargestBias;
    };
    if (fits()) continue;
    const double unit =
        std::max(std::fabs(static_cast<double>(bias[c])) / kLargestBias, 2.0 * kSmallestScale);
    scale = std::max(static_cast<float>(unit / input_scale), kSmallestScale);
    while (!fits()) scale = std::nextafter(scale, std::numeric_limits<float>::infinity());
    ++raised;
  }
  return raised;
}

std::vector<std::int32_t> quantize_bias(std::span<const float> bias, float input_scale,
                                        std::span<const float> scales) {
  std::vector<std::int32_t> values(bias.size());
  const IntegerLimits limits = integer_limits(DataType::kInt32);
  for (std::size_t c = 0; c < bias.size(); ++c) {
    values[c] = round_into(static_cast<double>(bias[c]) / (input_scale * scale_at(scales, c)), limits);
  }
  return values;
}

std::vector<float> bias_scales(float input_scale, std::span<const float> scales) {
  std::vector<float> units(scales.begin(), scales.end());
  for (float& unit : units) unit *= input_scale;
  return units;
}

double sqnr_db(std::span<const float> reference, std::span<const float> other) {
  assert(reference.size() == other.size());
  double signal = 0;
  double noise = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double r = reference[i];
    const double difference = r - other[i];
    signal += r * r;
    noise += difference * difference;
  }
  if (noise == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(signal / noise);
}

}  // namespace press
