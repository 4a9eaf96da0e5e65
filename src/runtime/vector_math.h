// Functions of one number without branches or calls, so that loops over them are vectorized (see
// press/support/vector_loops.h).
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "press/support/vector_loops.h"

namespace press {

/// e^x to about 1 unit in the last place, without branches, so that loops over it are vectorized. x = n ln 2
/// + r with |r| <= ln 2 / 2, e^r by its Taylor polynomial of degree 7; 2^n goes into the exponent in two
/// halves, which reaches the denormal numbers too.
PRESS_VECTOR_INLINE float exponential(float x) {
  const float clamped = std::min(std::max(x, -104.0F), 89.0F);
  const float shifted =
      clamped * std::numbers::log2e_v<float> + 12582912.0F;  // 1.5 * 2^23: rounds to an integer
  const float n = shifted - 12582912.0F;
  const float r = (clamped - n * 0.693359375F) + n * 2.12194440e-4F;  // ln 2 in two parts
  float p = 1.0F / 5040.0F;
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const auto whole = static_cast<std::int32_t>(n);
  const std::int32_t half = whole >> 1;
  const float low = std::bit_cast<float>((half + 127) << 23);
  const float high = std::bit_cast<float>((whole - half + 127) << 23);
  const float result = p * low * high;
  return x != x ? x : result;
}

PRESS_VECTOR_INLINE float logistic(float x) {
  return 1.0F / (1.0F + exponential(-x));
}

/// tanh: near 0 by its continued fraction (Lambert) cut after x^2/11, elsewhere 1 - 2 / (e^2|x| + 1).
PRESS_VECTOR_INLINE float hyperbolic_tangent(float x) {
  const float a = std::abs(x), s = x * x;
  const float near = x / (1.0F + s / (3.0F + s / (5.0F + s / (7.0F + s / (9.0F + s / 11.0F)))));
  const float far = std::copysign(1.0F - 2.0F / (exponential(2.0F * std::min(a, 20.0F)) + 1.0F), x);
  return x != x ? x : a < 0.625F ? near : far;
}

/// erf to a few units in the last place: x P(x^2) / Q(x^2) on [-4, 4], beyond which the result is 1 in
/// float32 (the rational minimax approximation that Eigen and XLA use).
PRESS_VECTOR_INLINE float error_function(float x) {
  const float c = std::min(std::max(x, -4.0F), 4.0F);
  const float s = c * c;
  float p = -2.72614225801306e-10F;
  p = p * s + 2.77068142495902e-08F;
  p = p * s - 2.10102402082508e-06F;
  p = p * s - 5.69250639462346e-05F;
  p = p * s - 7.34990630326855e-04F;
  p = p * s - 2.95459980854025e-03F;
  p = p * s - 1.60960333262415e-02F;
  float q = -1.45660718464996e-05F;
  q = q * s - 2.13374055278905e-04F;
  q = q * s - 1.68282697438203e-03F;
  q = q * s - 7.37332916720468e-03F;
  q = q * s - 1.42647390514189e-02F;
  const float result = c * p / q;
  return x != x ? x : result;
}

/// The nearest integer, half to even, for |value| below 2^22: the sum has no bits left for fractions.
PRESS_VECTOR_INLINE float round_small(float value) {
  constexpr float kShift = 12582912.0F;  // 1.5 · 2^23
  return (value + kShift) - kShift;
}

}  // namespace press
