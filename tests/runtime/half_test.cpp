#include "runtime/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace press {
namespace {

TEST(Half, EveryFloat16ConvertsAsTheScalarFunctionDoes) {
  std::vector<Float16> halves;
  for (int bits = 0; bits < 0x10000; ++bits) halves.push_back({static_cast<std::uint16_t>(bits)});
  halves.push_back({0x3c00});  // one more than whole registers hold
  std::vector<float> floats(halves.size());
  convert(std::span<const Float16>(halves), floats);
  for (std::size_t i = 0; i < halves.size(); ++i) {
    const float expected = to_float(halves[i]);
    ASSERT_TRUE(floats[i] == expected || (std::isnan(floats[i]) && std::isnan(expected))) << i;
  }
}

TEST(Half, FloatsRoundAsTheScalarFunctionDoes) {
  std::vector<float> floats;
  for (std::uint32_t bits = 0; bits < 0xff000000U; bits += 65521)
    floats.push_back(std::bit_cast<float>(bits));
  std::vector<Float16> halves(floats.size());
  convert(std::span<const float>(floats), halves);
  for (std::size_t i = 0; i < floats.size(); ++i) {
    if (std::isnan(floats[i])) {
      ASSERT_TRUE(std::isnan(to_float(halves[i]))) << i;
    } else {
      ASSERT_EQ(halves[i], to_float16(floats[i])) << floats[i];
    }
  }
}

}  // namespace
}  // namespace press
