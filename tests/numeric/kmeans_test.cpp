#include "press/numeric/kmeans.h"

#include <gtest/gtest.h>

#include <random>

namespace press {
namespace {

constexpr KMeansStart kStarts[] = {KMeansStart::kLinear, KMeansStart::kDensity, KMeansStart::kPlusPlus};

double error(std::span<const double> values, std::span<const double> centroids) {
  double sum = 0;
  for (const double value : values) {
    const double difference = value - centroids[nearest(centroids, value)];
    sum += difference * difference;
  }
  return sum;
}

TEST(KMeans, FindsSeparatedGroups) {
  const std::vector<double> values{-5.1, -5, -4.9, 0.1, -0.1, 7, 7.5, 6.5};
  for (const KMeansStart start : kStarts) {
    const std::vector<double> centroids = kmeans(values, 3, start);
    ASSERT_EQ(centroids.size(), 3U);
    EXPECT_NEAR(centroids[0], -5, 1e-12);
    EXPECT_NEAR(centroids[1], 0, 1e-12);
    EXPECT_NEAR(centroids[2], 7, 1e-12);
  }
}

TEST(KMeans, GivesDistinctValuesWhereTheyAreFew) {
  EXPECT_EQ(kmeans({2, 1, 2, 1}, 4, KMeansStart::kLinear), (std::vector<double>{1, 2}));
  EXPECT_EQ(kmeans({3, 3}, 1, KMeansStart::kLinear), std::vector<double>{3});
  EXPECT_EQ(kmeans({1, 2, 6}, 1, KMeansStart::kLinear), std::vector<double>{3});
}

// For a normal distribution the best 4 levels leave 0.1175 of the variance, the best 16 leave 0.009497
// (Max, Quantizing for minimum distortion, 1960, table I).
TEST(KMeans, ComesNearTheOptimumForANormalDistribution) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  std::vector<double> values(100000);
  for (double& value : values) value = normal(random);
  const auto count = static_cast<double>(values.size());
  for (const KMeansStart start : kStarts) {
    EXPECT_NEAR(error(values, kmeans(values, 4, start)) / count, 0.1175, 0.004);
    EXPECT_NEAR(error(values, kmeans(values, 16, start)) / count, 0.0095, 0.002);
  }
}

TEST(Nearest, TakesTheLowerOfTwoEquallyNear) {
  const std::vector<double> centroids{-1, 1, 4};
  EXPECT_EQ(nearest(centroids, -9), 0U);
  EXPECT_EQ(nearest(centroids, 0), 0U);
  EXPECT_EQ(nearest(centroids, 2.6), 2U);
  EXPECT_EQ(nearest(centroids, 9), 2U);
}

}  // namespace
}  // namespace press
