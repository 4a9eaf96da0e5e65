// What names stand for while a graph is read; the names themselves stay where they are in the file.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "press/support/hash.h"

namespace press {

/// A hash table with its entries in one piece of memory: graphs of 100,000 nodes ask it a million times.
template <typename T>
class NameTable {
 public:
  NameTable() = default;
  /// Made for `count` names; takes more.
  explicit NameTable(std::size_t count) : slots_(std::bit_ceil(2 * count + 1)) {}

  /// Null for a name that is not there. Addresses hold until the next emplace().
  T* find(std::string_view name) {
    Slot* slot = slots_.empty() ? nullptr : &place(name, hash_bytes(name));
    return slot != nullptr && slot->taken ? &slot->value : nullptr;
  }
  const T* find(std::string_view name) const { return const_cast<NameTable*>(this)->find(name); }
  bool contains(std::string_view name) const { return find(name) != nullptr; }

  /// What the name stands for, and whether it is new.
  std::pair<T*, bool> emplace(std::string_view name, T value) {
    if (2 * (count_ + 1) > slots_.size()) grow();
    const std::uint64_t hash = hash_bytes(name);
    Slot& slot = place(name, hash);
    if (slot.taken) return {&slot.value, false};
    slot = {hash, name, std::move(value), true};
    ++count_;
    return {&slot.value, true};
  }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::string_view name = {};
    T value = {};
    bool taken = false;
  };

  /// Where the name is, or belongs.
  Slot& place(std::string_view name, std::uint64_t hash) {
    std::size_t at = hash & (slots_.size() - 1);
    while (slots_[at].taken && (slots_[at].hash != hash || slots_[at].name != name))
      at = (at + 1) & (slots_.size() - 1);
    return slots_[at];
  }

  void grow() {
    std::vector<Slot> before =
        std::exchange(slots_, std::vector<Slot>(slots_.empty() ? 16 : 2 * slots_.size()));
    for (Slot& slot : before) {
      if (slot.taken) place(slot.name, slot.hash) = std::move(slot);
    }
  }

  std::vector<Slot> slots_;  // a power of two of them, at most half of them taken
  std::size_t count_ = 0;
};

}  // namespace press
