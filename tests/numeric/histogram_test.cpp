#include "press/numeric/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace press {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> random_values(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.3F, 2.0F);
  std::uniform_int_distribution<int> scale(-20, 6);
  std::vector<float> values(count);
  for (float& value : values) value = std::ldexp(normal(generator), scale(generator));
  return values;
}

/// The bin that the header promises, computed in the plainest way.
std::size_t bin_of(float value, int exponent) {
  return static_cast<std::size_t>(std::floor(std::ldexp(static_cast<double>(value), -exponent)) +
                                  Histogram::kHalf);
}

TEST(Histogram, IsEmptyAtFirst) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.min_max(), (Range{0, 0}));
  EXPECT_TRUE(histogram.bins().empty());
  EXPECT_EQ(histogram.percentile(99), (Range{0, 0}));
}

TEST(Histogram, PutsEachValueIntoTheBinOfItsFloor) {
  for (const std::size_t count : {1000U, 100000U}) {
    const std::vector<float> values = random_values(count, 7);
    Histogram histogram;
    histogram.add(values);
    std::vector<std::uint64_t> expected(2 * Histogram::kHalf);
    for (const float value : values) ++expected[bin_of(value, histogram.exponent())];
    EXPECT_TRUE(std::ranges::equal(histogram.bins(), expected));
    EXPECT_EQ(histogram.min_max().lo, *std::ranges::min_element(values));
    EXPECT_EQ(histogram.min_max().hi, *std::ranges::max_element(values));
  }
}

TEST(Histogram, TakesTheSmallestBinsThatHoldTheRange) {
  Histogram histogram;
  histogram.add(std::vector<float>{1.0F, -2048.0F});
  EXPECT_EQ(histogram.exponent(), 1);
  EXPECT_EQ(histogram.bins()[Histogram::kHalf - 1024], 1U);
  EXPECT_EQ(histogram.bins()[Histogram::kHalf], 1U);
  Histogram smaller;
  smaller.add(std::vector<float>{2047.5F});
  EXPECT_EQ(smaller.exponent(), 0);
}

/// The same but for how the values are shared out over samples.
void expect_same_values(const Histogram& a, const Histogram& b) {
  EXPECT_EQ(a.count(), b.count());
  EXPECT_EQ(a.min_max(), b.min_max());
  EXPECT_EQ(a.exponent(), b.exponent());
  EXPECT_TRUE(std::ranges::equal(a.bins(), b.bins()));
}

TEST(Histogram, DoesNotDependOnOrderOrSplit) {
  std::vector<float> values = random_values(200000, 11);
  Histogram whole;
  whole.add(values);
  std::mt19937 generator(5);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{777}, std::size_t{40000}}) {
    std::ranges::shuffle(values, generator);
    Histogram left;
    Histogram right;
    for (std::size_t start = 0; start < values.size(); start += piece) {
      (start % 3 == 0 ? left : right)
          .add(std::span(values).subspan(start, std::min(piece, values.size() - start)));
    }
    Histogram one = left;
    one.merge(right);
    right.merge(left);
    expect_same_values(one, whole);
    expect_same_values(right, whole);
  }
}

TEST(Histogram, MergesWithAnEmptyOne) {
  Histogram some;
  some.add(std::vector<float>{1.0F, 3.0F});
  Histogram empty;
  Histogram copy = some;
  copy.merge(empty);
  EXPECT_EQ(copy, some);
  empty.merge(some);
  EXPECT_EQ(empty, some);
}

TEST(Histogram, CountsNonFiniteValuesApart) {
  std::vector<float> values(100, 0.5F);
  values[3] = kNan;
  values[50] = kInfinity;
  values[99] = -kInfinity;
  Histogram histogram;
  histogram.add(values);
  EXPECT_EQ(histogram.non_finite(), 3U);
  EXPECT_EQ(histogram.count(), 97U);
  EXPECT_EQ(histogram.min_max(), (Range{0.5F, 0.5F}));
}

TEST(Histogram, HoldsExtremeMagnitudes) {
  const float largest = std::numeric_limits<float>::max();
  const float smallest = std::numeric_limits<float>::denorm_min();
  Histogram histogram;
  histogram.add(std::vector<float>{smallest, -smallest, 0.0F, -0.0F});
  histogram.add(std::vector<float>{largest, -largest});
  EXPECT_EQ(histogram.min_max(), (Range{-largest, largest}));
  Histogram backwards;
  backwards.add(std::vector<float>{largest, -largest, -0.0F, 0.0F, -smallest, smallest});
  expect_same_values(histogram, backwards);
  EXPECT_EQ(histogram.bins()[Histogram::kHalf], 3U);      // 0, -0 and the smallest positive value
  EXPECT_EQ(histogram.bins()[Histogram::kHalf - 1], 1U);  // the smallest negative one
}

TEST(Histogram, KeepsExtremesOnlyOnRequest) {
  Histogram histogram(Histogram::Detail::kExtremes);
  histogram.add(random_values(5000, 3));
  Histogram binned;
  binned.add(random_values(5000, 3));
  EXPECT_TRUE(histogram.bins().empty());
  EXPECT_EQ(histogram.min_max(), binned.min_max());
  EXPECT_EQ(histogram.percentile(50), histogram.min_max());
  binned.merge(histogram);
  histogram.merge(binned);
  EXPECT_EQ(binned.detail(), Histogram::Detail::kExtremes);
  EXPECT_TRUE(binned.bins().empty());
  EXPECT_EQ(binned.count(), 10000U);
}

TEST(Histogram, PercentileCutsBothTails) {
  std::vector<float> values;
  for (int i = -1000; i <= 1000; ++i) values.push_back(static_cast<float>(i));
  Histogram histogram;
  histogram.add(values);
  const Range all = histogram.percentile(100);
  EXPECT_EQ(all, (Range{-1000, 1000}));
  const Range ninety = histogram.percentile(90);
  EXPECT_NEAR(ninety.lo, -900, 2);
  EXPECT_NEAR(ninety.hi, 900, 2);
}

TEST(Histogram, PercentileCutsOnlyTheSideThatHasValues) {
  std::vector<float> values;
  for (int i = 0; i < 1000; ++i) values.push_back(static_cast<float>(i));
  Histogram positive;
  positive.add(values);
  EXPECT_EQ(positive.percentile(90).lo, 0);
  EXPECT_NEAR(positive.percentile(90).hi, 900, 2);
  for (float& value : values) value = -value;
  Histogram negative;
  negative.add(values);
  EXPECT_NEAR(negative.percentile(90).lo, -900, 2);
  EXPECT_EQ(negative.percentile(90).hi, 0);
}

TEST(Histogram, AveragesTheExtremesOfEachSample) {
  Histogram histogram(Histogram::Detail::kExtremes);
  histogram.add(std::vector<float>{-1, 3, 0, 5, -4, 1}, 3);
  EXPECT_EQ(histogram.sample_extremes().samples, 3U);
  EXPECT_EQ(histogram.sample_extremes().mean(), (Range{-5.0F / 3, 3}));
  histogram.add(std::vector<float>{2, 6});
  EXPECT_EQ(histogram.sample_extremes().mean(), (Range{-0.75F, 3.75F}));
  EXPECT_EQ(Histogram().sample_extremes().mean(), Range{});
}

TEST(Histogram, AveragesDoNotDependOnTheOrderOfSamplesNorOnBatches) {
  std::vector<float> values;
  for (int i = 0; i < 4000; ++i)
    values.push_back(std::sin(static_cast<float>(i)) * std::exp2(static_cast<float>(i % 61)));
  const std::span<const float> all(values);
  Histogram together, apart, turned;
  together.add(all, 40);
  for (std::size_t i = 0; i < 40; ++i) apart.add(all.subspan(i * 100, 100));
  for (std::size_t i = 40; i-- > 20;) turned.add(all.subspan(i * 100, 100));
  Histogram rest;
  rest.add(all.subspan(0, 2000), 20);
  turned.merge(rest);
  EXPECT_EQ(together, apart);
  EXPECT_EQ(together, turned);
}

}  // namespace
}  // namespace press
