// Numbers as people read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace press {

/// "412 B", "1.03 MB", "2.15 GB": powers of 1000, three digits.
std::string human_bytes(std::int64_t bytes);

/// The inverse for what people write: "1200000", "1.2MB", "1.2 MB", "300 kB", "1 MiB"; nullopt for anything
/// else.
std::optional<std::int64_t> parse_bytes(std::string_view text);

/// "412", "40.8 M", "4.11 G": powers of 1000, three digits.
std::string human_count(std::int64_t count);

/// "0.42 s", "12 s", "3 min 20 s", "2 h 5 min".
std::string human_seconds(double seconds);

}  // namespace press
