#include "press/numeric/codebook_solver.h"

#include <gtest/gtest.h>

#include <set>

#include "numeric/random_matrix.h"
#include "press/numeric/layer_solver.h"

namespace press {
namespace {

using test::random_matrix;

/// Of inputs that share a strong common part.
Matrix correlated(std::size_t d, std::uint32_t seed) {
  const Matrix samples = random_matrix(20 * d, d + 1, seed);
  Matrix covariance(d, d);
  for (std::size_t s = 0; s < samples.rows; ++s) {
    for (std::size_t i = 0; i < d; ++i) {
      for (std::size_t j = 0; j < d; ++j)
        covariance.at(i, j) += (samples.at(s, i) + 1.5 * samples.at(s, d)) *
                               (samples.at(s, j) + 1.5 * samples.at(s, d)) / static_cast<double>(20 * d);
    }
  }
  return damped(covariance, 1e-2);
}

double output_error(const RowGroup& group, const Matrix& values) {
  Matrix difference = group.target;
  for (std::size_t i = 0; i < difference.values.size(); ++i) difference.values[i] -= values.values[i];
  double error = 0;
  for (const double variance : output_variances(difference, group.covariance)) error += variance;
  return error;
}

std::set<double> distinct(const std::vector<Matrix>& groups) {
  std::set<double> values;
  for (const Matrix& group : groups) values.insert(group.values.begin(), group.values.end());
  return values;
}

TEST(CodebookSolver, ErrsFarLessThanTheNearestCentroids) {
  const RowGroup group{random_matrix(12, 32, 1), correlated(32, 2), {}};
  const RowGroup plain{group.target, {}, {}};
  const std::vector<Matrix> nearest_ones = share_values({plain}, 8, KMeansStart::kDensity);
  const std::vector<Matrix> shared = share_values({group}, 8, KMeansStart::kDensity);
  EXPECT_LE(distinct(shared).size(), 8U);
  EXPECT_EQ(distinct(nearest_ones).size(), 8U);
  EXPECT_LT(output_error(group, shared[0]), 0.5 * output_error(group, nearest_ones[0]));
}

TEST(CodebookSolver, GroupsShareTheirValuesAndZerosStay) {
  std::vector<RowGroup> groups;
  for (std::uint32_t g = 0; g < 5; ++g) {
    groups.push_back({random_matrix(1, 9, 10 + g), correlated(9, 20 + g), std::vector<std::uint8_t>(9)});
    groups.back().zeros[g] = 1;
  }
  const std::vector<Matrix> shared = share_values(groups, 4, KMeansStart::kDensity);
  ASSERT_EQ(shared.size(), 5U);
  for (std::size_t g = 0; g < 5; ++g) EXPECT_EQ(shared[g].values[g], 0);
  EXPECT_LE(distinct(shared).size(), 5U) << "four, and the zero";
}

TEST(CodebookSolver, KeepsWhatHasFewValuesAlready) {
  RowGroup group{random_matrix(4, 6, 3), correlated(6, 4), {}};
  for (double& value : group.target.values) value = value > 0 ? 0.5 : -0.25;
  const std::vector<Matrix> shared = share_values({group}, 4, KMeansStart::kDensity);
  for (std::size_t i = 0; i < group.target.values.size(); ++i)
    EXPECT_NEAR(shared[0].values[i], group.target.values[i], 1e-9);
}

TEST(CodebookSolver, TakesRowsOfZerosAlone) {
  const RowGroup group{random_matrix(2, 3, 5), correlated(3, 6), std::vector<std::uint8_t>(6, 1)};
  EXPECT_EQ(distinct(share_values({group}, 4, KMeansStart::kDensity)), std::set<double>{0});
}

}  // namespace
}  // namespace press
