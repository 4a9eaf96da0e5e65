#include "press/numeric/pruning_solver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "numeric/random_matrix.h"
#include "press/numeric/layer_solver.h"

namespace press {
namespace {

using test::random_matrix;

/// A·Aᵀ + I.
Matrix covariance_of(std::size_t d, std::uint32_t seed) {
  const Matrix a = random_matrix(d, d, seed);
  Matrix covariance(d, d);
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j < d; ++j) {
      for (std::size_t k = 0; k < d; ++k) covariance.at(i, j) += a.at(i, k) * a.at(j, k);
    }
    covariance.at(i, i) += 1;
  }
  return covariance;
}

ColumnMoments uncompressed(const Matrix& covariance) {
  const std::vector<double> zeros(covariance.rows);
  return {.mean = zeros, .reference_mean = zeros, .covariance = covariance, .cross = covariance};
}

double error_without(const Matrix& weights, const Matrix& covariance,
                     const std::vector<std::uint8_t>& zeros) {
  Matrix difference = masked_least_squares(weights, uncompressed(covariance), zeros, 0, 1);
  for (std::size_t i = 0; i < difference.values.size(); ++i) difference.values[i] -= weights.values[i];
  double error = 0;
  for (const double variance : output_variances(difference, covariance)) error += variance;
  return error;
}

TEST(PruningSolver, TheFirstLossIsThatOfTheBestSingleRemoval) {
  const Matrix weights = random_matrix(1, 6, 1);
  const Matrix covariance = covariance_of(6, 2);
  const RemovalTrace trace = removal_trace(weights, covariance, {}, 1);
  double least = 1e30;
  std::uint32_t best = 0;
  for (std::uint32_t j = 0; j < 6; ++j) {
    std::vector<std::uint8_t> zeros(6);
    zeros[j] = 1;
    const double error = error_without(weights, covariance, zeros);
    if (error < least) {
      least = error;
      best = j;
    }
  }
  EXPECT_EQ(trace.order[0], best);
  EXPECT_NEAR(trace.losses[0], least, 1e-4 * least);
}

TEST(PruningSolver, LossesAddUpToTheErrorAndEveryColumnGoesOnce) {
  const Matrix weights = random_matrix(3, 12, 3);
  const Matrix covariance = covariance_of(12, 4);
  const RemovalTrace trace = removal_trace(weights, covariance, {}, 2);
  for (std::size_t i = 0; i < 3; ++i) {
    std::vector<std::uint32_t> columns(trace.order.begin() + static_cast<std::ptrdiff_t>(i * 12),
                                       trace.order.begin() + static_cast<std::ptrdiff_t>(i * 12 + 12));
    std::ranges::sort(columns);
    for (std::uint32_t j = 0; j < 12; ++j) EXPECT_EQ(columns[j], j);
    EXPECT_TRUE(std::is_sorted(trace.losses.begin() + static_cast<std::ptrdiff_t>(i * 12),
                               trace.losses.begin() + static_cast<std::ptrdiff_t>(i * 12 + 12)));
  }
}

TEST(PruningSolver, ManyRemovalsAreThoseOfOneStepAtATime) {
  constexpr std::size_t kWidth = 90;
  const Matrix weights = random_matrix(1, kWidth, 11);
  const Matrix covariance = covariance_of(kWidth, 12);
  const RemovalTrace trace = removal_trace(weights, covariance, {}, 1);
  std::vector<std::uint8_t> zeros(kWidth);
  double before = 0, largest = 0;
  for (std::size_t k = 0; k < kWidth; ++k) {
    zeros[trace.order[k]] = 1;
    const double error = error_without(weights, covariance, zeros);
    largest = std::max(largest, error - before);
    before = error;
    EXPECT_NEAR(trace.losses[k], largest, 2e-3 * largest) << "removal " << k;
  }
}

TEST(PruningSolver, ThreadsChangeNothing) {
  const Matrix weights = random_matrix(7, 20, 5);
  const Matrix covariance = covariance_of(20, 6);
  const RemovalTrace one = removal_trace(weights, covariance, {}, 1),
                     three = removal_trace(weights, covariance, {}, 3);
  EXPECT_EQ(one.order, three.order);
  EXPECT_EQ(one.losses, three.losses);
}

TEST(PruningSolver, LeastSquaresKeepsTheMaskAndBeatsPlainZeros) {
  const Matrix weights = random_matrix(4, 16, 7);
  const Matrix covariance = covariance_of(16, 8);
  std::vector<std::uint8_t> zeros(weights.values.size());
  for (std::size_t i = 0; i < zeros.size(); i += 2) zeros[i] = 1;
  const Matrix solved = masked_least_squares(weights, uncompressed(covariance), zeros, 0, 2);
  double plain = 0;
  Matrix difference = weights;
  for (std::size_t i = 0; i < zeros.size(); ++i) {
    if (zeros[i] != 0) {
      EXPECT_EQ(solved.values[i], 0);
    }
    difference.values[i] = zeros[i] != 0 ? weights.values[i] : 0;
  }
  for (const double variance : output_variances(difference, covariance)) plain += variance;
  EXPECT_LT(error_without(weights, covariance, zeros), 0.7 * plain);
}

TEST(PruningSolver, WideRowsAreSolvedToo) {
  constexpr std::size_t kWide = 1200;
  Matrix covariance(kWide, kWide);
  for (std::size_t i = 0; i < kWide; ++i) {
    covariance.at(i, i) = 2;
    if (i + 1 < kWide) covariance.at(i, i + 1) = covariance.at(i + 1, i) = 0.9;
  }
  const Matrix weights = random_matrix(1, kWide, 9);
  std::vector<std::uint8_t> zeros(kWide);
  for (std::size_t i = 0; i < kWide; i += 2) zeros[i] = 1;
  const Matrix solved = masked_least_squares(weights, uncompressed(covariance), zeros, 0, 1);
  // With every second weight gone the others are independent: w_j + 0.45·(w_(j-1) + w_(j+1)).
  for (std::size_t j = 1; j + 1 < kWide; j += 2) {
    EXPECT_NEAR(solved.at(0, j), weights.at(0, j) + 0.45 * (weights.at(0, j - 1) + weights.at(0, j + 1)),
                1e-5);
  }
  EXPECT_EQ(removal_trace(weights, covariance, {}, 1).order.size(), kWide);
}

TEST(PruningSolver, WideRowsOfRelatedInputsComeCloseToTheExactSolution) {
  constexpr std::size_t kWide = 1200, kRows = 64;  // as many of one support are solved exactly
  Matrix covariance(kWide, kWide);
  for (std::size_t i = 0; i < kWide; ++i) {
    for (std::size_t j = 0; j < kWide; ++j) {
      const auto apart = static_cast<double>(i > j ? i - j : j - i);
      covariance.at(i, j) = std::pow(0.9, apart) + (i == j ? 0.02 : 0);
    }
  }
  Matrix weights(kRows, kWide);
  const Matrix row = random_matrix(1, kWide, 13);
  for (std::size_t i = 0; i < kRows; ++i) std::ranges::copy(row.values, weights.row(i).begin());
  std::vector<std::uint8_t> zeros(kRows * kWide);
  for (std::size_t i = 0; i < zeros.size(); i += 3) zeros[i] = 1;
  const Matrix exact = masked_least_squares(weights, uncompressed(covariance), zeros, 0, 1);
  zeros.resize(kWide);
  const Matrix close = masked_least_squares(row, uncompressed(covariance), zeros, 0, 1);
  const auto error = [&](std::span<const double> solved) {
    Matrix difference(1, kWide);
    for (std::size_t j = 0; j < kWide; ++j) difference.values[j] = solved[j] - row.values[j];
    return output_variances(difference, covariance)[0];
  };
  EXPECT_LT(error(close.row(0)), 1.01 * error(exact.row(0)));
}

TEST(PruningSolver, DeadInputsDoNoHarm) {
  const Matrix weights = random_matrix(2, 5, 10);
  const RemovalTrace trace = removal_trace(weights, damped(Matrix(5, 5), 1e-3), {}, 1);
  for (const float loss : trace.losses) EXPECT_TRUE(std::isfinite(loss));
  const std::vector<std::uint8_t> all(10, 1);
  for (const double value : masked_least_squares(weights, uncompressed(Matrix(5, 5)), all, 1e-2, 1).values)
    EXPECT_EQ(value, 0);
}

}  // namespace
}  // namespace press
