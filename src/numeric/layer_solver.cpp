#include "press/numeric/layer_solver.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>

#include "numeric/linear_algebra.h"

namespace press {
namespace {

constexpr int kMostSweeps = 12;
constexpr int kRefits = 3;
/// Multiply-adds that a layer's search for scales may take.
constexpr double kSearchWork = 4e9;
/// Weights whose errors are added up side by side, in an order that does not depend on the compiler.
constexpr std::size_t kLanes = 16;

struct RowScale {
  double scale = 1;
  std::int32_t zero_point = 0;
};

double rounded(double value, const RowScale& row, const IntegerGrid& grid) {
  const double code = std::nearbyint(value / row.scale) + row.zero_point;
  return std::clamp(code, static_cast<double>(grid.lo), static_cast<double>(grid.hi));
}

double real(double code, const RowScale& row) {
  return (code - row.zero_point) * row.scale;
}

/// Candidates for a row: its range shrunk to `share` of itself, 0 always representable.
RowScale shrunk(double lo, double hi, double share, const IntegerGrid& grid) {
  RowScale row;
  const double steps = grid.hi - grid.lo;
  if (grid.symmetric) {
    row.scale = std::max(hi / grid.hi, grid.lo < 0 ? lo / grid.lo : 0.0) * share;
    row.zero_point = 0;
  } else {
    row.scale = (hi - lo) * share / steps;
    if (row.scale > 0) {
      row.zero_point = static_cast<std::int32_t>(
          std::clamp(std::nearbyint(grid.lo - lo * share / row.scale), double(grid.lo), double(grid.hi)));
    }
  }
  if (!(row.scale > std::numeric_limits<float>::min())) row.scale = 1;
  row.scale = static_cast<float>(row.scale);  // as files store it
  return row;
}

/// Σ|w - q|^2.5 of weights in [-1, 1] at their nearest integers, or any sum of at least `most`. (OBC and
/// BRECQ take the power 2.4; this one needs only a square root.)
float weight_error(std::span<const float> weights, const RowScale& row, const IntegerGrid& grid, float most) {
  // Added and taken away again it leaves the nearest integer, ties to even: |x| is far below 2^22 here.
  constexpr float kRound = 12582912.0F;  // 1.5 · 2^23
  const auto scale = static_cast<float>(row.scale);
  const float inverse = 1 / scale;
  const auto lo = static_cast<float>(grid.lo - row.zero_point);
  const auto hi = static_cast<float>(grid.hi - row.zero_point);
  const auto error_of = [&](float weight) {
    const float code = (std::clamp(weight * inverse, lo, hi) + kRound) - kRound;
    const float difference = weight - code * scale;
    return difference * difference * std::sqrt(std::fabs(difference));
  };
  constexpr std::size_t kBetweenLooks = 16 * kLanes;
  std::array<float, kLanes> sums{};
  float sum = 0;
  std::size_t at = 0;
  while (at + kLanes <= weights.size() && sum < most) {
    const std::size_t end = std::min(weights.size(), at + kBetweenLooks);
    for (; at + kLanes <= end; at += kLanes) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += error_of(weights[at + lane]);
    }
    sum = std::accumulate(sums.begin(), sums.end(), 0.0F);
  }
  if (sum < most) {
    for (; at < weights.size(); ++at) sum += error_of(weights[at]);
  }
  return sum;
}

/// Rounds the rows of one weight; `order_` and `factor_` belong to the whole weight.
class Rounder {
 public:
  Rounder(const Matrix& target, const Matrix& covariance, const IntegerGrid& grid, Rounding rounding,
          std::span<const std::uint8_t> zeros)
      : target_(target), covariance_(covariance), grid_(grid), rounding_(rounding), zeros_(zeros) {
    const std::size_t d = target.columns;
    result_.scales.resize(target.rows);
    result_.zero_points.resize(target.rows);
    result_.codes.resize(target.rows * d);
    result_.values = Matrix(target.rows, d);
    if (rounding_ == Rounding::kNearest) return;
    order_.resize(d);
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::ranges::stable_sort(order_, std::greater<>(), [&](std::size_t j) { return covariance_.at(j, j); });
    factor_ = inverse_factor(permuted(covariance_, order_));
  }

  RoundedRows run() && {
    std::vector<double> codes(target_.columns);
    for (std::size_t i = 0; i < target_.rows; ++i) {
      RowScale row = choose_scale(i, codes);
      if (rounding_ == Rounding::kThorough) {
        polish(i, row, codes);
      }
      result_.scales[i] = row.scale;
      result_.zero_points[i] = row.zero_point;
      for (std::size_t j = 0; j < codes.size(); ++j) {
        result_.codes[i * codes.size() + j] = static_cast<std::int32_t>(codes[j]);
        result_.values.at(i, j) = real(codes[j], row);
      }
    }
    return std::move(result_);
  }

 private:
  bool is_zero(std::size_t i, std::size_t j) const {
    return !zeros_.empty() && zeros_[i * target_.columns + j] != 0;
  }

  /// The best of a few ranges; its codes are left in `codes`.
  RowScale choose_scale(std::size_t i, std::vector<double>& codes) {
    double lo = 0, hi = 0;
    for (const double w : target_.row(i)) {
      lo = std::min(lo, w);
      hi = std::max(hi, w);
    }
    const bool nearest = rounding_ == Rounding::kNearest;
    const double work = 0.5 * static_cast<double>(target_.rows * target_.columns * target_.columns);
    const bool wide = grid_.hi - grid_.lo > 64;
    const double smallest = wide ? 0.8 : 0.2;
    const double most = rounding_ == Rounding::kFast ? 12 : 32;
    const int tries = nearest ? (wide ? 20 : 80)  // in steps of 1 %
                              : static_cast<int>(std::clamp(kSearchWork / work, 1.0, most));
    const double reach = std::max({-lo, hi, static_cast<double>(std::numeric_limits<float>::min())});
    if (nearest) {
      weights_.clear();
      for (const double w : target_.row(i)) weights_.push_back(static_cast<float>(w / reach));
    }
    std::vector<double> trial(codes.size());
    RowScale best;
    double least = std::numeric_limits<double>::infinity();
    for (int t = 0; t < tries; ++t) {
      const double share = 1 - (1 - smallest) * t / tries;
      const RowScale row = shrunk(lo, hi, share, grid_);
      const double error = nearest ? weight_error(weights_, {row.scale / reach, row.zero_point}, grid_,
                                                  static_cast<float>(least))
                                   : gptq(i, row, trial);
      if (error >= least) continue;
      least = error;
      best = row;
      if (!nearest) codes = trial;
    }
    if (nearest) {
      for (std::size_t j = 0; j < codes.size(); ++j)
        codes[j] = is_zero(i, j) ? best.zero_point : rounded(target_.at(i, j), best, grid_);
    }
    return best;
  }

  /// Returns the output's error.
  double gptq(std::size_t i, const RowScale& row, std::vector<double>& codes) {
    const std::size_t d = codes.size();
    work_.resize(d);
    for (std::size_t k = 0; k < d; ++k) work_[k] = target_.at(i, order_[k]);
    double error = 0;
    for (std::size_t k = 0; k < d; ++k) {
      const std::size_t j = order_[k];
      codes[j] = is_zero(i, j) ? row.zero_point : rounded(work_[k], row, grid_);
      const double* u = factor_.values.data() + k * d;
      const double step = (work_[k] - real(codes[j], row)) / u[k];
      error += step * step;
      for (std::size_t l = k + 1; l < d; ++l) work_[l] -= step * u[l];
    }
    return error;
  }

  /// Coordinate descent over the integers, and the scale refitted to them in between.
  void polish(std::size_t i, RowScale& row, std::vector<double>& codes) {
    for (int refit = 0; refit < kRefits; ++refit) {
      descend(i, row, codes);
      if (refit + 1 == kRefits || !refit_scale(i, row, codes)) break;
    }
  }

  void descend(std::size_t i, const RowScale& row, std::vector<double>& codes) {
    const std::size_t d = codes.size();
    work_.assign(d, 0.0);  // gradient (q - w)·H
    for (std::size_t j = 0; j < d; ++j) {
      const double difference = real(codes[j], row) - target_.at(i, j);
      const double* h = covariance_.values.data() + j * d;
      for (std::size_t l = 0; l < d; ++l) work_[l] += difference * h[l];
    }
    for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
      bool changed = false;
      for (const std::size_t j : order_) {
        if (is_zero(i, j)) continue;
        const double* h = covariance_.values.data() + j * d;
        const double code = rounded(real(codes[j], row) - work_[j] / h[j], row, grid_);
        if (code == codes[j]) continue;
        const double step = (code - codes[j]) * row.scale;
        codes[j] = code;
        changed = true;
        for (std::size_t l = 0; l < d; ++l) work_[l] += step * h[l];
      }
      if (!changed) return;
    }
  }

  /// The scale s of least error for given integers q: s = w·H·qᵀ / q·H·qᵀ. False where it stays.
  bool refit_scale(std::size_t i, RowScale& row, const std::vector<double>& codes) const {
    double mixed = 0, square = 0;
    for (std::size_t j = 0; j < codes.size(); ++j) {
      const double q = codes[j] - row.zero_point;
      if (q == 0) continue;
      const std::span<const double> h = covariance_.row(j);
      double with_w = 0, with_q = 0;
      for (std::size_t l = 0; l < codes.size(); ++l) {
        with_w += h[l] * target_.at(i, l);
        with_q += h[l] * (codes[l] - row.zero_point);
      }
      mixed += q * with_w;
      square += q * with_q;
    }
    if (!(square > 0) || !(mixed > 0)) return false;
    const double scale = static_cast<float>(mixed / square);
    if (!(scale > std::numeric_limits<float>::min()) || std::abs(scale / row.scale - 1) < 1e-4) return false;
    row.scale = scale;
    return true;
  }

  const Matrix& target_;
  const Matrix& covariance_;
  const IntegerGrid& grid_;
  Rounding rounding_;
  std::span<const std::uint8_t> zeros_;
  std::vector<std::size_t> order_;
  Matrix factor_;               // U with Uᵀ·U = H⁻¹, upper, in the order of order_
  std::vector<float> weights_;  // of the row at hand, for kNearest
  std::vector<double> work_;
  RoundedRows result_;
};

}  // namespace

Matrix damped(const Matrix& covariance, double damping) {
  Matrix result = covariance;
  double trace = 0;
  for (std::size_t j = 0; j < result.rows; ++j) trace += result.at(j, j);
  const double added = damping * trace / static_cast<double>(std::max<std::size_t>(result.rows, 1)) + 1e-12;
  for (std::size_t j = 0; j < result.rows; ++j) result.at(j, j) += added;
  return result;
}

Matrix least_squares_target(const Matrix& weights, const ColumnMoments& moments, double damping) {
  const Matrix regular = damped(moments.covariance, damping);
  const double added = regular.rows > 0 ? regular.at(0, 0) - moments.covariance.at(0, 0) : 0;
  Matrix right = product(weights, moments.cross);
  for (std::size_t i = 0; i < right.values.size(); ++i) right.values[i] += added * weights.values[i];
  return solve_from_right(right, regular);
}

RoundedRows round_rows(const Matrix& target, const Matrix& covariance, const IntegerGrid& grid,
                       Rounding rounding, std::span<const std::uint8_t> fixed_zeros) {
  assert(fixed_zeros.empty() || fixed_zeros.size() == target.values.size());
  return Rounder(target, covariance, grid, rounding, fixed_zeros).run();
}

std::vector<double> output_variances(const Matrix& weights, const Matrix& covariance) {
  const Matrix passed = product(weights, covariance);
  std::vector<double> variances(weights.rows);
  for (std::size_t i = 0; i < weights.rows; ++i) {
    for (std::size_t j = 0; j < weights.columns; ++j) variances[i] += passed.at(i, j) * weights.at(i, j);
    variances[i] = std::max(variances[i], 0.0);
  }
  return variances;
}

}  // namespace press
