#include "press/numeric/codebook_solver.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <span>

#include "numeric/linear_algebra.h"
#include "numeric/parallel_rows.h"

namespace press {
namespace {

constexpr double kMostTurns = 8, kLeastTurns = 2;
constexpr int kMostSweeps = 6;
/// Multiply-adds with H that the turns of a layer may take, counting one for a row and a turn.
constexpr double kTurnWork = 2e10;
/// Rows whose equations are held at a time; they are added in the order of rows.
constexpr std::size_t kRowsAtATime = 16;

bool is_free(const RowGroup& rows, std::size_t at) {
  return rows.zeros.empty() || rows.zeros[at] == 0;
}

/// One group with the place in the codebook that each of its elements takes.
class Group {
 public:
  static constexpr std::uint32_t kZero = std::numeric_limits<std::uint32_t>::max();

  explicit Group(const RowGroup& rows) : rows_(rows), codes_(rows.target.values.size(), kZero) {
    const std::size_t d = rows_.target.columns;
    order_.resize(d);
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    if (rows_.covariance.values.empty()) return;
    std::ranges::stable_sort(order_, std::greater<>(),
                             [&](std::size_t j) { return rows_.covariance.at(j, j); });
    factor_ = inverse_factor(permuted(rows_.covariance, order_));
    passed_ = product(rows_.target, rows_.covariance);
  }

  void choose(std::span<const double> codebook, int threads) {
    for_each_row(rows_.target.rows, threads, [&](std::size_t i) {
      if (factor_.values.empty()) {
        choose_nearest(i, codebook);
      } else {
        round(i, codebook);
        descend(i, codebook);
      }
    });
  }

  /// Adds the group's part of the equations A·values = b, whose solution errs least: A[k,l] = Σ H_ij over
  /// elements i of value k and j of value l in the same row, b[k] = Σ (H·w)_i.
  void add_equations(Matrix& left, std::vector<double>& right, int threads) const {
    const std::size_t rows = rows_.target.rows, count = right.size();
    std::vector<Matrix> parts(std::min(rows, kRowsAtATime), Matrix(count, count));
    for (std::size_t first = 0; first < rows; first += parts.size()) {
      const std::size_t now = std::min(parts.size(), rows - first);
      for_each_row(now, threads, [&](std::size_t r) { parts[r] = equations(first + r, count); });
      for (std::size_t r = 0; r < now; ++r) {
        std::ranges::transform(left.values, parts[r].values, left.values.begin(), std::plus<>());
      }
    }
    for (std::size_t at = 0; at < codes_.size(); ++at) {
      if (codes_[at] != kZero) right[codes_[at]] += passed_.values[at];
    }
  }

  Matrix values(std::span<const double> codebook) const {
    Matrix values(rows_.target.rows, rows_.target.columns);
    for (std::size_t at = 0; at < codes_.size(); ++at) values.values[at] = value(codes_[at], codebook);
    return values;
  }

 private:
  Matrix equations(std::size_t i, std::size_t count) const {
    const std::size_t d = rows_.target.columns;
    const std::uint32_t* codes = codes_.data() + i * d;
    Matrix part(count, count);
    for (std::size_t j = 0; j < d; ++j) {
      if (codes[j] == kZero) continue;
      const std::span<const double> h = rows_.covariance.row(j);
      const std::span<double> sums = part.row(codes[j]);
      for (std::size_t l = 0; l < d; ++l) {
        if (codes[l] != kZero) sums[codes[l]] += h[l];
      }
    }
    return part;
  }

  static double value(std::uint32_t code, std::span<const double> codebook) {
    return code == kZero ? 0 : codebook[code];
  }

  /// Returns the value that comes nearest to `wanted` where the element may have one.
  double take(std::size_t at, double wanted, std::span<const double> codebook) {
    codes_[at] = is_free(rows_, at) ? static_cast<std::uint32_t>(nearest(codebook, wanted)) : kZero;
    return value(codes_[at], codebook);
  }

  void choose_nearest(std::size_t i, std::span<const double> codebook) {
    const std::size_t d = rows_.target.columns;
    for (std::size_t j = 0; j < d; ++j) take(i * d + j, rows_.target.at(i, j), codebook);
  }

  void round(std::size_t i, std::span<const double> codebook) {
    const std::size_t d = order_.size();
    std::vector<double> wanted(d);
    for (std::size_t k = 0; k < d; ++k) wanted[k] = rows_.target.at(i, order_[k]);
    for (std::size_t k = 0; k < d; ++k) {
      const std::span<const double> u = factor_.row(k);
      const double step = (wanted[k] - take(i * d + order_[k], wanted[k], codebook)) / u[k];
      for (std::size_t l = k + 1; l < d; ++l) wanted[l] -= step * u[l];
    }
  }

  void descend(std::size_t i, std::span<const double> codebook) {
    const std::size_t d = order_.size();
    std::vector<double> gradient(d);  // (q - w)·H
    const auto add = [&](std::size_t j, double difference) {
      const std::span<const double> h = rows_.covariance.row(j);
      for (std::size_t l = 0; l < d; ++l) gradient[l] += difference * h[l];
    };
    for (std::size_t j = 0; j < d; ++j) add(j, value(codes_[i * d + j], codebook) - rows_.target.at(i, j));
    for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
      bool changed = false;
      for (const std::size_t j : order_) {
        const double before = value(codes_[i * d + j], codebook);
        const double after = take(i * d + j, before - gradient[j] / rows_.covariance.at(j, j), codebook);
        if (after == before) continue;
        changed = true;
        add(j, after - before);
      }
      if (!changed) return;
    }
  }

  const RowGroup& rows_;
  std::vector<std::uint32_t> codes_;
  std::vector<std::size_t> order_;  // of columns: those that vary most first
  Matrix factor_;                   // U with Uᵀ·U = H⁻¹, upper, in that order
  Matrix passed_;                   // w·H
};

std::vector<double> first_values(const std::vector<RowGroup>& groups, std::int64_t count, KMeansStart start) {
  std::vector<double> weights;
  for (const RowGroup& group : groups) {
    for (std::size_t at = 0; at < group.target.values.size(); ++at) {
      if (is_free(group, at)) weights.push_back(group.target.values[at]);
    }
  }
  return weights.empty() ? weights : kmeans(std::move(weights), count, start);
}

/// The values of least error for the choice that the groups have made; `error` is theirs but for a constant.
/// A value that nobody takes stays.
std::vector<double> refitted(const std::vector<Group>& groups, const std::vector<double>& codebook,
                             int threads, double& error) {
  Matrix left(codebook.size(), codebook.size());
  Matrix right(1, codebook.size());
  for (const Group& group : groups) group.add_equations(left, right.values, threads);
  Matrix regular = left;
  Matrix wanted = right;
  for (std::size_t k = 0; k < codebook.size(); ++k) {
    if (left.at(k, k) > 0) continue;
    regular.at(k, k) = 1;
    wanted.values[k] = codebook[k];
  }
  std::vector<double> values = solve_from_right(wanted, regular).values;
  error = 0;
  for (std::size_t k = 0; k < values.size(); ++k) {
    error += values[k] * (std::inner_product(values.begin(), values.end(), left.row(k).begin(), 0.0) -
                          2 * right.values[k]);
  }
  return values;
}

}  // namespace

std::vector<Matrix> share_values(const std::vector<RowGroup>& groups, std::int64_t count, KMeansStart start,
                                 int threads) {
  std::vector<double> codebook = first_values(groups, count, start);
  std::vector<Group> chosen(groups.begin(), groups.end());
  double work = 0;
  for (const RowGroup& group : groups) {
    work += static_cast<double>(group.target.values.size()) * static_cast<double>(group.covariance.columns);
  }
  const bool has_metric = work > 0 && !codebook.empty();
  const int turns = has_metric ? static_cast<int>(std::clamp(kTurnWork / work, kLeastTurns, kMostTurns)) : 1;
  std::vector<Matrix> best;
  double least = std::numeric_limits<double>::infinity();
  for (int turn = 0; turn < turns; ++turn) {
    double error = 0;
    for (Group& group : chosen) group.choose(codebook, threads);
    if (has_metric) codebook = refitted(chosen, codebook, threads, error);
    if (!best.empty() && !(error < least)) break;
    least = error;
    best.clear();
    for (const Group& group : chosen) best.push_back(group.values(codebook));
    std::ranges::sort(codebook);  // its old order is in the choice, which is made anew
  }
  return best;
}

}  // namespace press
