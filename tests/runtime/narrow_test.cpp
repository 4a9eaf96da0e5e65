#include "runtime/narrow.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace press {
namespace {

constexpr DataType kFloats[] = {DataType::kFloat8E4M3FN,   DataType::kFloat8E4M3FNUZ, DataType::kFloat8E5M2,
                                DataType::kFloat8E5M2FNUZ, DataType::kFloat8E8M0,     DataType::kFloat4E2M1};

TEST(Narrow, EveryCodeComesBack) {
  for (const DataType type : kFloats) {
    for (int code = 0; code < 1 << bit_width(type); ++code) {
      const float value = decode(type, static_cast<std::uint8_t>(code));
      if (std::isnan(value)) {
        EXPECT_TRUE(std::isnan(decode(type, encode(type, value)))) << name(type) << " " << code;
      } else {
        EXPECT_EQ(encode(type, value, {.saturate = false}), code) << name(type);
      }
    }
  }
}

TEST(Narrow, TheNearestCodeHalfToEven) {
  EXPECT_EQ(decode(DataType::kFloat8E4M3FN, encode(DataType::kFloat8E4M3FN, 1.0625F)), 1.0F);
  EXPECT_EQ(decode(DataType::kFloat8E4M3FN, encode(DataType::kFloat8E4M3FN, 1.1875F)), 1.25F);
  EXPECT_EQ(decode(DataType::kFloat4E2M1, encode(DataType::kFloat4E2M1, -3.5F)), -4.0F);
  EXPECT_EQ(decode(DataType::kFloat8E8M0, encode(DataType::kFloat8E8M0, 1.1F)), 2.0F);
  EXPECT_EQ(decode(DataType::kFloat8E8M0, encode(DataType::kFloat8E8M0, 1.1F, {.rounding = "down"})), 1.0F);
}

TEST(Narrow, WhatDoesNotFit) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(decode(DataType::kFloat8E4M3FN, encode(DataType::kFloat8E4M3FN, 1e6F)), 448.0F);
  EXPECT_TRUE(std::isnan(
      decode(DataType::kFloat8E4M3FN, encode(DataType::kFloat8E4M3FN, 1e6F, {.saturate = false}))));
  EXPECT_EQ(decode(DataType::kFloat8E5M2, encode(DataType::kFloat8E5M2, -infinity)), -57344.0F);
  EXPECT_EQ(decode(DataType::kFloat8E5M2, encode(DataType::kFloat8E5M2, -1e6F, {.saturate = false})),
            -infinity);
}

TEST(Narrow, CodesShareBytesLowBitsFirst) {
  Tensor tensor = *Tensor::allocate(DataType::kInt4, {3});
  pack({0x1, 0xF, 0x8}, tensor);
  EXPECT_EQ(tensor.bytes()[0], std::byte{0xF1});
  EXPECT_EQ(tensor.bytes()[1], std::byte{0x08});
  EXPECT_EQ(unpacked(tensor), (std::vector<std::uint8_t>{0x1, 0xF, 0x8}));
  EXPECT_EQ(decode(DataType::kInt4, 0xF), -1);
  EXPECT_EQ(decode(DataType::kUint2, 3), 3);
}

}  // namespace
}  // namespace press
