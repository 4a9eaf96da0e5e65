#include "press/numeric/packing.h"

#include <algorithm>
#include <cassert>

namespace press {
namespace {

constexpr std::uint64_t kWordLimit = std::uint64_t{1} << 63;  // words are non-negative int64

/// Calls `entry(gap, symbol)` for every entry of a gap code.
template <typename Entry>
void for_each_entry(std::span<const std::uint32_t> symbols, std::int64_t base, Entry&& entry) {
  std::int64_t gap = 0;
  for (const std::uint32_t symbol : symbols) {
    if (symbol != 0 || gap == base - 1) {
      entry(static_cast<std::uint32_t>(gap), symbol);
      gap = 0;
    } else {
      ++gap;
    }
  }
}

}  // namespace

int digits_per_word(std::int64_t base) {
  assert(base >= 2 && base <= kLargestBase);
  const auto factor = static_cast<std::uint64_t>(base);
  int count = 1;
  for (std::uint64_t power = factor; power <= kWordLimit / factor; power *= factor) ++count;
  return count;
}

std::vector<std::int64_t> digit_powers(std::int64_t base) {
  std::vector<std::int64_t> powers{1};
  for (int i = 1; i < digits_per_word(base); ++i) powers.push_back(powers.back() * base);
  return powers;
}

std::int64_t words_for(std::int64_t count, std::int64_t base) {
  const std::int64_t per_word = digits_per_word(base);
  return count / per_word + (count % per_word != 0 ? 1 : 0);
}

std::vector<std::int64_t> pack_digits(std::span<const std::uint32_t> digits, std::int64_t base) {
  const auto per_word = static_cast<std::size_t>(digits_per_word(base));
  std::vector<std::int64_t> words;
  words.reserve(static_cast<std::size_t>(words_for(static_cast<std::int64_t>(digits.size()), base)));
  for (std::size_t first = 0; first < digits.size(); first += per_word) {
    std::int64_t word = 0;
    for (std::size_t i = std::min(first + per_word, digits.size()); i > first; --i) {
      assert(digits[i - 1] < base);
      word = word * base + digits[i - 1];
    }
    words.push_back(word);
  }
  return words;
}

std::int64_t gap_entries(std::span<const std::uint32_t> symbols, std::int64_t base) {
  std::int64_t count = 0;
  for_each_entry(symbols, base, [&](std::uint32_t, std::uint32_t) { ++count; });
  return count;
}

GapCode gap_encode(std::span<const std::uint32_t> symbols, std::int64_t base) {
  GapCode code{.base = base, .gaps = {}, .symbols = {}};
  for_each_entry(symbols, base, [&](std::uint32_t gap, std::uint32_t symbol) {
    code.gaps.push_back(gap);
    code.symbols.push_back(symbol);
  });
  return code;
}

}  // namespace press
