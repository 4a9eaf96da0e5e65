#include <gtest/gtest.h>

#include "runtime/session_support.h"

namespace press {
namespace {

TEST(Col2Im, AddsWindowsUpWhereTheyWereTaken) {
  const auto outputs = run_operators(
      18, "(float[1,4,4] x, int64[2] image, int64[2] block) => (y) { y = Col2Im(x, image, block) }",
      {counted({1, 4, 4}), int64s({2}, {3, 3}), int64s({2}, {2, 2})});
  expect_floats(outputs.at(0), {1, 1, 3, 3}, {0, 5, 5, 10, 30, 20, 10, 25, 15});
}

TEST(MaxUnpool, PutsMaximaBackWhereTheyWere) {
  const char* pooled_and_back = R"((float[1,1,4,4] x) => (y) {
    m, i = MaxPool<kernel_shape = [2,2], strides = [2,2]>(x)
    y = MaxUnpool<kernel_shape = [2,2], strides = [2,2]>(m, i) })";
  const auto outputs = run_operators(11, pooled_and_back, {counted({1, 1, 4, 4})});
  expect_floats(outputs.at(0), {1, 1, 4, 4}, {0, 0, 0, 0, 0, 5, 0, 7, 0, 0, 0, 0, 0, 13, 0, 15});
}

}  // namespace
}  // namespace press
