// Which weights of a linear layer can go, and what the others become, from the moments of its input alone.
// The model of the error is that of layer_solver.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "press/numeric/layer_statistics.h"
#include "press/numeric/matrix.h"
#include "press/numeric/pruning_criteria.h"

namespace press {

/// ExactOBS (Frantar et al., "Optimal Brain Compression", arXiv 2208.11580): the weight with the least
/// w²/[H⁻¹]_jj goes, the others of its row take over its part, H⁻¹ shrinks; until all are gone. H =
/// `covariance`, damped. Rows wider than 1152 are ordered by the first step's costs alone, which takes d³
/// instead of rows·d³ operations. Losses are growth of the output's mean square error. With a pattern a row
/// ends where the quotas of its groups are full; blocks go whole, the one first whose weights cost least on
/// average, and each of its weights counts the mean. The same for any number of threads.
RemovalTrace removal_trace(const Matrix& weights, const Matrix& covariance, const RowPattern& pattern,
                           int threads);

/// The rows of least output error among those that are 0 where `zeros` (like weights) is not: for each row
/// the solution of H_SS·w_S = (W·C + λW)_S, S its support, H = Σ + λI with λ as in damped(). Exact by
/// Cholesky up to 1152 columns, by conjugate gradients above.
Matrix masked_least_squares(const Matrix& weights, const ColumnMoments& moments,
                            std::span<const std::uint8_t> zeros, double damping, int threads);

}  // namespace press
