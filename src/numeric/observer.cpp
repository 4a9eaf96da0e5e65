#include "press/numeric/observer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace press {
namespace {

constexpr int kCandidates = 100;
constexpr double kSmallestShare = 0.2;
/// Levels that the ranges of kMse and kEntropy are chosen for.
constexpr int kLevels = 256;
constexpr double kErrorPower = 2.4;
constexpr double kSmoothing = 1e-4;

Range min_max(const Histogram& histogram, const ObserverOptions&) {
  return histogram.min_max();
}

Range mean_extremes(const Histogram& histogram, const ObserverOptions&) {
  return histogram.sample_extremes().mean();
}

Range percentile(const Histogram& histogram, const ObserverOptions& options) {
  return histogram.percentile(options.percentile);
}

/// A bin that is not empty: the middle of its values, and their number.
struct Mass {
  double value;
  double count;
};

std::vector<Mass> masses(const Histogram& histogram) {
  std::vector<Mass> found;
  const Range extremes = histogram.min_max();
  for (std::size_t i = 0; i < histogram.bins().size(); ++i) {
    if (histogram.bins()[i] == 0) continue;
    const double middle = std::ldexp(static_cast<double>(i) - Histogram::kHalf + 0.5, histogram.exponent());
    found.push_back({std::clamp(middle, double(extremes.lo), double(extremes.hi)),
                     static_cast<double>(histogram.bins()[i])});
  }
  return found;
}

double rounding_error(const std::vector<Mass>& masses, double lo, double hi) {
  const double scale = (hi - lo) / (kLevels - 1);
  const double zero = std::nearbyint(-lo / scale);
  double error = 0;
  for (const Mass& mass : masses) {
    const double code = std::clamp(std::nearbyint(mass.value / scale) + zero, 0.0, kLevels - 1.0);
    error += mass.count * std::pow(std::abs(mass.value - (code - zero) * scale), kErrorPower);
  }
  return error;
}

/// Tries shares of the extremes, of both ends together and, where the range holds 0 inside, of each end.
template <typename Cost>
Range least_costly(const Histogram& histogram, const Cost& cost) {
  const Range extremes = histogram.min_max();
  const double lo = std::min(extremes.lo, 0.0F), hi = std::max(extremes.hi, 0.0F);
  if (histogram.bins().empty() || !(lo < hi)) return extremes;
  double best_lo = 1, best_hi = 1;
  double least = std::numeric_limits<double>::infinity();
  const auto attempt = [&](double share_lo, double share_hi) {
    const double here = cost(lo * share_lo, hi * share_hi);
    if (here >= least) return;
    least = here;
    best_lo = share_lo;
    best_hi = share_hi;
  };
  const auto share = [](int i) { return 1 - (1 - kSmallestShare) * i / kCandidates; };
  for (int i = 0; i < kCandidates; ++i) attempt(share(i), share(i));
  if (lo < 0 && hi > 0) {
    const double both_hi = best_hi;
    for (int i = 0; i < kCandidates; ++i) attempt(share(i), both_hi);
    const double kept_lo = best_lo;
    for (int i = 0; i < kCandidates; ++i) attempt(kept_lo, share(i));
  }
  return {static_cast<float>(lo * best_lo), static_cast<float>(hi * best_hi)};
}

Range mean_squared_error(const Histogram& histogram, const ObserverOptions&) {
  const std::vector<Mass> all = masses(histogram);
  return least_costly(histogram, [&](double lo, double hi) { return rounding_error(all, lo, hi); });
}

/// Kullback-Leibler divergence of the values, cut to [lo, hi], from what kLevels levels leave of them: each
/// level spreads its values evenly over the bins it covers that are not empty.
double divergence(const std::vector<Mass>& masses, double total, double lo, double hi) {
  const double width = (hi - lo) / kLevels;
  std::vector<double> level_mass(kLevels), level_bins(kLevels);
  const auto level = [&](double value) {
    return static_cast<std::size_t>(std::clamp((value - lo) / width, 0.0, kLevels - 1.0));
  };
  for (const Mass& mass : masses) {
    if (mass.value < lo || mass.value > hi) continue;
    level_mass[level(mass.value)] += mass.count;
    level_bins[level(mass.value)] += 1;
  }
  double inside = 0;
  for (const double mass : level_mass) inside += mass;
  if (!(inside > 0)) return std::numeric_limits<double>::infinity();
  double result = 0;
  // What was cut off lies on the first and the last bin inside.
  double below = 0, above = 0;
  const Mass *first = nullptr, *last = nullptr;
  for (const Mass& mass : masses) {
    if (mass.value < lo) {
      below += mass.count;
    } else if (mass.value > hi) {
      above += mass.count;
    } else {
      first = first == nullptr ? &mass : first;
      last = &mass;
    }
  }
  for (const Mass& mass : masses) {
    if (mass.value < lo || mass.value > hi) continue;
    const double p = (mass.count + (&mass == first ? below : 0) + (&mass == last ? above : 0)) / total;
    const std::size_t at = level(mass.value);
    const double q = std::max(level_mass[at] / level_bins[at] / inside, kSmoothing / total);
    result += p * std::log(p / q);
  }
  return result;
}

Range entropy(const Histogram& histogram, const ObserverOptions&) {
  std::vector<Mass> all = masses(histogram);
  // What a Relu cut to 0 would outweigh all else.
  if (histogram.min_max().lo >= 0 && all.size() > 1 && histogram.bins()[Histogram::kHalf] > 0)
    all.erase(all.begin());
  double total = 0;
  for (const Mass& mass : all) total += mass.count;
  return least_costly(histogram, [&](double lo, double hi) { return divergence(all, total, lo, hi); });
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
  const auto without_hyphens = [](std::string_view text) {
    std::string letters(text);
    std::erase(letters, '-');
    return letters;
  };
  const auto* found = std::ranges::find_if(kObservers, [&](const ObserverInfo& observer) {
    return without_hyphens(observer.name) == without_hyphens(name);
  });
  return found != kObservers.end() ? found : nullptr;
}

}  // namespace press
