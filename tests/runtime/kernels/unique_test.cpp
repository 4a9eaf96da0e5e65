#include <gtest/gtest.h>

#include "runtime/session_support.h"

namespace press {
namespace {

TEST(Unique, SortsOrKeepsTheOrder) {
  const char* graph =
      "(float[5] x) => (y, first, inverse, counts) { y, first, inverse, counts = Unique<sorted = 1>(x) }";
  const Tensor x = floats({5}, {3, 1, 3, 2, 1});
  const auto sorted = run_operators(11, graph, {x});
  expect_floats(sorted.at(0), {3}, {1, 2, 3});
  EXPECT_EQ(sorted.at(1), int64s({3}, {1, 3, 0}));
  EXPECT_EQ(sorted.at(2), int64s({5}, {2, 0, 2, 1, 0}));
  EXPECT_EQ(sorted.at(3), int64s({3}, {2, 1, 2}));
  const auto kept = run_operators(11, "(float[5] x) => (y) { y = Unique<sorted = 0>(x) }", {x});
  expect_floats(kept.at(0), {3}, {3, 1, 2});
}

TEST(Unique, ComparesSlicesAlongAnAxis) {
  const auto outputs = run_operators(11, "(float[3,2] x) => (y) { y = Unique<axis = 0>(x) }",
                                     {floats({3, 2}, {1, 2, 0, 5, 1, 2})});
  expect_floats(outputs.at(0), {2, 2}, {0, 5, 1, 2});
}

}  // namespace
}  // namespace press
