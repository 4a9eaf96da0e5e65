// What a kernel keeps for the shapes that it has met: the last few, the oldest goes first.
#pragma once

#include <cstddef>
#include <deque>
#include <utility>

#include "press/support/result.h"

namespace press {

template <typename Spec, typename Made>
class ShapeCache {
 public:
  /// What was made for an equal spec, or what `make` makes of it (Result<Made>(const Spec&)).
  template <typename Make>
  Result<Made*> find(const Spec& spec, const Make& make) {
    for (auto& [known, made] : entries_) {
      if (known == spec) return &made;
    }
    PRESS_ASSIGN(Made made, make(spec));
    if (entries_.size() == kCapacity) entries_.pop_front();
    entries_.emplace_back(spec, std::move(made));
    return &entries_.back().second;
  }

 private:
  static constexpr std::size_t kCapacity = 4;
  std::deque<std::pair<Spec, Made>> entries_;
};

}  // namespace press
