// Text for people: names of unknown origin made fit for one printable line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace press {

/// `name` between single quotes. Control characters, quotes, backslashes and bytes that are no UTF-8 are
/// written as escapes; what goes beyond `limit` bytes is cut and marked with "…".
std::string quoted(std::string_view name, std::size_t limit = 80);

/// The same for paths, which are shown whole.
inline std::string quoted_path(std::string_view path) {
  return quoted(path, 4096);
}

}  // namespace press
