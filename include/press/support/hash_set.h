// A set of 64-bit hashes, for names that are many and only asked for: 16 to 32 bytes each, in one piece of
// memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace press {

class HashSet {
 public:
  HashSet() = default;
  /// Made for `count` hashes; takes more.
  explicit HashSet(std::size_t count) { resize(count); }

  /// False where it is there already.
  bool insert(std::uint64_t hash) {
    hash = std::max<std::uint64_t>(hash, kFree + 1);
    if (2 * (count_ + 1) > places_.size()) resize(2 * (count_ + 1));
    std::uint64_t& place = place_of(hash);
    if (place == hash) return false;
    place = hash;
    ++count_;
    return true;
  }

 private:
  static constexpr std::uint64_t kFree = 0;

  /// Where the hash is, or belongs.
  std::uint64_t& place_of(std::uint64_t hash);
  void resize(std::size_t count);

  std::vector<std::uint64_t> places_;  // a power of two of them, at most half of them taken
  std::size_t count_ = 0;
};

}  // namespace press
