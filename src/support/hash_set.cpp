#include "press/support/hash_set.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace press {

std::uint64_t& HashSet::place_of(std::uint64_t hash) {
  const std::size_t mask = places_.size() - 1;
  std::size_t at = hash & mask;
  while (places_[at] != kFree && places_[at] != hash) at = (at + 1) & mask;
  return places_[at];
}

void HashSet::resize(std::size_t count) {
  const std::vector<std::uint64_t> before =
      std::exchange(places_, std::vector<std::uint64_t>(std::bit_ceil(std::max<std::size_t>(2 * count, 16))));
  for (const std::uint64_t hash : before) {
    if (hash != kFree) place_of(hash) = hash;
  }
}

}  // namespace press
