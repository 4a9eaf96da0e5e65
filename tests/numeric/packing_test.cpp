#include "press/numeric/packing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace press {
namespace {

/// Repeatable digits below `base`; `zeros` of a hundred are 0.
std::vector<std::uint32_t> digits_of(std::int64_t base, std::size_t count, std::uint32_t zeros = 0) {
  std::vector<std::uint32_t> digits(count);
  std::uint64_t state = static_cast<std::uint64_t>(base) * 77 + zeros;
  for (std::uint32_t& digit : digits) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const bool zero = (state >> 40) % 100 < zeros;
    digit = zero ? 0 : static_cast<std::uint32_t>((state >> 33) % static_cast<std::uint64_t>(base));
  }
  return digits;
}

std::vector<std::uint32_t> unpacked(const std::vector<std::int64_t>& words, std::int64_t base,
                                    std::size_t count) {
  const std::vector<std::int64_t> powers = digit_powers(base);
  std::vector<std::uint32_t> digits(count);
  for (std::size_t i = 0; i < count; ++i) {
    digits[i] = static_cast<std::uint32_t>(words.at(i / powers.size()) / powers[i % powers.size()] % base);
  }
  return digits;
}

TEST(PackDigits, FillsWordsToTheLastPossibleDigit) {
  for (const std::int64_t base : {2, 3, 4, 5, 7, 15, 16, 255, 1000, 65536}) {
    const int count = digits_per_word(base);
    EXPECT_LE(count * std::log2(static_cast<double>(base)), 63.0 + 1e-9) << base;
    EXPECT_GT((count + 1) * std::log2(static_cast<double>(base)), 63.0) << base;
    EXPECT_EQ(digit_powers(base).size(), static_cast<std::size_t>(count));
  }
  EXPECT_EQ(digits_per_word(2), 63);
  EXPECT_EQ(digits_per_word(3), 39);
}

TEST(PackDigits, ComesBackForEveryBaseAndLength) {
  for (const std::int64_t base : {2, 3, 5, 7, 16, 256, 65536}) {
    for (const std::size_t count : {0, 1, 2, 38, 39, 40, 63, 64, 1000}) {
      const std::vector<std::uint32_t> digits = digits_of(base, count);
      const std::vector<std::int64_t> words = pack_digits(digits, base);
      EXPECT_EQ(static_cast<std::int64_t>(words.size()), words_for(static_cast<std::int64_t>(count), base));
      EXPECT_EQ(unpacked(words, base, count), digits);
    }
  }
}

TEST(PackDigits, LargestDigitsFit) {
  const std::vector<std::uint32_t> ones(63, 1);
  EXPECT_EQ(pack_digits(ones, 2), std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::max()});
}

TEST(GapCode, ComesBackForEveryBase) {
  for (const std::uint32_t zeros : {0U, 50U, 90U, 100U}) {
    const std::vector<std::uint32_t> symbols = digits_of(7, 999, zeros);
    for (const std::int64_t base : {2, 3, 8, 1000}) {
      const GapCode code = gap_encode(symbols, base);
      EXPECT_EQ(gap_entries(symbols, base), static_cast<std::int64_t>(code.gaps.size()));
      for (const std::uint32_t gap : code.gaps) EXPECT_LT(gap, base);
      ASSERT_EQ(code.gaps.size(), code.symbols.size());
      std::vector<std::uint32_t> read(symbols.size());
      std::size_t at = 0;
      for (std::size_t i = 0; i < code.gaps.size(); ++i) {
        at += code.gaps[i];
        read.at(at++) = code.symbols[i];
      }
      EXPECT_EQ(read, symbols);
    }
  }
}

}  // namespace
}  // namespace press
