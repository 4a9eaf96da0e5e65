#include "press/numeric/observer.h"

#include <algorithm>
#include <array>

namespace press {
namespace {

Range min_max(const Histogram& histogram, const ObserverOptions&) {
  return histogram.min_max();
}

Range percentile(const Histogram& histogram, const ObserverOptions& options) {
  return histogram.percentile(options.percentile);
}

constexpr std::array kObservers = {
#define PRESS_OBSERVER(id, name, detail, function, summary) \
  ObserverInfo{Observer::id, name, summary, Histogram::Detail::detail, &function},
#include "press/numeric/observers.def"
};

}  // namespace

std::span<const ObserverInfo> all_observers() {
  return kObservers;
}

const ObserverInfo& info(Observer observer) {
  return kObservers[static_cast<std::size_t>(observer)];
}

const ObserverInfo* find_observer(std::string_view name) {
  const auto* found = std::ranges::find(kObservers, name, &ObserverInfo::name);
  return found != kObservers.end() ? found : nullptr;
}

}  // namespace press
