// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace press {

/// "412 B", "1.03 MB", "2.15 GB": powers of 1000, three digits.
std::string human_bytes(std::int64_t bytes);

/// "412", "40.8 M", "4.11 G": powers of 1000, three digits.
std::string human_count(std::int64_t count);

/// "0.42 s", "12 s", "3 min 20 s", "2 h 5 min".
std::string human_seconds(double seconds);

}  // namespace press
