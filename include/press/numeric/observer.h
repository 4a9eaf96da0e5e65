// Observers: how the statistics of an activation become the range that its scale covers. observers.def is the
// only list.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "press/numeric/histogram.h"

namespace press {

enum class Observer : std::uint8_t {
#define PRESS_OBSERVER(id, name, detail, function, summary) id,
#include "press/numeric/observers.def"
};

struct ObserverOptions {
  Observer observer = Observer::kMinMax;
  double percentile = 99.99;  // of the values, for kPercentile
};

struct ObserverInfo {
  Observer observer;
  std::string_view name;  // as flags and recipes spell it
  std::string_view summary;
  Histogram::Detail detail;  // what must have been gathered
  Range (*range)(const Histogram&, const ObserverOptions&);
};

/// All observers, in the order of observers.def.
std::span<const ObserverInfo> all_observers();

const ObserverInfo& info(Observer observer);

/// Null where no observer has that name; hyphens make no difference ("minmax").
const ObserverInfo* find_observer(std::string_view name);

}  // namespace press
