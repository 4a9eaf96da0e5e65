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

namespace press {

/// A closed interval of real values.
struct Range {
  float lo = 0;
  float hi = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

class Histogram {
 public:
  static constexpr int kHalf = 2048;  // bins on each side of 0

  /// NaN and infinities are counted apart and enter neither bins nor min and max.
  void add(std::span<const float> values);
  void merge(const Histogram& other);

  std::uint64_t count() const { return count_; }            // finite values
  std::uint64_t non_finite() const { return non_finite_; }  // NaN and infinities
  /// Exact extremes of the finite values; 0 and 0 where there are none.
  Range min_max() const { return {min_, max_}; }
  /// The range that holds `percent` of the values (0 < percent <= 100): (100 - percent) are cut, shared
  /// between both tails; a side without values (all of one sign) keeps its extreme. Bin precision.
  Range percentile(double percent) const;

  /// Bin width is 2^exponent().
  int exponent() const { return exponent_; }
  /// 2·kHalf counts, the first one for the bin [-kHalf·2^k, (-kHalf+1)·2^k); empty where count() is 0.
  std::span<const std::uint64_t> bins() const { return bins_; }

  friend bool operator==(const Histogram&, const Histogram&) = default;

 private:
  void grow_to(int exponent);

  std::vector<std::uint64_t> bins_;
  int exponent_ = 0;
  float min_ = 0;
  float max_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t non_finite_ = 0;
};

}  // namespace press
