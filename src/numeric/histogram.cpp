#include "press/numeric/histogram.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>

#include "press/support/vector_loops.h"

namespace press {
namespace {

constexpr std::size_t kBins = std::size_t{2} * Histogram::kHalf;
// Values that are looked at at once: they stay in the first-level cache between the two looks.
constexpr std::size_t kBlock = 4096;
// Equal values come in runs (zeros behind a ReLU); counting neighbours in separate lanes keeps one increment
// from waiting for the other.
constexpr std::size_t kLanes = 4;
// From here on clearing and adding up the lanes pays.
constexpr std::size_t kManyValues = 32768;

// The smallest bin width that keeps every float in range: max|x| < 2^128 = kHalf·2^117; and the smallest
// exponent of a float, subnormals included, so that x·2^-k is never needed beyond a float's own range: |x| >=
// 2^-149.
constexpr int kMinExponent = -126;

/// The smallest k (not below kMinExponent) with magnitude < kHalf·2^k.
int exponent_for(float magnitude) {
  int binary = 0;  // magnitude = m·2^binary with m in [0.5, 1)
  std::frexp(magnitude, &binary);
  return std::max(magnitude == 0.0F ? kMinExponent : binary - 11, kMinExponent);
}

struct Extremes {
  float lo = std::numeric_limits<float>::infinity();
  float hi = -std::numeric_limits<float>::infinity();
  bool all_finite = true;
};

/// One look without branches: independent accumulators are what vector units want.
struct ExtremesLoop {
  static constexpr std::size_t kWidth = 64;

  PRESS_VECTOR_LOOP void run(const float* values, std::size_t size, Extremes* found) {
    float lo[kWidth];
    float hi[kWidth];
    float taint[kWidth];  // x - x is 0 for finite x, else NaN; NaN stays
    for (std::size_t j = 0; j < kWidth; ++j) {
      lo[j] = std::numeric_limits<float>::infinity();
      hi[j] = -std::numeric_limits<float>::infinity();
      taint[j] = 0;
    }
    std::size_t i = 0;
    for (; i + kWidth <= size; i += kWidth) {
      for (std::size_t j = 0; j < kWidth; ++j) {
        const float x = values[i + j];
        lo[j] = x < lo[j] ? x : lo[j];
        hi[j] = x > hi[j] ? x : hi[j];
        taint[j] += x - x;
      }
    }
    for (; i < size; ++i) {
      const float x = values[i];
      lo[0] = x < lo[0] ? x : lo[0];
      hi[0] = x > hi[0] ? x : hi[0];
      taint[0] += x - x;
    }
    for (std::size_t j = 0; j < kWidth; ++j) {
      found->lo = lo[j] < found->lo ? lo[j] : found->lo;
      found->hi = hi[j] > found->hi ? hi[j] : found->hi;
      found->all_finite = found->all_finite && taint[j] == 0.0F;
    }
  }
};

Extremes extremes_of(std::span<const float> values) {
  Extremes found;
  run_vectorized<ExtremesLoop>(values.data(), values.size(), &found);
  return found;
}

/// The bin of each value, as a position in the bins.
struct BinLoop {
  PRESS_VECTOR_LOOP void run(const float* values, std::size_t size, float per_bin, std::int32_t* index) {
    for (std::size_t i = 0; i < size; ++i) {
      const float position = values[i] * per_bin;
      const auto truncated = static_cast<std::int32_t>(position);
      // floor: one less where truncation went up. A negative value that underflows to -0 still belongs below
      // zero.
      const std::int32_t went_up = static_cast<std::int32_t>(static_cast<float>(truncated) > position);
      const std::int32_t vanished =
          static_cast<std::int32_t>(values[i] < 0.0F) & static_cast<std::int32_t>(truncated == 0);
      index[i] = truncated - (went_up | vanished) + Histogram::kHalf;
    }
  }
};

}  // namespace

void SampleExtremes::add(Range extremes) {
  ++samples;
  lo.add(extremes.lo);
  hi.add(extremes.hi);
}

void SampleExtremes::merge(const SampleExtremes& other) {
  samples += other.samples;
  lo.merge(other.lo);
  hi.merge(other.hi);
}

Range SampleExtremes::mean() const {
  if (samples == 0) return {};
  const auto count = static_cast<double>(samples);
  return {static_cast<float>(lo.value() / count), static_cast<float>(hi.value() / count)};
}

Histogram Histogram::from_parts(Range min_max, std::uint64_t count, SampleExtremes sample_extremes,
                                int exponent, std::vector<std::uint64_t> bins) {
  assert(bins.empty() || bins.size() == kBins);
  Histogram made(bins.empty() && count > 0 ? Detail::kExtremes : Detail::kBins);
  made.min_ = min_max.lo;
  made.max_ = min_max.hi;
  made.count_ = count;
  made.sample_extremes_ = std::move(sample_extremes);
  made.exponent_ = exponent;
  made.bins_ = std::move(bins);
  return made;
}

void Histogram::add(std::span<const float> values, std::size_t samples) {
  std::vector<std::uint32_t> lanes;
  if (detail_ == Detail::kBins && values.size() >= kManyValues) lanes.resize(kLanes * kBins);
  if (samples == 0 || values.size() % samples != 0) samples = 1;
  const std::size_t each = values.size() / samples;
  for (std::size_t i = 0; i < samples; ++i) add_sample(values.subspan(i * each, each), lanes);
  flush(lanes);
}

void Histogram::add_sample(std::span<const float> values, std::vector<std::uint32_t>& lanes) {
  Extremes of_sample;
  std::array<float, kBlock> finite;
  for (std::size_t start = 0; start < values.size(); start += kBlock) {
    std::span<const float> block = values.subspan(start, std::min(kBlock, values.size() - start));
    Extremes extremes = extremes_of(block);
    if (!extremes.all_finite) {
      const auto end =
          std::copy_if(block.begin(), block.end(), finite.begin(), [](float x) { return std::isfinite(x); });
      const auto kept = static_cast<std::size_t>(end - finite.begin());
      non_finite_ += block.size() - kept;
      block = std::span<const float>(finite.data(), kept);
      extremes = extremes_of(block);
    }
    if (block.empty()) continue;
    if (detail_ == Detail::kBins) {
      const int exponent = exponent_for(std::max(std::fabs(extremes.lo), std::fabs(extremes.hi)));
      if (bins_.empty() || exponent > exponent_) {
        flush(lanes);
        grow_to(exponent);
      }
    }
    include({extremes.lo, extremes.hi}, block.size());
    of_sample = {std::min(of_sample.lo, extremes.lo), std::max(of_sample.hi, extremes.hi)};
    if (detail_ == Detail::kBins) add_block(block, lanes);
  }
  if (of_sample.lo <= of_sample.hi) sample_extremes_.add({of_sample.lo, of_sample.hi});
}

void Histogram::include(Range extremes, std::uint64_t count) {
  // Adding 0 turns -0 into 0, so that the order of both never shows.
  min_ = (count_ == 0 ? extremes.lo : std::min(min_, extremes.lo)) + 0.0F;
  max_ = (count_ == 0 ? extremes.hi : std::max(max_, extremes.hi)) + 0.0F;
  count_ += count;
}

void Histogram::add_block(std::span<const float> values, std::vector<std::uint32_t>& lanes) {
  std::array<std::int32_t, kBlock> index;
  // A power of two: the product is exact, or rounds towards 0.
  const float per_bin = std::ldexp(1.0F, -exponent_);
  run_vectorized<BinLoop>(values.data(), values.size(), per_bin, index.data());
  if (lanes.empty()) {
    for (std::size_t i = 0; i < values.size(); ++i) ++bins_[static_cast<std::size_t>(index[i])];
    return;
  }
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      ++lanes[lane * kBins + static_cast<std::size_t>(index[i + lane])];
    }
  }
  for (; i < values.size(); ++i) ++lanes[static_cast<std::size_t>(index[i])];
}

void Histogram::flush(std::vector<std::uint32_t>& lanes) {
  if (lanes.empty() || bins_.empty()) return;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const std::uint32_t* counts = lanes.data() + lane * kBins;
    for (std::size_t i = 0; i < kBins; ++i) bins_[i] += counts[i];
  }
  std::ranges::fill(lanes, 0U);
}

void Histogram::grow_to(int exponent) {
  if (bins_.empty()) {
    bins_.resize(kBins);
    exponent_ = exponent;
    return;
  }
  const int shift = exponent - exponent_;
  if (shift <= 0) return;
  std::vector<std::uint64_t> grown(kBins);
  for (std::size_t i = 0; i < kBins; ++i) {
    if (bins_[i] == 0) continue;
    const int bin = static_cast<int>(i) - kHalf;
    const int target = kHalf + (shift < 16 ? bin >> shift : (bin < 0 ? -1 : 0));
    grown[static_cast<std::size_t>(target)] += bins_[i];
  }
  bins_ = std::move(grown);
  exponent_ = exponent;
}

void Histogram::merge(const Histogram& other) {
  if (other.detail_ == Detail::kExtremes || detail_ == Detail::kExtremes) {
    detail_ = Detail::kExtremes;
    bins_.clear();
    exponent_ = 0;
  } else if (!other.bins_.empty()) {
    Histogram aligned = other;
    const int exponent = bins_.empty() ? other.exponent_ : std::max(exponent_, other.exponent_);
    grow_to(exponent);
    aligned.grow_to(exponent);
    for (std::size_t i = 0; i < kBins; ++i) bins_[i] += aligned.bins_[i];
  }
  if (other.count_ > 0) include(other.min_max(), other.count_);
  sample_extremes_.merge(other.sample_extremes_);
  non_finite_ += other.non_finite_;
}

Range Histogram::percentile(double percent) const {
  if (bins_.empty()) return min_max();
  const bool both_tails = min_ < 0.0F && max_ > 0.0F;
  const double cut = static_cast<double>(count_) * (100.0 - std::clamp(percent, 0.0, 100.0)) / 100.0;
  const double per_tail = both_tails ? cut / 2 : cut;
  Range range{min_, max_};
  if (min_ < 0.0F) {
    double below = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(kHalf); ++i) {
      below += static_cast<double>(bins_[i]);
      if (below <= per_tail) continue;
      range.lo = std::max(min_, std::ldexp(static_cast<float>(static_cast<int>(i) - kHalf), exponent_));
      break;
    }
    if (below <= per_tail) range.lo = std::min(0.0F, max_);
  }
  if (max_ > 0.0F) {
    double above = 0;
    for (std::size_t i = kBins; i-- > static_cast<std::size_t>(kHalf);) {
      above += static_cast<double>(bins_[i]);
      if (above <= per_tail) continue;
      range.hi = std::min(max_, std::ldexp(static_cast<float>(static_cast<int>(i) + 1 - kHalf), exponent_));
      break;
    }
    if (above <= per_tail) range.hi = std::max(0.0F, min_);
  }
  return range;
}

}  // namespace press
