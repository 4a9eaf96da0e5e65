#include <gtest/gtest.h>

#include "runtime/session_support.h"

namespace press {
namespace {

TEST(Einsum, SumsOverAxesThatTheResultLeavesOut) {
  const Tensor x = counted({1, 2, 2});
  expect_floats(
      run_operators(12, R"((float[1,2,2] x) => (y) { y = Einsum<equation = "bij,bkj->bik">(x, x) })", {x})
          .at(0),
      {1, 2, 2}, {1, 3, 3, 13});
  expect_floats(
      run_operators(12, R"((float[1,2,2] x) => (y) { y = Einsum<equation = "...ii->...">(x) })", {x}).at(0),
      {1}, {3});
  expect_floats(
      run_operators(12, R"((float[1,2,2] x) => (y) { y = Einsum<equation = "cba">(x) })", {x}).at(0),
      {2, 2, 1}, {0, 2, 1, 3});
}

TEST(Einsum, RefusesEquationsThatDoNotFit) {
  for (const char* equation : {"ij", "abc->d", "abc,abc", "ab?->a", "abc->aa", ""}) {
    const Model model = parsed(std::string("<ir_version: 8, opset_import: [\"\" : 12]> g (float[A,B,C] x) => "
                                           "(y) { y = Einsum<equation = \"") +
                               equation + "\">(x) }");
    EXPECT_NE(failure(*model.graph, {noise({1, 2, 2})}), "") << equation;
  }
}

TEST(Det, OfEachMatrix) {
  const auto outputs =
      run_operators(11, "(float[2,3,3] x) => (y) { y = Det(x) }",
                    {floats({2, 3, 3}, {1, 2, 3, 0, 1, 4, 5, 6, 0, 0, 1, 0, 1, 0, 0, 0, 0, 2})});
  expect_floats(outputs.at(0), {2}, {1, -2});
}

}  // namespace
}  // namespace press
