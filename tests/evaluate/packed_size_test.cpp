#include "press/evaluate/packed_size.h"

#include <gtest/gtest.h>

#include <string>

namespace press {
namespace {

PackedSize packed(const std::string& text) {
  const auto size = packed_size(std::as_bytes(std::span(text)));
  EXPECT_TRUE(size.ok());
  return size.ok() ? *size : PackedSize{};
}

TEST(PackedSize, OfNothingIsHeadAndTail) {
  EXPECT_EQ(packed("").gzip, 20);  // printf '' | gzip | wc -c
  EXPECT_EQ(packed("").zstd, 13);  // printf '' | zstd | wc -c
}

TEST(PackedSize, ZerosVanishAndNoiseStays) {
  const std::string zeros(1'000'000, '\0');
  EXPECT_EQ(packed(zeros).gzip, 1003);  // head -c 1000000 /dev/zero | gzip | wc -c
  EXPECT_LT(packed(zeros).zstd, 100);
  std::string noise(1'000'000, '\0');
  std::uint32_t state = 1;
  for (char& c : noise) c = static_cast<char>((state = state * 1664525U + 1013904223U) >> 24U);
  EXPECT_GT(packed(noise).gzip, 990'000);
  EXPECT_GT(packed(noise).zstd, 990'000);
}

}  // namespace
}  // namespace press
