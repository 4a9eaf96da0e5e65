#include <gtest/gtest.h>

#include "runtime/session_support.h"

namespace press {
namespace {

TEST(DeformConv, MovesItsTaps) {
  const auto outputs = run_operators(
      19, "(float[1,1,3,3] x, float[1,1,2,2] w, float[1,8,2,2] o) => (y) { y = DeformConv(x, w, o) }",
      {counted({1, 1, 3, 3}), floats({1, 1, 2, 2}, {1, 1, 1, 1}),
       floats({1, 8, 2, 2}, std::vector<float>(32, 0.5F))});
  expect_floats(outputs.at(0), {1, 1, 2, 2}, {16, 14, 18, 15});
}

}  // namespace
}  // namespace press
