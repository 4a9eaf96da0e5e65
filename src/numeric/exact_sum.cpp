#include "press/numeric/exact_sum.h"

#include <cmath>
#include <limits>

namespace press {

void ExactSum::add(float x) {
  if (x == 0.0F) return;
  constexpr int kDigits = std::numeric_limits<float>::digits;
  int exponent = 0;
  const float mantissa = std::frexp(x, &exponent);
  terms_[exponent - kDigits] += static_cast<std::int64_t>(std::ldexp(mantissa, kDigits));
}

void ExactSum::merge(const ExactSum& other) {
  for (const auto& [exponent, mantissas] : other.terms_) terms_[exponent] += mantissas;
}

double ExactSum::value() const {
  double sum = 0;
  for (const auto& [exponent, mantissas] : terms_)
    sum += std::ldexp(static_cast<double>(mantissas), exponent);
  return sum;
}

}  // namespace press
