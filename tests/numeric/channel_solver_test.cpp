#include "press/numeric/channel_solver.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "numeric/random_matrix.h"
#include "press/numeric/layer_solver.h"
#include "press/numeric/pruning_solver.h"

namespace press {
namespace {

using test::random_matrix;

/// Four channels of two columns each, which three outputs read.
ChannelReading reading(std::uint32_t seed) {
  ChannelReading made;
  made.weights = random_matrix(3, 8, seed);
  const Matrix factor = random_matrix(8, 8, seed + 1);
  Matrix transposed(8, 8);
  for (std::size_t i = 0; i < 8; ++i) {
    for (std::size_t j = 0; j < 8; ++j) transposed.at(j, i) = factor.at(i, j);
  }
  made.covariance = damped(product(factor, transposed), 1e-3);
  made.energy = 5;
  for (std::uint32_t c = 0; c < 4; ++c) made.columns.push_back({2 * c, 2 * c + 1});
  return made;
}

/// What the least-squares fit without some channels leaves, in parts of the energy.
double error_without(const ChannelReading& made, const std::vector<std::size_t>& channels) {
  std::vector<std::uint8_t> zeros(made.weights.values.size());
  for (std::size_t i = 0; i < made.weights.rows; ++i) {
    for (const std::size_t c : channels) {
      for (const std::uint32_t j : made.columns[c]) zeros[i * made.weights.columns + j] = 1;
    }
  }
  const std::vector<double> mean(made.weights.columns);
  Matrix difference = masked_least_squares(
      made.weights,
      {.mean = mean, .reference_mean = mean, .covariance = made.covariance, .cross = made.covariance}, zeros,
      0, 1);
  for (std::size_t i = 0; i < difference.values.size(); ++i) {
    difference.values[i] -= made.weights.values[i];
  }
  double error = 0;
  for (const double variance : output_variances(difference, made.covariance)) error += variance;
  return error / made.energy;
}

TEST(ChannelSolver, TheFirstLossIsThatOfTheBestChannel) {
  const ChannelReading made = reading(1);
  const ChannelTrace trace = channel_trace({made});
  std::vector<double> errors;
  for (std::size_t c = 0; c < 4; ++c) errors.push_back(error_without(made, {c}));
  const auto least = std::ranges::min_element(errors);
  EXPECT_EQ(trace.order.front(), static_cast<std::size_t>(least - errors.begin()));
  EXPECT_NEAR(trace.losses.front(), *least, 1e-9);
}

TEST(ChannelSolver, LossesAddUpToTheErrorOfAllRemovals) {
  const ChannelReading made = reading(3);
  const ChannelTrace trace = channel_trace({made});
  EXPECT_TRUE(std::ranges::is_sorted(trace.losses));
  const double together = error_without(made, {trace.order[0], trace.order[1]});
  EXPECT_LE(together, trace.losses[0] + trace.losses[1] + 1e-9);
  std::vector<std::size_t> order = trace.order;
  std::ranges::sort(order);
  EXPECT_EQ(order, (std::vector<std::size_t>{0, 1, 2, 3}));
}

TEST(ChannelSolver, AllReadersCount) {
  const ChannelReading one = reading(5), other = reading(7);
  const ChannelTrace trace = channel_trace({one, other});
  double least = 1e30;
  for (std::size_t c = 0; c < 4; ++c) {
    least = std::min(least, error_without(one, {c}) + error_without(other, {c}));
  }
  EXPECT_NEAR(trace.losses.front(), least, 1e-9);
  EXPECT_TRUE(channel_trace({}).order.empty());
}

}  // namespace
}  // namespace press
