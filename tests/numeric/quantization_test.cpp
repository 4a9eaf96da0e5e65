#include "press/numeric/quantization.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace press {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

QuantParams params_of(Range range, DataType type) {
  auto params = choose_params(range, type);
  EXPECT_TRUE(params.ok());
  return *params;
}

TEST(ChooseParams, FollowsTheFormula) {
  const QuantParams params = params_of({-1, 3}, DataType::kUint8);
  EXPECT_FLOAT_EQ(params.scale, 4.0F / 255);
  EXPECT_EQ(params.zero_point, 64);  // round(0 + 1·255/4) = round(63.75)
  const QuantParams shifted = params_of({-1, 3}, DataType::kInt8);
  EXPECT_EQ(shifted.zero_point, -64);
  EXPECT_FLOAT_EQ(shifted.scale, params.scale);
}

TEST(ChooseParams, WidensTheRangeToZero) {
  EXPECT_EQ(params_of({2, 5.1F}, DataType::kUint8), (QuantParams{5.1F / 255, 0, DataType::kUint8}));
  EXPECT_EQ(params_of({0, 5.1F}, DataType::kInt8), (QuantParams{5.1F / 255, -128, DataType::kInt8}));
  EXPECT_EQ(params_of({-5.1F, -2}, DataType::kUint8), (QuantParams{5.1F / 255, 255, DataType::kUint8}));
}

TEST(ChooseParams, HandlesDegenerateRanges) {
  EXPECT_EQ(params_of({0, 0}, DataType::kUint8), (QuantParams{1, 0, DataType::kUint8}));
  const QuantParams tiny = params_of({0, std::numeric_limits<float>::denorm_min()}, DataType::kUint8);
  EXPECT_GE(tiny.scale, std::numeric_limits<float>::min());
  const float largest = std::numeric_limits<float>::max();
  const QuantParams huge = params_of({-largest, largest}, DataType::kUint8);
  EXPECT_TRUE(std::isfinite(huge.scale));
  EXPECT_EQ(huge.zero_point, 128);
}

TEST(ChooseParams, RefusesWhatIsNoRange) {
  for (const Range range :
       {Range{0, kInfinity}, Range{-kInfinity, 0}, Range{kNan, 1}, Range{0, kNan}, Range{2, 1}}) {
    const auto params = choose_params(range, DataType::kUint8);
    ASSERT_FALSE(params.ok());
    EXPECT_EQ(params.error().code(), ErrorCode::kInput);
  }
}

TEST(ChooseParams, KeepsZeroExactAndTheErrorBelowHalfAStep) {
  std::mt19937 generator(1);
  std::uniform_int_distribution<int> exponent(-30, 30);
  std::uniform_real_distribution<float> unit(-1, 1);
  for (int trial = 0; trial < 2000; ++trial) {
    const float a = std::ldexp(unit(generator), exponent(generator));
    const float b = std::ldexp(unit(generator), exponent(generator));
    const Range range{std::min(a, b), std::max(a, b)};
    for (const DataType type : {DataType::kUint8, DataType::kInt8}) {
      const QuantParams params = params_of(range, type);
      EXPECT_EQ(params.dequantize(params.quantize(0.0F)), 0.0F);
      const Range reach = params.reach();
      EXPECT_NEAR(reach.lo, std::min(range.lo, 0.0F), params.scale * 0.501F);
      EXPECT_NEAR(reach.hi, std::max(range.hi, 0.0F), params.scale * 0.501F);
      for (int i = 0; i < 20; ++i) {
        const float x = reach.lo + (reach.hi - reach.lo) * (unit(generator) + 1) / 2;
        EXPECT_LE(std::fabs(x - params.dequantize(params.quantize(x))), params.scale * 0.5001F);
      }
      EXPECT_EQ(params.dequantize(params.quantize(reach.hi * 4)), reach.hi);
      EXPECT_EQ(params.dequantize(params.quantize(reach.lo * 4)), reach.lo);
    }
  }
}

TEST(ChooseParamsWithin, NeverReachesOverTheLimit) {
  const auto relu6 = choose_params_within({0, 6}, {0, 6}, DataType::kUint8);
  ASSERT_TRUE(relu6.ok());
  EXPECT_LE(relu6->reach().hi, 6.0F);
  EXPECT_FLOAT_EQ(relu6->scale, 6.0F / 255);
  EXPECT_EQ(relu6->zero_point, 0);
  const auto hard_tanh = choose_params_within({-1, 1}, {-1, 1}, DataType::kUint8);
  ASSERT_TRUE(hard_tanh.ok());
  EXPECT_FLOAT_EQ(hard_tanh->scale, 1.0F / 128);
  EXPECT_GE(hard_tanh->reach().lo, -1.0F);
  EXPECT_LE(hard_tanh->reach().hi, 1.0F);
  std::mt19937 generator(2);
  std::uniform_real_distribution<float> unit(0, 9);
  for (int trial = 0; trial < 2000; ++trial) {
    const Range limit{-unit(generator), unit(generator)};
    const auto params = choose_params_within(limit, limit, DataType::kInt8);
    ASSERT_TRUE(params.ok());
    EXPECT_GE(params->reach().lo, limit.lo);
    EXPECT_LE(params->reach().hi, limit.hi);
    EXPECT_GE(params->scale * 257, limit.hi - limit.lo);  // and gives away no more than a step and a bit
  }
}

TEST(ChooseParamsWithin, LeavesRangesInsideTheLimitAlone) {
  const Range unlimited{-std::numeric_limits<float>::infinity(), std::numeric_limits<float>::infinity()};
  EXPECT_EQ(*choose_params_within({-1, 3}, unlimited, DataType::kUint8),
            params_of({-1, 3}, DataType::kUint8));
}

TEST(Quantize, RoundsHalfToEvenAndSaturates) {
  const QuantParams params{2.0F, 10, DataType::kUint8};
  EXPECT_EQ(params.quantize(1.0F), 10);  // 0.5 -> 0
  EXPECT_EQ(params.quantize(3.0F), 12);  // 1.5 -> 2
  EXPECT_EQ(params.quantize(-1.0F), 10);
  EXPECT_EQ(params.quantize(-3.0F), 8);
  EXPECT_EQ(params.quantize(1e9F), 255);
  EXPECT_EQ(params.quantize(-1e9F), 0);
}

TEST(Weights, TakeOneScaleAChannel) {
  const std::vector<float> weights = {1, -2, 0.5F, /**/ 0.1F, 0.2F, -0.3F};
  const ChannelLayout rows{1, 2, 3};
  const std::vector<float> scales = weight_scales(weights, rows);
  EXPECT_FLOAT_EQ(scales[0], 2.0F / 127);
  EXPECT_FLOAT_EQ(scales[1], 0.3F / 127);
  EXPECT_EQ(quantize_weights(weights, rows, scales), (std::vector<std::int8_t>{64, -127, 32, 42, 85, -127}));
  const ChannelLayout columns{2, 3, 1};
  const std::vector<float> by_column = weight_scales(weights, columns);
  EXPECT_FLOAT_EQ(by_column[0], 1.0F / 127);
  EXPECT_FLOAT_EQ(by_column[1], 2.0F / 127);
  EXPECT_FLOAT_EQ(by_column[2], 0.5F / 127);
  EXPECT_EQ(quantize_weights(weights, columns, by_column)[3], 13);
}

TEST(Weights, NeverUseTheLowestInteger) {
  std::mt19937 generator(3);
  std::normal_distribution<float> normal;
  std::vector<float> weights(16 * 36);
  for (float& weight : weights) weight = normal(generator);
  const ChannelLayout layout{1, 16, 36};
  const std::vector<float> scales = weight_scales(weights, layout);
  const std::vector<std::int8_t> values = quantize_weights(weights, layout, scales);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    EXPECT_GE(values[i], -127);
    EXPECT_LE(std::fabs(static_cast<float>(values[i]) * scales[i / 36] - weights[i]),
              scales[i / 36] * 0.5001F);
  }
}

TEST(Weights, OfADeadChannelTakeTheLargestScaleOfTheOthers) {
  const std::vector<float> scales = weight_scales(std::vector<float>{0, 0, 2, 1, 4, 1}, {1, 3, 2});
  EXPECT_FLOAT_EQ(scales[0], 4.0F / 127);
  EXPECT_FLOAT_EQ(weight_scales(std::vector<float>{0, 0}, {1, 2, 1})[1], 1.0F / 127);
}

TEST(Bias, IsInUnitsOfInputAndWeight) {
  const std::vector<float> scales = {0.5F, 0.25F};
  EXPECT_EQ(quantize_bias(std::vector<float>{1.0F, -1.0F}, 0.5F, scales), (std::vector<std::int32_t>{4, -8}));
  EXPECT_EQ(bias_scales(0.5F, scales), (std::vector<float>{0.25F, 0.125F}));
  EXPECT_EQ(quantize_bias(std::vector<float>{0.125F, 0.375F}, 0.5F, std::vector<float>{0.5F}),
            (std::vector<std::int32_t>{0, 2}));
}

TEST(Bias, RaisesTheScaleOfADeadChannelUntilItFits) {
  const std::vector<float> bias = {0.7F, 0.7F};
  std::vector<float> scales = {0.01F, 1e-20F};
  EXPECT_EQ(fit_scales_to_bias(bias, 0.02F, scales), 1U);
  EXPECT_EQ(scales[0], 0.01F);
  const std::vector<std::int32_t> values = quantize_bias(bias, 0.02F, scales);
  EXPECT_LE(values[1], 1 << 30);
  EXPECT_GE(values[1], (1 << 30) - 1024);
  EXPECT_NEAR(static_cast<float>(values[1]) * bias_scales(0.02F, scales)[1], 0.7F, 1e-6F);
}

TEST(Bias, FitsForAnyMagnitudes) {
  std::mt19937 generator(4);
  std::uniform_int_distribution<int> exponent(-60, 60);
  for (int trial = 0; trial < 2000; ++trial) {
    const std::vector<float> bias = {std::ldexp(1.3F, exponent(generator))};
    const float input_scale = std::ldexp(1.1F, exponent(generator));
    std::vector<float> scales = {std::ldexp(1.7F, exponent(generator))};
    const float before = scales[0];
    const std::size_t raised = fit_scales_to_bias(bias, input_scale, scales);
    EXPECT_EQ(raised != 0, scales[0] > before);
    const double value = quantize_bias(bias, input_scale, scales)[0];
    EXPECT_LE(std::fabs(value), 1 << 30);
    EXPECT_NEAR(value * input_scale * scales[0], bias[0], 0.6 * input_scale * scales[0] + 1e-6 * bias[0]);
  }
}

TEST(Sqnr, IsTheRatioOfEnergies) {
  const std::vector<float> reference = {3, 4};
  EXPECT_DOUBLE_EQ(sqnr_db(reference, std::vector<float>{3, 4.5F}), 20);
  EXPECT_EQ(sqnr_db(reference, reference), std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace press
