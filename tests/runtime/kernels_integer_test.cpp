// Integer arithmetic, indices and casts at their limits: defined results or errors, never a crash.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "runtime/session_support.h"

namespace press {
namespace {

constexpr std::int32_t kLowest = std::numeric_limits<std::int32_t>::min();

std::string binary(const char* node) {
  return std::string(
             "<ir_version: 8, opset_import: [\"\" : 17]> g (int32[N] a, int32[N] b) => (int32[N] y) { ") +
         node + " }";
}

Tensor ints(const std::vector<std::int32_t>& values) {
  return Tensor::of<std::int32_t>({static_cast<std::int64_t>(values.size())}, values);
}

TEST(IntegerKernels, DivisionTruncatesAndWraps) {
  const Model model = parsed(binary("y = Div(a, b)"));
  EXPECT_EQ(run_graph(*model.graph, {ints({-7, 7, kLowest}), ints({2, -2, -1})}).at(0),
            ints({-3, -3, kLowest}));
  EXPECT_NE(failure(*model.graph, {ints({1}), ints({0})}).find("division by 0"), std::string::npos);
}

TEST(IntegerKernels, RemainderFollowsTheDivisor) {
  const Model model = parsed(binary("y = Mod(a, b)"));
  EXPECT_EQ(run_graph(*model.graph, {ints({-7, 7, kLowest}), ints({3, -3, -1})}).at(0), ints({2, -2, 0}));
  EXPECT_NE(failure(*model.graph, {ints({1}), ints({0})}).find("by 0"), std::string::npos);
}

TEST(IntegerKernels, ShiftsToTheRightKeepTheSign) {
  const Model model = parsed(binary("y = BitShift<direction = \"RIGHT\">(a, b)"));
  EXPECT_EQ(run_graph(*model.graph, {ints({-8, 8, -1, 4}), ints({1, 2, 40, -1})}).at(0),
            ints({-4, 2, -1, 0}));
}

TEST(IntegerKernels, SumsWrapAround) {
  const Model model = parsed(binary("y = Sub(a, b)"));
  EXPECT_EQ(run_graph(*model.graph, {ints({kLowest}), ints({1})}).at(0),
            ints({std::numeric_limits<std::int32_t>::max()}));
}

TEST(IntegerKernels, CastsOfWhatDoesNotFitSaturate) {
  const Model model = parsed(
      R"(<ir_version: 8, opset_import: ["" : 17]> g (float[N] x) => (int32[N] y) { y = Cast<to = 6>(x) })");
  EXPECT_EQ(run_graph(*model.graph, {floats({4}, {1e20F, -1e20F, NAN, -1.9F})}).at(0),
            ints({std::numeric_limits<std::int32_t>::max(), kLowest, 0, -1}));
}

TEST(IntegerKernels, IndicesAreChecked) {
  const Model model = parsed(
      R"(<ir_version: 8, opset_import: ["" : 17]> g (float[3] x, int64[N] i) => (float[N] y) { y = Gather(x, i) })");
  const Tensor x = floats({3}, {1, 2, 3});
  EXPECT_EQ(
      run_graph(*model.graph, {x, Tensor::of<std::int64_t>({2}, std::vector<std::int64_t>{-1, 0})}).at(0),
      floats({2}, {3, 1}));
  EXPECT_NE(
      failure(*model.graph, {x, Tensor::of<std::int64_t>({1}, std::vector<std::int64_t>{3})}).find("index 3"),
      std::string::npos);
}

TEST(IntegerKernels, MatrixProductTakesFloat16Scales) {
  const Model model = parsed(R"(<ir_version: 10, opset_import: ["" : 21]>
    g (uint8[1,2] a, float16 a_scale, uint8 a_zero, uint8[2,1] b, float16 b_scale, uint8 b_zero,
       float16 y_scale, uint8 y_zero) => (uint8[1,1] y) {
      y = QLinearMatMul(a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero)
    })");
  const auto bytes = [](Dims dims, const std::vector<std::uint8_t>& values) {
    return Tensor::of<std::uint8_t>(dims, values);
  };
  const auto half = [](float value) { return Tensor::scalar(to_float16(value)); };
  // (5 · 3 + 250 · 2 - what the zero points take) · 0.5 · 0.25 / 2 + 7
  EXPECT_EQ(
      run_graph(*model.graph, {bytes({1, 2}, {5, 250}), half(0.5F), bytes({}, {2}), bytes({2, 1}, {4, 3}),
                               half(0.25F), bytes({}, {1}), half(2), bytes({}, {7})})
          .at(0),
      bytes({1, 1}, {39}));
}

}  // namespace
}  // namespace press
