// Layer-wise compression of a linear layer y = W·x + b from the moments of its input: no data, no gradients.
//
// Everything minimises the error of the layer's output, E|W·x + b - (Ŵ·x̂ + b̂)|², where x is the input in the
// original network and x̂ the one that the compressed layers before really make. As the best b̂ is known in
// closed form, the error of a row is (w* - ŵ)·Σ·(w* - ŵ)ᵀ plus a constant, with Σ = Cov(x̂) and the target
// w* = w·Cov(x, x̂)·Σ⁻¹.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "press/numeric/layer_statistics.h"
#include "press/numeric/matrix.h"

namespace press {

/// Σ + λI with λ = `damping` · mean of Σ's diagonal (and never 0): what all of the functions below work with,
/// so that inputs that hardly vary keep their weights.
Matrix damped(const Matrix& covariance, double damping);

/// (W·C + λW)·(Σ + λI)⁻¹, rows of W are outputs: W itself where nothing was compressed before the layer.
Matrix least_squares_target(const Matrix& weights, const ColumnMoments& moments, double damping);

/// What the integers of a row may be.
struct IntegerGrid {
  std::int32_t lo = -127;
  std::int32_t hi = 127;
  bool symmetric = true;  // zero point 0; else one in [lo, hi] a row, which 0 stands for
};

/// How much work rounding does.
enum class Rounding {
  kNearest,   // scales by the weights' error |w - q|^2.5, nearest integers
  kFast,      // scales by the output's error, GPTQ
  kThorough,  // the same with more scales to choose from and coordinate descent, scales refitted, after it
};

/// Row i of the weight is scales[i] · (codes[i, ·] - zero_points[i]).
struct RoundedRows {
  std::vector<double> scales;
  std::vector<std::int32_t> zero_points;
  std::vector<std::int32_t> codes;  // like the weight, row-major
  Matrix values;                    // what they stand for
};

/// Rounds every row of `target` to integers such that (w - q)·H·(w - q)ᵀ is small, H = `covariance`, damped.
/// GPTQ (Frantar et al., arXiv 2210.17323): column by column, the error of each one put right by those that
/// follow, in the order of falling H_jj. Coordinate descent (as COMQ, arXiv 2403.07134): each integer in turn
/// becomes the best one given all others, until nothing changes; never makes the error larger.
/// `fixed_zeros`, like target or empty: elements that must stay 0.
RoundedRows round_rows(const Matrix& target, const Matrix& covariance, const IntegerGrid& grid,
                       Rounding rounding, std::span<const std::uint8_t> fixed_zeros = {});

/// w·Σ·wᵀ for every row w: the variance of the layer's outputs.
std::vector<double> output_variances(const Matrix& weights, const Matrix& covariance);

}  // namespace press
