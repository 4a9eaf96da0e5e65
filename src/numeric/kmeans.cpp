#include "press/numeric/kmeans.h"

#include <algorithm>
#include <limits>
#include <random>
#include <utility>

namespace press {
namespace {

constexpr int kMostIterations = 300;
constexpr std::uint32_t kSeed = 1;

std::vector<double> linear_start(std::span<const double> sorted, std::int64_t count) {
  std::vector<double> centroids;
  const double low = sorted.front(), step = (sorted.back() - low) / static_cast<double>(count - 1);
  for (std::int64_t i = 0; i < count; ++i) centroids.push_back(low + step * static_cast<double>(i));
  return centroids;
}

std::vector<double> density_start(std::span<const double> sorted, std::int64_t count) {
  std::vector<double> centroids;
  for (std::int64_t i = 0; i < count; ++i) {
    const double share = (static_cast<double>(i) + 0.5) / static_cast<double>(count);
    centroids.push_back(sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size()))]);
  }
  return centroids;
}

std::vector<double> plus_plus_start(std::span<const double> sorted, std::int64_t count) {
  std::mt19937 random(kSeed);
  std::vector<double> centroids{sorted[random() % sorted.size()]};
  std::vector<double> distances(sorted.size(), std::numeric_limits<double>::infinity());
  while (static_cast<std::int64_t>(centroids.size()) < count) {
    double total = 0;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      const double difference = sorted[i] - centroids.back();
      distances[i] = std::min(distances[i], difference * difference);
      total += distances[i];
    }
    if (total == 0) break;
    double drawn = static_cast<double>(random()) * 0x1p-32 * total;
    std::size_t i = 0;
    while (i + 1 < sorted.size() && (drawn -= distances[i]) >= 0) ++i;
    centroids.push_back(sorted[i]);
  }
  std::ranges::sort(centroids);
  return centroids;
}

}  // namespace

std::size_t nearest(std::span<const double> centroids, double value) {
  const auto above = std::ranges::lower_bound(centroids, value);
  if (above == centroids.begin()) return 0;
  const auto place = static_cast<std::size_t>(above - centroids.begin());
  if (above == centroids.end()) return place - 1;
  return value - centroids[place - 1] <= centroids[place] - value ? place - 1 : place;
}

std::vector<double> kmeans(std::vector<double> values, std::int64_t count, KMeansStart start) {
  std::ranges::sort(values);
  std::vector<double> distinct = values;
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  if (static_cast<std::int64_t>(distinct.size()) <= count) return distinct;
  if (count == 1) start = KMeansStart::kDensity;
  std::vector<double> centroids = start == KMeansStart::kLinear    ? linear_start(values, count)
                                  : start == KMeansStart::kDensity ? density_start(values, count)
                                                                   : plus_plus_start(values, count);
  centroids.erase(std::unique(centroids.begin(), centroids.end()), centroids.end());

  // In one dimension a cluster is a run of the sorted values, so that sums up to each of them are enough.
  std::vector<double> sums(values.size() + 1);
  for (std::size_t i = 0; i < values.size(); ++i) sums[i + 1] = sums[i] + values[i];
  for (int iteration = 0; iteration < kMostIterations; ++iteration) {
    std::vector<double> moved;
    std::size_t first = 0;
    for (std::size_t c = 0; c < centroids.size(); ++c) {
      const bool last_one = c + 1 == centroids.size();
      const double border = last_one ? 0 : (centroids[c] + centroids[c + 1]) / 2;
      const auto end = last_one ? values.end()
                                : std::upper_bound(values.begin() + static_cast<std::ptrdiff_t>(first),
                                                   values.end(), border);
      const auto last = static_cast<std::size_t>(end - values.begin());
      if (last > first) moved.push_back((sums[last] - sums[first]) / static_cast<double>(last - first));
      first = last;
    }
    if (moved == centroids) break;
    centroids = std::move(moved);
  }
  return centroids;
}

}  // namespace press
