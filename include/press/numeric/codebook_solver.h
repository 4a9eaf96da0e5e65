// Weights of a layer that share a few values, chosen such that the layer's outputs stay.
#pragma once

#include <cstdint>
#include <vector>

#include "press/numeric/kmeans.h"
#include "press/numeric/matrix.h"

namespace press {

/// Rows of a weight that see the same inputs: all of a layer, or one group of a convolution.
struct RowGroup {
  Matrix target;      // rows are outputs
  Matrix covariance;  // of the inputs, damped; empty: the values nearest to the target are taken
  std::vector<std::uint8_t> zeros;  // like target or empty: elements that must stay 0
};

/// Replaces the elements of all groups by `count` values that they share, those that must stay 0 apart, such
/// that Σ (w - q)·H·(w - q)ᵀ over all rows is small, H = `covariance`. From the centroids of k-means on, by
/// turns: each row is rounded to the values, the error of each element put right by those that follow (GPTQ;
/// Frantar et al., arXiv 2210.17323) and then each element chosen anew given all others (as COMQ, arXiv
/// 2403.07134); the values become those of least error for this choice, which linear equations tell (the
/// k-means of Choi et al., Towards the Limit of Network Quantization, 2017, weighted by all of H). The best
/// turn counts; wide layers take fewer. Returns the rows, group by group; the same for any number of threads.
std::vector<Matrix> share_values(const std::vector<RowGroup>& groups, std::int64_t count, KMeansStart start,
                                 int threads = 1);

}  // namespace press
