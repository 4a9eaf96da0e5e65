#include <gtest/gtest.h>

#include "runtime/session_support.h"

namespace press {
namespace {

TEST(SoftmaxCrossEntropyLoss, WeighsTheMean) {
  const auto outputs =
      run_operators(13,
                    R"((float[2,3] scores, int64[2] targets, float[3] weights) => (y, p) {
                                       y, p = SoftmaxCrossEntropyLoss<reduction = "mean">(scores, targets, weights) })",
                    {floats({2, 3}, {1, 2, 3, 0, 0, 0}), int64s({2}, {2, 0}), floats({3}, {1, 1, 3})});
  expect_floats(outputs.at(0), {}, {0.5803576F});
  expect_floats(outputs.at(1), {2, 3},
                {-2.407606F, -1.407606F, -0.407606F, -1.0986123F, -1.0986123F, -1.0986123F});
}

TEST(NegativeLogLikelihoodLoss, LeavesOutTheIgnoredClass) {
  const auto outputs = run_operators(13,
                                     R"((float[3,2] logs, int64[3] targets) => (y, z) {
                                       y = NegativeLogLikelihoodLoss<reduction = "mean", ignore_index = -1>(logs, targets)
                                       z = NegativeLogLikelihoodLoss<reduction = "none", ignore_index = -1>(logs, targets) })",
                                     {floats({3, 2}, {-1, -2, -3, -4, -5, -6}), int64s({3}, {0, -1, 1})});
  expect_floats(outputs.at(0), {}, {3.5F});
  expect_floats(outputs.at(1), {3}, {1, 0, 6});
}

}  // namespace
}  // namespace press
