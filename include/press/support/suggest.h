// "Did you mean …?" for names that people type.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace press {

/// The candidate with the fewest edits (insertions, deletions, replacements, swaps of neighbours) from
/// `name`, the first one where several are as near; "" where all are further than a third of its length.
std::string_view nearest_name(std::string_view name, std::span<const std::string_view> candidates);

/// "; did you mean 'magnitude'?", or "" where nothing is near.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace press
