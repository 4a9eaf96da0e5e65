#include "press/numeric/pruning_criteria.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "press/numeric/pruning_solver.h"

namespace press {
namespace {

Matrix matrix(std::size_t rows, std::vector<double> values) {
  Matrix made;
  made.rows = rows;
  made.columns = values.size() / rows;
  made.values = std::move(values);
  return made;
}

Matrix diagonal(const std::vector<double>& values) {
  Matrix made(values.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) made.at(i, i) = values[i];
  return made;
}

RemovalTrace trace(PruneMethod method, const CriterionInput& input) {
  return info(method).trace(input);
}

TEST(PruningCriteria, TheListIsInTheOrderOfTheEnumeration) {
  std::set<std::string_view> names;
  for (const PruningCriterion& criterion : all_pruning_criteria()) {
    EXPECT_EQ(&info(criterion.method), &criterion);
    EXPECT_TRUE(names.insert(criterion.name).second);
  }
}

TEST(PruningCriteria, BlocksGoWhole) {
  std::mt19937 random(4);
  std::normal_distribution<double> normal;
  Matrix weights(2, 14);
  for (double& value : weights.values) value = normal(random);
  const Matrix covariance = diagonal({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14});
  const RowPattern pattern{0, 3, 2};  // 0 2 4, 1 3 5, 6 8 10, 7 9 11, and the rest: 12, 13
  for (const PruningCriterion& criterion : all_pruning_criteria()) {
    const RemovalTrace made =
        criterion.trace({.weights = weights, .covariance = &covariance, .pattern = pattern});
    for (std::size_t i = 0; i < 2; ++i) {
      const std::span<const float> losses(made.losses.data() + 14 * i, 14);
      EXPECT_TRUE(std::ranges::is_sorted(losses)) << criterion.name;
      std::map<std::size_t, std::set<float>> of_block;
      std::set<std::uint32_t> columns;
      for (std::size_t k = 0; k < 14; ++k) {
        const std::uint32_t column = made.order[14 * i + k];
        columns.insert(column);
        of_block[pattern.group(column)].insert(losses[k]);
      }
      EXPECT_EQ(columns.size(), 14U);
      for (const auto& [block, different] : of_block) EXPECT_EQ(different.size(), 1U) << criterion.name;
    }
  }
}

TEST(PruningCriteria, EachTraceHoldsEveryColumnOnceAndNeverFalls) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  Matrix weights(3, 8);
  for (double& value : weights.values) value = normal(random);
  const Matrix covariance = diagonal({1, 2, 3, 4, 5, 6, 7, 8});
  for (const PruningCriterion& criterion : all_pruning_criteria()) {
    for (const RowPattern& pattern : {RowPattern{}, RowPattern{2, 4, 1}, RowPattern{1, 2, 2}}) {
      const RemovalTrace made =
          criterion.trace({.weights = weights, .covariance = &covariance, .pattern = pattern});
      for (std::size_t i = 0; i < 3; ++i) {
        std::vector<std::uint32_t> order(made.order.begin() + static_cast<std::ptrdiff_t>(8 * i),
                                         made.order.begin() + static_cast<std::ptrdiff_t>(8 * i + 8));
        const std::span<const float> losses(made.losses.data() + 8 * i, 8);
        if (pattern.given()) {
          // Half of each group goes.
          EXPECT_EQ(std::ranges::count_if(losses, [](float loss) { return std::isfinite(loss); }), 4);
          std::vector<std::size_t> gone(8);
          for (std::size_t k = 0; k < 8; ++k)
            gone[pattern.group(order[k])] += std::isfinite(losses[k]) ? 1 : 0;
          EXPECT_LE(*std::ranges::max_element(gone), pattern.of - pattern.keep);
        } else {
          EXPECT_TRUE(std::ranges::is_sorted(losses)) << criterion.name;
        }
        std::ranges::sort(order);
        for (std::uint32_t j = 0; j < 8; ++j) EXPECT_EQ(order[j], j);
      }
    }
  }
}

TEST(PruningCriteria, LampIsASquareOverWhatIsLeft) {
  const Matrix weights = matrix(1, {3, -1, 2});
  const RemovalTrace made = trace(PruneMethod::kLamp, {.weights = weights});
  EXPECT_EQ(made.order, (std::vector<std::uint32_t>{1, 2, 0}));
  EXPECT_FLOAT_EQ(made.losses[0], 1.0F / 14);
  EXPECT_FLOAT_EQ(made.losses[1], 4.0F / 13);
  EXPECT_FLOAT_EQ(made.losses[2], 1);
}

TEST(PruningCriteria, WandaLooksAtInputs) {
  const Matrix weights = matrix(1, {3, 1, 2});
  const Matrix covariance = diagonal({0.01, 10, 1});
  const RemovalTrace made =
      trace(PruneMethod::kWanda, {.weights = weights, .covariance = &covariance, .energy = 2});
  EXPECT_EQ(made.order, (std::vector<std::uint32_t>{0, 2, 1}));
  EXPECT_FLOAT_EQ(made.losses[0], 0.045F);
}

TEST(RowPattern, ShortRowsStayAndShortTailsFollow) {
  const RowPattern pattern{2, 4, 1};
  EXPECT_EQ(pattern.quotas(3), (std::vector<std::size_t>{0, 0, 0}));
  EXPECT_EQ(pattern.quotas(7), (std::vector<std::size_t>{2, 1}));
  const RowPattern strided{1, 2, 3};
  EXPECT_EQ(strided.group(0), strided.group(3));
  EXPECT_NE(strided.group(0), strided.group(1));
  EXPECT_EQ(strided.quotas(6), (std::vector<std::size_t>{1, 1, 1}));
}

}  // namespace
}  // namespace press
