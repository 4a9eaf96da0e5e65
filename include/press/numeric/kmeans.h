// k-means in one dimension: the k values that stand for many with the least squared error.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace press {

/// Where the centroids start (Han et al., Deep Compression, 2016, section 3.2): equally spaced between the
/// extremes, at equal shares of the values, or drawn in proportion to the squared distance from those drawn
/// before (k-means++; Arthur and Vassilvitskii, 2007), with a fixed seed.
enum class KMeansStart { kLinear, kDensity, kPlusPlus };

/// At most `count` centroids of `values` in ascending order, by Lloyd's iterations until nothing moves. Fewer
/// where there are fewer distinct values. Values are finite.
std::vector<double> kmeans(std::vector<double> values, std::int64_t count, KMeansStart start);

/// The place in ascending `centroids` of the one nearest to `value`; the lower one of two equally near.
std::size_t nearest(std::span<const double> centroids, double value);

}  // namespace press
