#include <gtest/gtest.h>

#include "runtime/session_support.h"

namespace press {
namespace {

TEST(RmsNormalization, DividesByTheRootOfTheMeanSquare) {
  const auto outputs =
      run_operators(23, "(float[1,2] x, float[2] s) => (y) { y = RMSNormalization<epsilon = 0.0>(x, s) }",
                    {floats({1, 2}, {1, 7}), floats({2}, {5, 10})});
  expect_floats(outputs.at(0), {1, 2}, {1, 14});
}

TEST(GroupNormalization, HasAScaleForEachChannelFromOpset21On) {
  const char* graph = R"((float[2,4,1,1] x, float[S] scale, float[S] bias) => (y) {
    y = GroupNormalization<num_groups = 2, epsilon = 0.0>(x, scale, bias) })";
  const Tensor x = floats({2, 4, 1, 1}, {1, 3, 2, 6, 0, 4, 1, 2});
  expect_floats(run_operators(21, graph, {x, floats({4}, {1, 2, 3, 4}), floats({4}, {0, 1, 0, 1})}).at(0),
                {2, 4, 1, 1}, {-1, 3, -3, 5, -1, 3, -3, 5});
  expect_floats(run_operators(18, graph, {x, floats({2}, {1, 2}), floats({2}, {0, 1})}).at(0), {2, 4, 1, 1},
                {-1, 1, -1, 3, -1, 1, -1, 3});
}

TEST(SkipLayerNormalization, NormalizesTheSum) {
  const auto outputs = run_operators(
      17,
      R"((float[1,1,2] x, float[1,1,2] skip, float[2] gamma, float[2] beta, float[2] bias) => (y, sum) {
                                       y, , , sum = com.microsoft.SkipLayerNormalization<epsilon = 0.0>(x, skip, gamma, beta, bias) })",
      {floats({1, 1, 2}, {1, 2}), floats({1, 1, 2}, {3, 4}), floats({2}, {2, 2}), floats({2}, {0, 1}),
       floats({2}, {0, 2})});
  expect_floats(outputs.at(0), {1, 1, 2}, {-2, 3});
  expect_floats(outputs.at(1), {1, 1, 2}, {4, 8});
}

TEST(SkipSimplifiedLayerNormalization, KeepsTheMean) {
  const auto outputs = run_operators(17,
                                     R"((float[1,2] x, float[1,2] skip, float[2] gamma) => (y) {
                                       y = com.microsoft.SkipSimplifiedLayerNormalization<epsilon = 0.0>(x, skip, gamma) })",
                                     {floats({1, 2}, {1, 3}), floats({1, 2}, {0, 4}), floats({2}, {5, 5})});
  expect_floats(outputs.at(0), {1, 2}, {1, 7});
}

TEST(EmbedLayerNormalization, AddsUpEmbeddings) {
  const auto ints = [](Dims dims, const std::vector<std::int32_t>& values) {
    return Tensor::of<std::int32_t>(dims, values);
  };
  const auto outputs = run_operators(
      17,
      R"((int32[1,2] ids, float[2,2] words, float[2,2] positions, float[2] gamma, float[2] beta, int32[1,2] mask)
                                       => (y, lengths, sum) {
                                       y, lengths, sum = com.microsoft.EmbedLayerNormalization<epsilon = 0.0>(ids, , words, positions, , gamma, beta, mask) })",
      {ints({1, 2}, {1, 0}), floats({2, 2}, {1, 2, 3, 4}), floats({2, 2}, {0, 1, 0, 3}), floats({2}, {1, 1}),
       floats({2}, {0, 0}), ints({1, 2}, {1, 0})});
  expect_floats(outputs.at(0), {1, 2, 2}, {-1, 1, -1, 1});
  EXPECT_EQ(outputs.at(1), ints({1}, {1}));
  expect_floats(outputs.at(2), {1, 2, 2}, {3, 5, 1, 5});
}

}  // namespace
}  // namespace press
