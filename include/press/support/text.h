// Text for people: names of unknown origin made fit for one printable line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace press {

/// `text` on one printable line: control characters, quotes, backslashes and bytes that are no UTF-8 are
/// written as escapes; what goes beyond `limit` bytes is cut and marked with "…".
std::string escaped(std::string_view text, std::size_t limit = 80);

/// The same between single quotes.
std::string quoted(std::string_view name, std::size_t limit = 80);
// Exact matches, so that argument-dependent lookup does not prefer std::quoted.
inline std::string quoted(const std::string& name, std::size_t limit = 80) {
  return quoted(std::string_view(name), limit);
}
inline std::string quoted(const char* name, std::size_t limit = 80) {
  return quoted(std::string_view(name), limit);
}

/// The same for paths, which are shown whole.
inline std::string quoted_path(std::string_view path) {
  return quoted(path, 4096);
}

/// A word as a POSIX shell reads it back, quoted where it must be.
std::string shell_word(std::string_view word);

}  // namespace press
