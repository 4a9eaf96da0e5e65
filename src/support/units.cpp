#include "press/support/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

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

std::optional<std::int64_t> parse_bytes(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  constexpr std::array<std::pair<std::string_view, double>, 9> kUnits{{{"", 1},
                                                                       {"B", 1},
                                                                       {"kB", 1e3},
                                                                       {"KB", 1e3},
                                                                       {"MB", 1e6},
                                                                       {"GB", 1e9},
                                                                       {"KiB", 0x1p10},
                                                                       {"MiB", 0x1p20},
                                                                       {"GiB", 0x1p30}}};
  for (const auto& [name, factor] : kUnits) {
    if (name != unit) continue;
    const double bytes = number * factor;
    if (!(bytes >= 0 && bytes < 0x1p62)) return std::nullopt;
    return std::llround(bytes);
  }
  return std::nullopt;
}

}  // namespace press
