// Text inside of XML and HTML.
#pragma once

#include <string>
#include <string_view>

namespace press {

/// `text` for content and for attributes in double quotes. Control characters that XML forbids and bytes that
/// are no UTF-8 become '?'.
std::string xml_escaped(std::string_view text);

}  // namespace press
