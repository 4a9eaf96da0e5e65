// A sum of floats without rounding, so that their order and grouping never show.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

namespace press {

/// Mantissas are added up as integers, apart for each exponent.
class ExactSum {
 public:
  using Terms = std::map<int, std::int64_t>;  // by exponent: their sum is Σ mantissas · 2^exponent

  ExactSum() = default;
  explicit ExactSum(Terms terms) : terms_(std::move(terms)) {}

  /// `x` must be finite; up to 2^39 of them.
  void add(float x);
  void merge(const ExactSum& other);

  double value() const;
  const Terms& terms() const { return terms_; }

  friend bool operator==(const ExactSum&, const ExactSum&) = default;

 private:
  Terms terms_;
};

}  // namespace press
