#include "press/support/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace press {
namespace {

/// The length of the well-formed, printable UTF-8 sequence at the start of `text`; 0 where there is none.
std::size_t printable_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7f && lead != '\'' && lead != '\\' ? 1 : 0;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  std::uint32_t code = lead & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) code = code << 6 | (byte(i) & 0x3fu);
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool control =
      code < 0xa0 || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  const bool no_character = (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff;
  return overlong || control || no_character ? 0 : length;
}

}  // namespace

std::string escaped(std::string_view text, std::size_t limit) {
  std::string line;
  while (!text.empty()) {
    const std::size_t length = printable_sequence(text);
    const std::string piece = length != 0       ? std::string(text.substr(0, length))
                              : text[0] == '\n' ? "\\n"
                              : text[0] == '\'' ? "\\'"
                              : text[0] == '\\'
                                  ? "\\\\"
                                  : fmt::format("\\x{:02x}", static_cast<std::uint8_t>(text[0]));
    if (line.size() + piece.size() > limit) return line + "…";
    line += piece;
    text.remove_prefix(length != 0 ? length : 1);
  }
  return line;
}

std::string quoted(std::string_view name, std::size_t limit) {
  return "'" + escaped(name, limit) + "'";
}

std::string shell_word(std::string_view word) {
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-_./,:=@%+").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace press
