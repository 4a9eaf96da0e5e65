#include <gtest/gtest.h>

#include <array>

#include "runtime/session_support.h"

namespace press {
namespace {

TEST(Attention, CausalQueriesSeeNoLaterKey) {
  const auto outputs = run_operators(23,
                                     R"((float[1,1,2,2] q, float[1,1,2,2] k, float[1,1,2,2] v) => (y) {
                                       y = Attention<is_causal = 1, scale = 1.0>(q, k, v) })",
                                     {floats({1, 1, 2, 2}, {1, 0, 0, 1}), floats({1, 1, 2, 2}, {1, 0, 1, 2}),
                                      floats({1, 1, 2, 2}, {1, 2, 3, 4})});
  // The second query scores 0 and 2: shares 1 / (1 + e^2) and the rest.
  expect_floats(outputs.at(0), {1, 1, 2, 2}, {1, 2, 2.761594F, 3.761594F});
}

TEST(Attention, HeadsOfKeysServeSeveralHeadsOfQueries) {
  constexpr std::array mask = {false, true};
  const auto outputs =
      run_operators(23,
                    R"((float[1,1,4] q, float[1,2,2] k, float[1,2,2] v, bool[1,2] mask) => (y) {
                                       y = Attention<q_num_heads = 2, kv_num_heads = 1>(q, k, v, mask) })",
                    {noise({1, 1, 4}), noise({1, 2, 2}), floats({1, 2, 2}, {1, 2, 3, 4}),
                     Tensor::of<bool>({1, 2}, std::span(mask))});
  expect_floats(outputs.at(0), {1, 1, 4}, {3, 4, 3, 4});
}

TEST(Attention, APastComesBeforeTheNewKeys) {
  const auto outputs = run_operators(
      23,
      R"((float[1,1,1,1] q, float[1,1,1,1] k, float[1,1,1,1] v, float[1,1,1,1] pk, float[1,1,1,1] pv)
                       => (y, present_k, present_v) {
                         y, present_k, present_v = Attention(q, k, v, , pk, pv) })",
      {floats({1, 1, 1, 1}, {0}), floats({1, 1, 1, 1}, {5}), floats({1, 1, 1, 1}, {6}),
       floats({1, 1, 1, 1}, {7}), floats({1, 1, 1, 1}, {8})});
  expect_floats(outputs.at(0), {1, 1, 1, 1}, {7});
  expect_floats(outputs.at(1), {1, 1, 2, 1}, {7, 5});
  expect_floats(outputs.at(2), {1, 1, 2, 1}, {8, 6});
}

TEST(Attention, AWindowHidesKeysThatAreFarAway) {
  const auto outputs = run_operators(
      25, R"((float[1,1,3,1] q, float[1,1,3,1] k, float[1,1,3,1] v) => (y) {
    y = Attention<left_window_size = 1, right_window_size = 0>(q, k, v) })",
      {floats({1, 1, 3, 1}, {0, 0, 0}), floats({1, 1, 3, 1}, {1, 2, 3}), floats({1, 1, 3, 1}, {2, 4, 8})});
  expect_floats(outputs.at(0), {1, 1, 3, 1}, {2, 3, 6});
}

TEST(RotaryEmbedding, TurnsPairsByTheAngleOfTheirPosition) {
  const std::vector<Tensor> inputs = {floats({1, 1, 1, 4}, {1, 2, 3, 4}), floats({2, 2}, {1, 1, 0, 1}),
                                      floats({2, 2}, {0, 0, 1, 0}), int64s({1, 1}, {1})};
  const char* halves =
      "(float[1,1,1,4] x, float[2,2] c, float[2,2] s, int64[1,1] p) => (y) { y = RotaryEmbedding(x, c, s, p) "
      "}";
  expect_floats(run_operators(23, halves, inputs).at(0), {1, 1, 1, 4}, {-3, 2, 1, 4});
  const char* pairs =
      "(float[1,1,1,4] x, float[2,2] c, float[2,2] s, int64[1,1] p) => (y) { y = RotaryEmbedding<interleaved "
      "= 1>(x, c, s, p) }";
  expect_floats(run_operators(23, pairs, inputs).at(0), {1, 1, 1, 4}, {-2, 1, 3, 4});
}

}  // namespace
}  // namespace press
