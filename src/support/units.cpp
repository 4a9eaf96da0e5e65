#include "press/support/units.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <string_view>

namespace press {
namespace {

/// `value` in the largest unit that leaves at least 1, with three digits.
std::string scaled(std::int64_t value, std::string_view unit) {
  constexpr std::array<std::string_view, 5> kPrefixes{"", "k", "M", "G", "T"};
  const auto joined = [&](std::string number, std::string_view prefix) {
    if (prefix.empty() && unit.empty()) return number;
    return fmt::format("{} {}{}", number, prefix, unit);
  };
  if (std::abs(static_cast<double>(value)) < 1000) return joined(std::to_string(value), "");
  double number = static_cast<double>(value);
  std::size_t prefix = 0;
  while (std::abs(number) >= 999.5 && prefix + 1 < kPrefixes.size()) {
    number /= 1000;
    ++prefix;
  }
  const double size = std::abs(number);
  const int decimals = size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
  return joined(fmt::format("{:.{}f}", number, decimals), kPrefixes[prefix]);
}

}  // namespace

std::string human_bytes(std::int64_t bytes) {
  return scaled(bytes, "B");
}

std::string human_count(std::int64_t count) {
  return scaled(count, "");
}

std::string human_seconds(double seconds) {
  if (seconds < 10) return fmt::format("{:.2f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace press
