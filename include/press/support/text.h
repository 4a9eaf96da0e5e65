// Text for people: names of unknown origin made fit for one printable line.
#pragma once

#include <string>
#include <string_view>

namespace press {

/// `name` between single quotes. Control characters, quotes, backslashes and bytes that are no UTF-8 are
/// written as escapes, and whatever goes beyond 80 bytes is cut and marked with "…".
std::string quoted(std::string_view name);

}  // namespace press
