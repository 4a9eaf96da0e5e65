// How far two outputs lie apart, and how well scores hit labels: sums that grow sample by sample.
#pragma once

#include <cstdint>
#include <span>

namespace press {

/// The difference between a reference y and another ŷ, element by element.
class Difference {
 public:
  /// Both of the same length. Elements where one is NaN or infinite and the other not equal to it are counted
  /// apart and enter nothing else.
  void add(std::span<const float> reference, std::span<const float> other);
  void merge(const Difference& part);

  std::uint64_t count() const { return count_; }
  std::uint64_t non_finite() const { return non_finite_; }

  /// Signal to quantization noise, 10·log10(‖y‖² / ‖y - ŷ‖²) in dB; infinite where both are equal.
  double sqnr_db() const;
  /// y·ŷ / (‖y‖ ‖ŷ‖); 1 where both are zero.
  double cosine() const;
  /// mean |y - ŷ|; 0 where nothing was added.
  double mean_absolute() const;
  /// max |y - ŷ|
  double max_absolute() const { return max_absolute_; }
  /// max |y - ŷ| / max |y|; 0 where both are equal. (Element by element it would say nothing: some y are
  /// nearly 0.)
  double max_relative() const;

 private:
  std::uint64_t count_ = 0;
  std::uint64_t non_finite_ = 0;
  double reference_power_ = 0;  // Σ y²
  double other_power_ = 0;      // Σ ŷ²
  double product_ = 0;          // Σ y·ŷ
  double noise_power_ = 0;      // Σ (y - ŷ)²
  double absolute_ = 0;         // Σ |y - ŷ|
  double max_absolute_ = 0;
  double max_reference_ = 0;
};

/// The index of the largest score, the lowest one where several are equal; NaN never wins. -1 where there is
/// none.
std::int64_t arg_max(std::span<const float> scores);

/// Whether fewer than `k` scores come before that of `label` (0 <= label < size) in descending order; equal
/// scores stand in the order of their indices, NaN comes last.
bool in_top(std::span<const float> scores, std::int64_t label, std::int64_t k);

}  // namespace press
