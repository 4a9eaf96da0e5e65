// Small integers packed close to their entropy bound, so that a few arithmetic operators unpack them again.
//
// Digits of a base b >= 2 stand in 64-bit words, the first digit lowest: a word holds the largest k with
// b^k <= 2^63 of them, and digit i is (word / b^i) mod b. That costs 64/k bits a digit: 1.02 for b = 2,
// 1.64 for 3 (log2 3 = 1.58), 2.91 for 7 (2.81).
//
// A sparse sequence is stored as gaps: the number of zeros before each entry, as digits of a base B (relative
// indices; Han et al., Deep Compression, 2016, section 2). A gap of B or more passes through entries of zero.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace press {

/// The largest base: its square still fits a word's digits, and tables of values stay small.
inline constexpr std::int64_t kLargestBase = 1 << 16;

/// How many digits of a base (2 to kLargestBase) one word holds.
int digits_per_word(std::int64_t base);

/// base^0, base^1, … up to the last digit of a word.
std::vector<std::int64_t> digit_powers(std::int64_t base);

/// Words that `count` digits of a base need.
std::int64_t words_for(std::int64_t count, std::int64_t base);

/// Every digit is below `base`.
std::vector<std::int64_t> pack_digits(std::span<const std::uint32_t> digits, std::int64_t base);

/// A sequence of symbols of which 0 is frequent.
struct GapCode {
  std::int64_t base = 2;
  std::vector<std::uint32_t> gaps;     // zeros before each entry, below `base`
  std::vector<std::uint32_t> symbols;  // of each entry; 0 for one that only bridges a gap
};

/// Entries that a gap code of `base` needs.
std::int64_t gap_entries(std::span<const std::uint32_t> symbols, std::int64_t base);

GapCode gap_encode(std::span<const std::uint32_t> symbols, std::int64_t base);

}  // namespace press
