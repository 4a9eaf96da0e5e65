// What the page of a report needs beside its content; it stands inside of the page.
#pragma once

#include <string_view>

namespace press {

extern const std::string_view kReportStyle;
extern const std::string_view kReportScript;

}  // namespace press
