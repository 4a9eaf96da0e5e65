// A histogram that streams: constant memory, any range, and a result that does not depend on the order of the
// values or on how they were split over batches, threads and shards.
//
// Bins have width 2^k and are anchored at 0, bin i holds [i·2^k, (i+1)·2^k). k is the smallest with max|x| <
// kHalf·2^k. When the range grows, k grows, and pairs of bins merge exactly: floor(floor(x/2^k)/2) =
// floor(x/2^(k+1)). So the bins of any order of insertion or merge are the same.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "press/numeric/exact_sum.h"

namespace press {

/// A closed interval of real values.
struct Range {
  float lo = 0;
  float hi = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

/// The smallest and the largest value of each sample, summed up.
struct SampleExtremes {
  std::uint64_t samples = 0;
  ExactSum lo;
  ExactSum hi;

  void add(Range extremes);
  void merge(const SampleExtremes& other);
  /// 0 and 0 without samples.
  Range mean() const;
  friend bool operator==(const SampleExtremes&, const SampleExtremes&) = default;
};

class Histogram {
 public:
  static constexpr int kHalf = 2048;  // bins on each side of 0

  /// What is kept of the values: count and extremes (several times faster), or the bins too.
  enum class Detail : std::uint8_t { kExtremes, kBins };

  explicit Histogram(Detail detail = Detail::kBins) : detail_(detail) {}

  /// A histogram from its parts, as they were read from a file. `bins` is empty or holds 2·kHalf counts.
  static Histogram from_parts(Range min_max, std::uint64_t count, SampleExtremes sample_extremes,
                              int exponent, std::vector<std::uint64_t> bins);

  /// `values` of so many samples of equal size, one behind the other; values that cannot be shared out evenly
  /// count as one sample. NaN and infinities are counted apart and enter neither bins nor extremes.
  void add(std::span<const float> values, std::size_t samples = 1);
  /// Keeps what both sides have: where one of them has extremes only, so has the result.
  void merge(const Histogram& other);

  Detail detail() const { return detail_; }
  std::uint64_t count() const { return count_; }            // finite values
  std::uint64_t non_finite() const { return non_finite_; }  // NaN and infinities
  /// Exact extremes of the finite values; 0 and 0 where there are none.
  Range min_max() const { return {min_, max_}; }
  const SampleExtremes& sample_extremes() const { return sample_extremes_; }
  /// The range that holds `percent` of the values (0 < percent <= 100): (100 - percent) are cut, shared
  /// between both tails; a side without values (all of one sign) keeps its extreme. Bin precision. Without
  /// bins: min_max().
  Range percentile(double percent) const;

  /// Bin width is 2^exponent().
  int exponent() const { return exponent_; }
  /// 2·kHalf counts, the first one for the bin [-kHalf·2^k, (-kHalf+1)·2^k); empty without bins or where
  /// count() is 0.
  std::span<const std::uint64_t> bins() const { return bins_; }

  friend bool operator==(const Histogram&, const Histogram&) = default;

 private:
  void add_sample(std::span<const float> values, std::vector<std::uint32_t>& lanes);
  void add_block(std::span<const float> values, std::vector<std::uint32_t>& lanes);
  void include(Range extremes, std::uint64_t count);
  void grow_to(int exponent);
  void flush(std::vector<std::uint32_t>& lanes);

  Detail detail_;
  std::vector<std::uint64_t> bins_;
  int exponent_ = 0;
  float min_ = 0;
  float max_ = 0;
  SampleExtremes sample_extremes_;
  std::uint64_t count_ = 0;
  std::uint64_t non_finite_ = 0;
};

}  // namespace press
