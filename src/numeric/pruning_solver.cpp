#include "press/numeric/pruning_solver.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

#include "numeric/linear_algebra.h"
#include "numeric/parallel_rows.h"
#include "press/numeric/layer_solver.h"

namespace press {
namespace {

/// Widest row for methods of d³ operations a row.
constexpr std::size_t kWidestExactRow = 1152;
/// Wider rows are solved exactly where so many share a factorization.
constexpr std::size_t kRowsOfOneSupport = 64;
/// Rows that take the steps of conjugate gradients together.
constexpr std::size_t kRowsOfOneDescent = 64;
constexpr int kMostDescents = 16;
/// Squares of residuals in parts of the first ones; smaller ones change nothing.
constexpr float kConverged = 1e-6F;
/// Removals that H⁻¹ takes in together.
constexpr std::size_t kPending = 32;

/// One row's removal. The weights that are left stand in front; H⁻¹ is a lower triangle of floats. It lacks
/// the last few removals (`pending_`, by removal the row of H⁻¹ that went over the root of its pivot), which
/// it takes in together, since that runs in the processor's caches.
class RowRemoval {
 public:
  RowRemoval(std::span<const double> weights, const std::vector<float>& inverse, const RowPattern& pattern)
      : d_(weights.size()),
        weights_(weights.begin(), weights.end()),
        inverse_(inverse),
        diagonal_(d_),
        pending_(kPending * d_),
        columns_(d_),
        pattern_(pattern),
        quotas_(pattern.given() ? pattern.quotas(d_) : std::vector<std::size_t>()) {
    std::iota(columns_.begin(), columns_.end(), 0U);
    for (std::size_t i = 0; i < d_; ++i) diagonal_[i] = at(i, i);
  }

  void run(std::span<std::uint32_t> order, std::span<float> losses) {
    float largest = 0;
    std::size_t left = d_;
    const std::size_t stay =
        pattern_.given() ? d_ - std::accumulate(quotas_.begin(), quotas_.end(), std::size_t{0}) : 0;
    while (left > stay) {
      const std::size_t begin = d_ - left;
      float loss = 0;
      if (pattern_.blocks()) {
        const std::size_t block = find_cheapest_block(left);
        for (; quotas_[block] > 0; --left) loss += remove(find_in(block, left), left, order);
        loss /= static_cast<float>(d_ - left - begin);
      } else {
        loss = remove(find_cheapest(left), left, order);
        --left;
      }
      largest = std::max(largest, loss);
      std::fill_n(losses.begin() + static_cast<std::ptrdiff_t>(begin), d_ - left - begin, largest);
    }
    for (; left > 0; --left) {
      order[d_ - left] = columns_[left - 1];
      losses[d_ - left] = std::numeric_limits<float>::infinity();
    }
  }

 private:
  float& at(std::size_t i, std::size_t j) { return inverse_[i * d_ + j]; }
  float diagonal(std::size_t i) const { return std::max(diagonal_[i], 1e-20F); }
  float cost(std::size_t i) const { return weights_[i] * weights_[i] / diagonal(i); }

  /// Takes the weight at `place` out of the `left` ones. Returns the growth of the error.
  float remove(std::size_t place, std::size_t left, std::span<std::uint32_t> order) {
    swap_to_end(place, left - 1);
    const float loss = cost(left - 1);
    order[d_ - left] = columns_[left - 1];
    if (pattern_.given()) --quotas_[pattern_.group(columns_[left - 1])];
    remove_last(left - 1);
    return loss;
  }

  /// By the mean of what its weights would cost alone; the first one of those that cost the same.
  std::size_t find_cheapest_block(std::size_t count) const {
    std::vector<float> sums(quotas_.size());
    for (std::size_t i = 0; i < count; ++i) sums[pattern_.group(columns_[i])] += cost(i);
    std::size_t best = quotas_.size();
    float least = 0;
    for (std::size_t block = 0; block < quotas_.size(); ++block) {
      if (quotas_[block] == 0) continue;
      const float mean = sums[block] / static_cast<float>(quotas_[block]);
      if (best < quotas_.size() && mean >= least) continue;
      least = mean;
      best = block;
    }
    return best;
  }

  std::size_t find_in(std::size_t block, std::size_t count) const {
    std::size_t best = count;
    for (std::size_t i = 0; i < count; ++i) {
      if (pattern_.group(columns_[i]) == block && (best == count || columns_[i] < columns_[best])) best = i;
    }
    return best;
  }

  std::size_t find_cheapest(std::size_t count) const {
    std::size_t best = count;
    float least = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (pattern_.given() && quotas_[pattern_.group(columns_[i])] == 0) continue;
      const float here = cost(i);
      // Equal costs go in the order of the columns.
      if (best == count || here < least || (here == least && columns_[i] < columns_[best])) {
        least = here;
        best = i;
      }
    }
    return best;
  }

  void swap_to_end(std::size_t p, std::size_t last) {
    if (p == last) return;
    std::swap(weights_[p], weights_[last]);
    std::swap(columns_[p], columns_[last]);
    std::swap(diagonal_[p], diagonal_[last]);
    for (std::size_t k = 0; k < pendings_; ++k) std::swap(pending_[k * d_ + p], pending_[k * d_ + last]);
    std::swap_ranges(inverse_.begin() + static_cast<std::ptrdiff_t>(p * d_),
                     inverse_.begin() + static_cast<std::ptrdiff_t>(p * d_ + p),
                     inverse_.begin() + static_cast<std::ptrdiff_t>(last * d_));
    for (std::size_t i = p + 1; i < last; ++i) std::swap(at(i, p), at(last, i));
    std::swap(at(p, p), at(last, last));
  }

  void remove_last(std::size_t last) {
    float* h = &pending_[pendings_ * d_];
    std::copy_n(&inverse_[last * d_], last, h);
    for (std::size_t k = 0; k < pendings_; ++k) {
      const float* earlier = &pending_[k * d_];
      const float factor = earlier[last];
      for (std::size_t i = 0; i < last; ++i) h[i] -= factor * earlier[i];
    }
    const float step = weights_[last] / diagonal(last);
    for (std::size_t i = 0; i < last; ++i) weights_[i] -= step * h[i];
    const float scale = 1 / std::sqrt(diagonal(last));
    for (std::size_t i = 0; i < last; ++i) h[i] *= scale;
    for (std::size_t i = 0; i < last; ++i) diagonal_[i] -= h[i] * h[i];
    if (++pendings_ < kPending) return;
    subtract_squares(inverse_, d_, last, pending_, kPending);
    pendings_ = 0;
  }

  std::size_t d_;
  std::vector<float> weights_;
  std::vector<float> inverse_;
  std::vector<float> diagonal_;  // of H⁻¹ after all removals
  std::vector<float> pending_;   // kPending x d_
  std::size_t pendings_ = 0;
  std::vector<std::uint32_t> columns_;
  const RowPattern& pattern_;
  std::vector<std::size_t> quotas_;  // weights of each group that may go still
};

/// Solves H_SS·w_S = right_S for some rows, each with its own support S, by conjugate gradients with the
/// diagonal as preconditioner (Saad, "Iterative methods for sparse linear systems", algorithm 9.1). Starts at
/// the rows of `weights`; all rows step together, so that H, in float32, is read once a step.
void descend(std::span<const std::size_t> rows, const Matrix& weights, const Matrix& right,
             std::span<const float> covariance, std::span<const std::uint8_t> zeros, Matrix& solved) {
  const std::size_t d = weights.columns;
  std::vector<float> x(rows.size() * d), stays(x.size()), direction(x.size()), residual(x.size()),
      passed(x.size());
  for (std::size_t at = 0; at < x.size(); ++at) {
    const std::size_t element = rows[at / d] * d + at % d;
    stays[at] = zeros[element] == 0 ? 1.0F : 0.0F;
    x[at] = stays[at] * static_cast<float>(weights.values[element]);
  }
  multiply(x, covariance, d, passed);
  for (std::size_t at = 0; at < x.size(); ++at) {
    residual[at] = stays[at] * (static_cast<float>(right.values[rows[at / d] * d + at % d]) - passed[at]);
  }
  std::vector<float> diagonal(d), squares(rows.size()), first(rows.size());
  for (std::size_t j = 0; j < d; ++j) diagonal[j] = covariance[j * d + j];
  for (int step = 0; step <= kMostDescents; ++step) {
    bool converged = true;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const float* r = &residual[i * d];
      float* p = &direction[i * d];
      double sum = 0;
      for (std::size_t j = 0; j < d; ++j) sum += r[j] * r[j] / diagonal[j];
      const auto square = static_cast<float>(sum);
      const float turn = step > 0 && squares[i] > 0 ? square / squares[i] : 0;
      for (std::size_t j = 0; j < d; ++j) p[j] = r[j] / diagonal[j] + turn * p[j];
      squares[i] = square;
      if (step == 0) first[i] = square;
      converged = converged && square <= kConverged * first[i];
    }
    if (converged || step == kMostDescents) break;
    multiply(direction, covariance, d, passed);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::size_t begin = i * d;
      double curvature = 0;
      for (std::size_t at = begin; at < begin + d; ++at) curvature += direction[at] * passed[at];
      const float length = curvature > 0 ? squares[i] / static_cast<float>(curvature) : 0;
      for (std::size_t at = begin; at < begin + d; ++at) {
        x[at] += length * direction[at];
        residual[at] -= length * stays[at] * passed[at];
      }
    }
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < d; ++j) solved.at(rows[i], j) = x[i * d + j];
  }
}

}  // namespace

RemovalTrace removal_trace(const Matrix& weights, const Matrix& covariance, const RowPattern& pattern,
                           int threads) {
  const std::size_t d = weights.columns;
  if (d > kWidestExactRow) {
    Matrix costs = weights;
    const std::vector<double> inverted = inverse_diagonal(covariance);
    for (std::size_t i = 0; i < weights.rows; ++i) {
      for (std::size_t j = 0; j < d; ++j) {
        costs.at(i, j) *= weights.at(i, j) / std::max(inverted[j], 1e-20);
      }
    }
    return trace_by_scores(costs, pattern);
  }
  RemovalTrace trace{.order = std::vector<std::uint32_t>(weights.values.size()),
                     .losses = std::vector<float>(weights.values.size())};
  const Matrix inverted = inverse(covariance);
  const std::vector<float> start(inverted.values.begin(), inverted.values.end());
  for_each_row(weights.rows, threads, [&](std::size_t i) {
    RowRemoval(weights.row(i), start, pattern)
        .run({trace.order.data() + i * d, d}, {trace.losses.data() + i * d, d});
  });
  return trace;
}

Matrix masked_least_squares(const Matrix& weights, const ColumnMoments& moments,
                            std::span<const std::uint8_t> zeros, double damping, int threads) {
  assert(zeros.size() == weights.values.size());
  const Matrix regular = damped(moments.covariance, damping);
  const double added = regular.rows > 0 ? regular.at(0, 0) - moments.covariance.at(0, 0) : 0;
  Matrix right = product(weights, moments.cross);
  for (std::size_t i = 0; i < right.values.size(); ++i) right.values[i] += added * weights.values[i];
  Matrix solved(weights.rows, weights.columns);
  // Rows of one support take one factorization: all of them where whole channels went.
  std::map<std::vector<std::size_t>, std::vector<std::size_t>> supports;
  for (std::size_t i = 0; i < weights.rows; ++i) {
    std::vector<std::size_t> support;
    for (std::size_t j = 0; j < weights.columns; ++j) {
      if (zeros[i * weights.columns + j] == 0) support.push_back(j);
    }
    supports[std::move(support)].push_back(i);
  }
  std::vector<std::pair<std::vector<std::size_t>, std::vector<std::size_t>>> exact;
  std::vector<std::size_t> wide;
  for (auto& [support, rows] : supports) {
    if (weights.columns <= kWidestExactRow || rows.size() >= kRowsOfOneSupport) {
      exact.emplace_back(support, std::move(rows));
    } else {
      wide.insert(wide.end(), rows.begin(), rows.end());
    }
  }
  std::vector<float> covariance;
  if (!wide.empty()) covariance.assign(regular.values.begin(), regular.values.end());
  const std::size_t descents = (wide.size() + kRowsOfOneDescent - 1) / kRowsOfOneDescent;
  for_each_row(exact.size() + descents, threads, [&](std::size_t part) {
    if (part < exact.size()) {
      solve_part(regular, exact[part].first, right, exact[part].second, solved);
      return;
    }
    const std::size_t begin = (part - exact.size()) * kRowsOfOneDescent;
    const std::size_t count = std::min(kRowsOfOneDescent, wide.size() - begin);
    descend(std::span(wide).subspan(begin, count), weights, right, covariance, zeros, solved);
  });
  return solved;
}

}  // namespace press
