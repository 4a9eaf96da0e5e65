#include "press/ir/data_type.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace press {
namespace {

TEST(DataTypes, NamesAndWidthsCoverAllCodes) {
  for (int code = 1; code <= 26; ++code) {
    const auto type = static_cast<DataType>(code);
    EXPECT_EQ(data_type_from_name(name(type)), type) << code;
    EXPECT_EQ(bit_width(type) == 0, type == DataType::kString) << code;
  }
  EXPECT_EQ(bit_width(static_cast<DataType>(27)), 0);
  EXPECT_EQ(bit_width(static_cast<DataType>(-1)), 0);
  EXPECT_EQ(name(DataType::kUndefined), "undefined");
  EXPECT_EQ(data_type_from_name("float33"), std::nullopt);
}

TEST(Halves, EveryHalfSurvivesTheWayThroughFloat) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const Float16 half{static_cast<std::uint16_t>(bits)};
    const float value = to_float(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(to_float(to_float16(value)))) << bits;
    } else {
      EXPECT_EQ(to_float16(value), half) << bits;
    }
  }
}

TEST(Halves, RoundToNearestEvenAndOverflowToInfinity) {
  EXPECT_EQ(to_float16(1.0F).bits, 0x3c00);
  EXPECT_EQ(to_float16(1.0F + 0x1p-11F).bits, 0x3c00) << "a tie goes to even";
  EXPECT_EQ(to_float16(1.0F + 0x3p-11F).bits, 0x3c02);
  EXPECT_EQ(to_float16(65504.0F).bits, 0x7bff);
  EXPECT_EQ(to_float16(65519.0F).bits, 0x7bff);
  EXPECT_EQ(to_float16(65520.0F).bits, 0x7c00);
  EXPECT_EQ(to_float16(0x1p-24F).bits, 0x0001);
  EXPECT_EQ(to_float16(0x1p-25F).bits, 0x0000);
  EXPECT_EQ(to_float16(-0.0F).bits, 0x8000);
}

TEST(BFloats, RoundToNearestEven) {
  EXPECT_EQ(to_bfloat16(1.0F).bits, 0x3f80);
  EXPECT_EQ(to_bfloat16(1.0F + 0x1p-8F).bits, 0x3f80);
  EXPECT_EQ(to_bfloat16(1.0F + 0x3p-8F).bits, 0x3f82);
  EXPECT_EQ(to_bfloat16(std::numeric_limits<float>::max()).bits, 0x7f80);
  EXPECT_TRUE(std::isnan(to_float(to_bfloat16(std::numeric_limits<float>::quiet_NaN()))));
}

}  // namespace
}  // namespace press
