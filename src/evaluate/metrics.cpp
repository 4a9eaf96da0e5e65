#include "press/evaluate/metrics.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace press {

void Difference::add(std::span<const float> reference, std::span<const float> other) {
  assert(reference.size() == other.size());
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double y = reference[i];
    const double approximation = other[i];
    ++count_;
    if (!std::isfinite(y) || !std::isfinite(approximation)) {
      const bool same = y == approximation || (std::isnan(y) && std::isnan(approximation));
      if (!same) ++non_finite_;
      continue;
    }
    const double difference = y - approximation;
    reference_power_ += y * y;
    other_power_ += approximation * approximation;
    product_ += y * approximation;
    noise_power_ += difference * difference;
    absolute_ += std::abs(difference);
    max_absolute_ = std::max(max_absolute_, std::abs(difference));
    max_reference_ = std::max(max_reference_, std::abs(y));
  }
}

void Difference::merge(const Difference& part) {
  count_ += part.count_;
  non_finite_ += part.non_finite_;
  reference_power_ += part.reference_power_;
  other_power_ += part.other_power_;
  product_ += part.product_;
  noise_power_ += part.noise_power_;
  absolute_ += part.absolute_;
  max_absolute_ = std::max(max_absolute_, part.max_absolute_);
  max_reference_ = std::max(max_reference_, part.max_reference_);
}

double Difference::sqnr_db() const {
  if (noise_power_ == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(reference_power_ / noise_power_);
}

double Difference::cosine() const {
  if (reference_power_ == 0 && other_power_ == 0) return 1;
  if (reference_power_ == 0 || other_power_ == 0) return 0;
  return std::min(1.0, product_ / (std::sqrt(reference_power_) * std::sqrt(other_power_)));
}

double Difference::mean_absolute() const {
  const std::uint64_t finite = count_ - non_finite_;
  return finite == 0 ? 0 : absolute_ / static_cast<double>(finite);
}

double Difference::max_relative() const {
  if (max_absolute_ == 0) return 0;
  return max_absolute_ / max_reference_;
}

std::int64_t arg_max(std::span<const float> scores) {
  std::int64_t best = -1;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (std::isnan(scores[i])) continue;
    if (best < 0 || scores[i] > scores[static_cast<std::size_t>(best)]) best = static_cast<std::int64_t>(i);
  }
  return best;
}

bool in_top(std::span<const float> scores, std::int64_t label, std::int64_t k) {
  const auto wanted = static_cast<std::size_t>(label);
  if (std::isnan(scores[wanted])) return false;
  std::int64_t before = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] > scores[wanted] || (scores[i] == scores[wanted] && i < wanted)) ++before;
  }
  return before < k;
}

}  // namespace press
