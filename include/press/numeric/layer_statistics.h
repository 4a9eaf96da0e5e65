// What a linear layer y = W·x + b sees of the samples, in the original network and in a compressed one beside
// it: the whole input of layer-wise pruning and rounding. x is one column (of an im2col matrix, or a row of a
// matrix product): the d = inputs/group · kernel numbers that one output is made of; x̂ is the same column in
// the compressed network.
#pragma once

#include <cstdint>
#include <vector>

#include "press/numeric/matrix.h"

namespace press {

/// Moments of the columns of one group of channels. Second moments are centred: about the means.
struct ColumnMoments {
  std::vector<double> mean;            // E[x̂], d elements
  std::vector<double> reference_mean;  // E[x]
  Matrix covariance;                   // E[x̂x̂ᵀ] - E[x̂]E[x̂]ᵀ, d x d
  Matrix cross;                        // E[xx̂ᵀ] - E[x]E[x̂]ᵀ, d x d
};

struct LayerStatistics {
  std::int64_t columns = 0;           // how many were averaged
  std::vector<ColumnMoments> groups;  // one, but for grouped and depthwise convolutions
  std::vector<double> output_mean;    // of y in the original network, one a channel
  std::vector<double> output_variance;
};

}  // namespace press
