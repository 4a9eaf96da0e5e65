#include "press/numeric/layer_solver.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "numeric/random_matrix.h"

namespace press {
namespace {

using test::random_matrix;

/// Covariance of correlated columns: A·Aᵀ/n of random numbers with a strong common part.
Matrix covariance_of(std::size_t d, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Matrix covariance(d, d);
  for (std::size_t sample = 0; sample < 20 * d; ++sample) {
    const double common = normal(random);
    std::vector<double> x(d);
    for (double& value : x) value = normal(random) + 1.5 * common;
    for (std::size_t i = 0; i < d; ++i) {
      for (std::size_t j = 0; j < d; ++j) covariance.at(i, j) += x[i] * x[j] / static_cast<double>(20 * d);
    }
  }
  return covariance;
}

double output_error(const Matrix& a, const Matrix& b, const Matrix& covariance) {
  Matrix difference = a;
  for (std::size_t i = 0; i < difference.values.size(); ++i) difference.values[i] -= b.values[i];
  double error = 0;
  for (const double variance : output_variances(difference, covariance)) error += variance;
  return error;
}

TEST(LayerSolver, TargetIsTheWeightWhereNothingWasCompressedBefore) {
  const Matrix weights = random_matrix(3, 8, 1);
  const ColumnMoments moments{.mean = std::vector<double>(8),
                              .reference_mean = std::vector<double>(8),
                              .covariance = covariance_of(8, 2),
                              .cross = covariance_of(8, 2)};
  const Matrix target = least_squares_target(weights, moments, 1e-2);
  for (std::size_t i = 0; i < weights.values.size(); ++i)
    EXPECT_NEAR(target.values[i], weights.values[i], 1e-9);
}

TEST(LayerSolver, TargetUndoesAScaledInput) {
  const Matrix weights = random_matrix(2, 4, 3);
  ColumnMoments moments{.mean = std::vector<double>(4),
                        .reference_mean = std::vector<double>(4),
                        .covariance = covariance_of(4, 4),
                        .cross = covariance_of(4, 4)};
  // x̂ = x / 2
  for (double& value : moments.covariance.values) value /= 4;
  for (double& value : moments.cross.values) value /= 2;
  const Matrix target = least_squares_target(weights, moments, 0);
  for (std::size_t i = 0; i < weights.values.size(); ++i)
    EXPECT_NEAR(target.values[i], 2 * weights.values[i], 1e-6);
}

TEST(LayerSolver, EachEffortRoundsBetterThanTheOneBefore) {
  const Matrix weights = random_matrix(8, 24, 5);
  const Matrix covariance = damped(covariance_of(24, 6), 1e-2);
  for (const IntegerGrid grid :
       {IntegerGrid{0, 15, false}, IntegerGrid{0, 3, false}, IntegerGrid{-7, 7, true}}) {
    double before = 1e30;
    for (const Rounding rounding : {Rounding::kNearest, Rounding::kFast, Rounding::kThorough}) {
      const RoundedRows rows = round_rows(weights, covariance, grid, rounding);
      const double error = output_error(weights, rows.values, covariance);
      EXPECT_LT(error, before);
      before = error;
      for (std::size_t i = 0; i < rows.codes.size(); ++i) {
        EXPECT_GE(rows.codes[i], grid.lo);
        EXPECT_LE(rows.codes[i], grid.hi);
        const std::size_t row = i / 24;
        EXPECT_DOUBLE_EQ(rows.values.values[i], (rows.codes[i] - rows.zero_points[row]) * rows.scales[row]);
      }
    }
  }
}

TEST(LayerSolver, FixedZerosStay) {
  const Matrix weights = random_matrix(4, 12, 7);
  const Matrix covariance = damped(covariance_of(12, 8), 1e-2);
  std::vector<std::uint8_t> zeros(weights.values.size());
  for (std::size_t i = 0; i < zeros.size(); i += 3) zeros[i] = 1;
  for (const Rounding rounding : {Rounding::kNearest, Rounding::kFast, Rounding::kThorough}) {
    const RoundedRows rows = round_rows(weights, covariance, {0, 15, false}, rounding, zeros);
    for (std::size_t i = 0; i < zeros.size(); i += 3) EXPECT_EQ(rows.values.values[i], 0);
  }
}

TEST(LayerSolver, RowsOfZerosAndInputsThatNeverVaryDoNoHarm) {
  const Matrix nothing(2, 5);
  const Matrix dead(5, 5);
  for (const Rounding rounding : {Rounding::kNearest, Rounding::kFast, Rounding::kThorough}) {
    const RoundedRows rows = round_rows(nothing, damped(dead, 1e-2), {}, rounding);
    for (const double value : rows.values.values) EXPECT_EQ(value, 0);
    for (const double scale : rows.scales) EXPECT_GT(scale, 0);
    const RoundedRows some = round_rows(random_matrix(2, 5, 9), damped(dead, 1e-2), {}, rounding);
    for (const double value : some.values.values) EXPECT_TRUE(std::isfinite(value));
  }
}

}  // namespace
}  // namespace press
