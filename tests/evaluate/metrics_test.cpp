#include "press/evaluate/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace press {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Difference difference_of(const std::vector<float>& reference, const std::vector<float>& other) {
  Difference difference;
  difference.add(reference, other);
  return difference;
}

TEST(Difference, TellsSqnrOfTheDefinition) {
  // ‖y‖² = 25, ‖y - ŷ‖² = 0.25
  const Difference difference = difference_of({3, 4}, {3, 4.5F});
  EXPECT_DOUBLE_EQ(difference.sqnr_db(), 20.0);
  EXPECT_DOUBLE_EQ(difference.max_absolute(), 0.5);
  EXPECT_DOUBLE_EQ(difference.max_relative(), 0.125);
  EXPECT_NEAR(difference.cosine(), (9 + 18) / (5 * std::sqrt(9 + 20.25)), 1e-12);
  EXPECT_EQ(difference.count(), 2U);
}

TEST(Difference, EqualOutputsHaveInfiniteSqnr) {
  const Difference difference = difference_of({1, -2, 0}, {1, -2, 0});
  EXPECT_EQ(difference.sqnr_db(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(difference.max_relative(), 0);
  EXPECT_DOUBLE_EQ(difference.cosine(), 1);
}

TEST(Difference, ZeroReferenceIsNoDivisionByZero) {
  const Difference difference = difference_of({0, 0}, {1, 0});
  EXPECT_EQ(difference.sqnr_db(), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(difference.cosine(), 0);
}

TEST(Difference, CountsWhatIsNotFiniteApart) {
  const Difference difference =
      difference_of({kNan, kInfinity, 1, kInfinity}, {kNan, kInfinity, kNan, -kInfinity});
  EXPECT_EQ(difference.non_finite(), 2U);
  EXPECT_EQ(difference.max_absolute(), 0);
}

TEST(Difference, MergeGivesTheSumsOfTheWhole) {
  Difference merged = difference_of({3}, {3});
  merged.merge(difference_of({4}, {4.5F}));
  EXPECT_DOUBLE_EQ(merged.sqnr_db(), difference_of({3, 4}, {3, 4.5F}).sqnr_db());
  EXPECT_EQ(merged.count(), 2U);
}

TEST(ArgMax, TakesTheFirstOfEqualsAndNeverNan) {
  EXPECT_EQ(arg_max(std::vector<float>{1, 3, 3}), 1);
  EXPECT_EQ(arg_max(std::vector<float>{kNan, -5, kNan}), 1);
  EXPECT_EQ(arg_max(std::vector<float>{kNan}), -1);
  EXPECT_EQ(arg_max({}), -1);
}

TEST(InTop, CountsWhatComesBefore) {
  const std::vector<float> scores{0.1F, 0.5F, 0.3F, 0.5F};
  EXPECT_TRUE(in_top(scores, 1, 1));
  EXPECT_FALSE(in_top(scores, 3, 1));
  EXPECT_TRUE(in_top(scores, 3, 2));
  EXPECT_FALSE(in_top(scores, 0, 3));
  EXPECT_TRUE(in_top(scores, 0, 4));
  EXPECT_FALSE(in_top(std::vector<float>{kNan, 0}, 0, 5));
}

}  // namespace
}  // namespace press
