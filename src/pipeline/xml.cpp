#include "xml.h"

#include <cstddef>
#include <cstdint>

namespace press {
namespace {

/// Bytes of the UTF-8 character at the beginning of `text`; 0 where there is none.
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::size_t length = byte(0) < 0x80           ? 1
                             : (byte(0) >> 5) == 0x06 ? 2
                             : (byte(0) >> 4) == 0x0E ? 3
                             : (byte(0) >> 3) == 0x1E ? 4
                                                      : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  return length;
}

}  // namespace

std::string xml_escaped(std::string_view text) {
  std::string escaped;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_length(text.substr(at));
    const char c = text[at];
    if (length == 0) {
      escaped += '?';
    } else if (length > 1) {
      escaped += text.substr(at, length);
    } else if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else if (c == '"') {
      escaped += "&quot;";
    } else {
      const bool control = static_cast<std::uint8_t>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r';
      escaped += control ? '?' : c;
    }
    at += length == 0 ? 1 : length;
  }
  return escaped;
}

}  // namespace press
