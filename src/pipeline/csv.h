// Fields of a CSV file (RFC 4180).
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>

namespace press {

/// Quoted where it must be.
inline std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

/// Empty where there is none.
template <typename T>
std::string csv_field(const std::optional<T>& number) {
  return number ? fmt::format("{}", *number) : std::string();
}

}  // namespace press
