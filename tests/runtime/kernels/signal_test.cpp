#include <gtest/gtest.h>

#include "runtime/session_support.h"

namespace press {
namespace {

TEST(Dft, OneSideOfARealSignal) {
  const auto outputs = run_operators(17, "(float[1,6,1] x) => (y) { y = DFT<onesided = 1>(x) }",
                                     {floats({1, 6, 1}, {1, 2, 3, 4, 5, 7})});
  expect_floats(outputs.at(0), {1, 4, 2}, {22, 0, -2.5F, 6.0621777F, -3.5F, 2.5980761F, -4, 0});
}

TEST(Dft, GoesBack) {
  const auto outputs = run_operators(20, "(float[1,4,2] x) => (y) { y = DFT<inverse = 1>(x) }",
                                     {floats({1, 4, 2}, {10, 0, -2, 2, -2, 0, -2, -2})});
  expect_floats(outputs.at(0), {1, 4, 2}, {1, 0, 2, 0, 3, 0, 4, 0});
}

TEST(Stft, WeighsEachFrame) {
  const auto outputs =
      run_operators(17, "(float[1,4] x, int64 step, float[2] window) => (y) { y = STFT(x, step, window) }",
                    {floats({1, 4}, {1, 2, 3, 4}), int64s({}, {2}), floats({2}, {1, 0.5F})});
  expect_floats(outputs.at(0), {1, 2, 2, 2}, {2, 0, 0, 0, 5, 0, 1, 0});
}

TEST(Windows, AreSymmetricOrPeriodic) {
  const auto outputs = run_operators(
      17,
      "(int64 n) => (a, b, c) { a = HammingWindow<periodic = 0>(n) b = BlackmanWindow(n) c = HannWindow(n) }",
      {int64s({}, {4})});
  expect_floats(outputs.at(0), {4}, {0.0869565F, 0.7717391F, 0.7717391F, 0.0869565F});
  expect_floats(outputs.at(1), {4}, {0, 0.34F, 1, 0.34F});
  expect_floats(outputs.at(2), {4}, {0, 0.5F, 1, 0.5F});
}

TEST(MelWeightMatrix, MakesTriangles) {
  const auto outputs = run_operators(
      17,
      R"((int64 bands, int64 length, int64 rate, float low, float high) => (y) {
                                       y = MelWeightMatrix(bands, length, rate, low, high) })",
      {int64s({}, {1}), int64s({}, {8}), int64s({}, {8000}), floats({}, {0}), floats({}, {4000})});
  // Edges of the only band at bins 0, 0 and 1 of 5: a peak without a left side.
  EXPECT_EQ(outputs.at(0).dims(), (Dims{5, 1}));
  EXPECT_EQ(outputs.at(0).data<float>()[0], 1);
}

}  // namespace
}  // namespace press
