#include "runtime/vector_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace press {
namespace {

/// The largest error of `function` against `exact` on [-limit, limit], relative to max(|exact|, floor).
template <typename Function, typename Exact>
double largest_error(float limit, double floor, const Function& function, const Exact& exact) {
  double largest = 0;
  for (int i = -100000; i <= 100000; ++i) {
    const float x = limit * static_cast<float>(i) / 100000.0F;
    const double expected = exact(static_cast<double>(x));
    largest = std::max(largest, std::abs(function(x) - expected) / std::max(std::abs(expected), floor));
  }
  return largest;
}

TEST(VectorMath, ComesCloseToTheExactFunctions) {
  EXPECT_LT(largest_error(
                80, 1e-30, [](float x) { return exponential(x); }, [](double x) { return std::exp(x); }),
            3e-7);
  EXPECT_LT(largest_error(
                6, 1e-30, [](float x) { return error_function(x); }, [](double x) { return std::erf(x); }),
            5e-7);
  EXPECT_LT(
      largest_error(
          10, 1e-30, [](float x) { return hyperbolic_tangent(x); }, [](double x) { return std::tanh(x); }),
      5e-7);
  EXPECT_LT(
      largest_error(
          80, 1e-30, [](float x) { return logistic(x); }, [](double x) { return 1 / (1 + std::exp(-x)); }),
      5e-7);
}

TEST(VectorMath, KeepsNan) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(exponential(kNan)));
  EXPECT_TRUE(std::isnan(error_function(kNan)));
  EXPECT_TRUE(std::isnan(hyperbolic_tangent(kNan)));
}

TEST(VectorMath, RoundsHalvesToEven) {
  EXPECT_EQ(round_small(0.5F), 0.0F);
  EXPECT_EQ(round_small(1.5F), 2.0F);
  EXPECT_EQ(round_small(-2.5F), -2.0F);
  EXPECT_EQ(round_small(-126.6F), -127.0F);
}

}  // namespace
}  // namespace press
