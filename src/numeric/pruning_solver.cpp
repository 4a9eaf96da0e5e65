#include "press/numeric/pruning_solver.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <thread>
#include <utility>

#include "numeric/linear_algebra.h"
#include "press/numeric/layer_solver.h"

namespace press {
namespace {

/// Widest row for methods of d³ operations a row.
constexpr std::size_t kWidestExactRow = 1152;
/// Wider rows are solved exactly where so many share a factorization.
constexpr std::size_t kRowsOfOneSupport = 64;
constexpr int kDescentSweeps = 24;

/// `body(row)` for all rows, each one on one thread.
void for_each_row(std::size_t rows, int threads, const std::function<void(std::size_t)>& body) {
  const std::size_t parts = std::clamp<std::size_t>(static_cast<std::size_t>(std::max(threads, 1)), 1,
                                                    std::max<std::size_t>(rows, 1));
  const auto run = [&](std::size_t part) {
    for (std::size_t i = part; i < rows; i += parts) body(i);
  };
  std::vector<std::thread> others;
  for (std::size_t part = 1; part < parts; ++part) others.emplace_back(run, part);
  run(0);
  for (std::thread& other : others) other.join();
}

/// One row's removal. The weights that are left stand in front; H⁻¹ is a lower triangle of floats.
class RowRemoval {
 public:
  RowRemoval(std::span<const double> weights, const std::vector<float>& inverse, const RowPattern& pattern)
      : d_(weights.size()),
        weights_(weights.begin(), weights.end()),
        inverse_(inverse),
        columns_(d_),
        pattern_(pattern),
        quotas_(pattern.given() ? pattern.quotas(d_) : std::vector<std::size_t>()) {
    std::iota(columns_.begin(), columns_.end(), 0U);
  }

  void run(std::span<std::uint32_t> order, std::span<float> losses) {
    float largest = 0;
    std::size_t left = d_;
    const std::size_t stay =
        pattern_.given() ? d_ - std::accumulate(quotas_.begin(), quotas_.end(), std::size_t{0}) : 0;
    for (; left > stay; --left) {
      const std::size_t cheapest = find_cheapest(left);
      swap_to_end(cheapest, left - 1);
      const std::size_t k = d_ - left;
      order[k] = columns_[left - 1];
      largest = std::max(largest, cost(left - 1));
      losses[k] = largest;
      if (pattern_.given()) --quotas_[pattern_.group(columns_[left - 1])];
      remove_last(left - 1);
    }
    for (; left > 0; --left) {
      order[d_ - left] = columns_[left - 1];
      losses[d_ - left] = std::numeric_limits<float>::infinity();
    }
  }

 private:
  float& at(std::size_t i, std::size_t j) { return inverse_[i * d_ + j]; }
  float diagonal(std::size_t i) const { return std::max(inverse_[i * d_ + i], 1e-20F); }
  float cost(std::size_t i) const { return weights_[i] * weights_[i] / diagonal(i); }

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
    std::swap_ranges(inverse_.begin() + static_cast<std::ptrdiff_t>(p * d_),
                     inverse_.begin() + static_cast<std::ptrdiff_t>(p * d_ + p),
                     inverse_.begin() + static_cast<std::ptrdiff_t>(last * d_));
    for (std::size_t i = p + 1; i < last; ++i) std::swap(at(i, p), at(last, i));
    std::swap(at(p, p), at(last, last));
  }

  void remove_last(std::size_t last) {
    const float* h = &inverse_[last * d_];
    const float inverse_pivot = 1 / diagonal(last);
    const float step = weights_[last] * inverse_pivot;
    for (std::size_t i = 0; i < last; ++i) weights_[i] -= step * h[i];
    for (std::size_t i = 0; i < last; ++i) {
      const float factor = h[i] * inverse_pivot;
      float* row = &inverse_[i * d_];
      for (std::size_t j = 0; j <= i; ++j) row[j] -= factor * h[j];
    }
  }

  std::size_t d_;
  std::vector<float> weights_;
  std::vector<float> inverse_;
  std::vector<std::uint32_t> columns_;
  const RowPattern& pattern_;
  std::vector<std::size_t> quotas_;  // weights of each group that may go still
};

/// Coordinate descent on the support; starts at the row that is given.
void descend(std::span<double> row, std::span<const double> right, const Matrix& covariance,
             const std::vector<std::size_t>& support) {
  std::vector<double> residual(right.begin(), right.end());  // right - w·H
  for (const std::size_t j : support) {
    const std::span<const double> h = covariance.row(j);
    for (std::size_t l = 0; l < residual.size(); ++l) residual[l] -= row[j] * h[l];
  }
  for (int sweep = 0; sweep < kDescentSweeps; ++sweep) {
    for (const std::size_t j : support) {
      const std::span<const double> h = covariance.row(j);
      const double step = residual[j] / h[j];
      row[j] += step;
      for (std::size_t l = 0; l < residual.size(); ++l) residual[l] -= step * h[l];
    }
  }
}

}  // namespace

RemovalTrace removal_trace(const Matrix& weights, const Matrix& covariance, const RowPattern& pattern,
                           int threads) {
  const std::size_t d = weights.columns;
  const Matrix inverted = inverse(covariance);
  if (d > kWidestExactRow) {
    Matrix costs = weights;
    for (std::size_t i = 0; i < weights.rows; ++i) {
      for (std::size_t j = 0; j < d; ++j) {
        costs.at(i, j) *= weights.at(i, j) / std::max(inverted.at(j, j), 1e-20);
      }
    }
    return trace_by_scores(costs, pattern);
  }
  RemovalTrace trace{.order = std::vector<std::uint32_t>(weights.values.size()),
                     .losses = std::vector<float>(weights.values.size())};
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
  const std::vector<std::pair<std::vector<std::size_t>, std::vector<std::size_t>>> parts(supports.begin(),
                                                                                         supports.end());
  for_each_row(parts.size(), threads, [&](std::size_t part) {
    const auto& [support, rows] = parts[part];
    if (weights.columns <= kWidestExactRow || rows.size() >= kRowsOfOneSupport) {
      solve_part(regular, support, right, rows, solved);
      return;
    }
    for (const std::size_t i : rows) {
      for (const std::size_t j : support) solved.at(i, j) = weights.at(i, j);
      descend(solved.row(i), right.row(i), regular, support);
    }
  });
  return solved;
}

}  // namespace press
