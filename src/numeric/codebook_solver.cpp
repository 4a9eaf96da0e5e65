#include "press/numeric/codebook_solver.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <span>

#include "numeric/linear_algebra.h"

namespace press {
namespace {

constexpr int kTurns = 8;
constexpr int kMostSweeps = 6;

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
  }

  bool is_free(std::size_t at) const { return rows_.zeros.empty() || rows_.zeros[at] == 0; }
  const RowGroup& rows() const { return rows_; }

  void choose(std::span<const double> codebook) {
    for (std::size_t i = 0; i < rows_.target.rows; ++i) {
      if (factor_.values.empty()) {
        choose_nearest(i, codebook);
      } else {
        round(i, codebook);
        descend(i, codebook);
      }
    }
  }

  /// Adds the group's part of the equations A·values = b, whose solution errs least: A[k,l] = Σ H_ij over
  /// elements i of value k and j of value l in the same row, b[k] = Σ (H·w)_i.
  void add_equations(Matrix& left, std::vector<double>& right) const {
    const std::size_t d = rows_.target.columns;
    std::vector<double> sums(right.size());
    for (std::size_t i = 0; i < rows_.target.rows; ++i) {
      const std::span<const double> target = rows_.target.row(i);
      const std::uint32_t* codes = codes_.data() + i * d;
      for (std::size_t j = 0; j < d; ++j) {
        if (codes[j] == kZero) continue;
        const std::span<const double> h = rows_.covariance.row(j);
        std::ranges::fill(sums, 0.0);
        for (std::size_t l = 0; l < d; ++l) {
          if (codes[l] != kZero) sums[codes[l]] += h[l];
        }
        for (std::size_t k = 0; k < sums.size(); ++k) left.at(codes[j], k) += sums[k];
        right[codes[j]] += std::inner_product(h.begin(), h.end(), target.begin(), 0.0);
      }
    }
  }

  Matrix values(std::span<const double> codebook) const {
    Matrix values(rows_.target.rows, rows_.target.columns);
    for (std::size_t at = 0; at < codes_.size(); ++at) values.values[at] = value(codes_[at], codebook);
    return values;
  }

 private:
  static double value(std::uint32_t code, std::span<const double> codebook) {
    return code == kZero ? 0 : codebook[code];
  }

  /// Returns the value that comes nearest to `wanted` where the element may have one.
  double take(std::size_t at, double wanted, std::span<const double> codebook) {
    codes_[at] = is_free(at) ? static_cast<std::uint32_t>(nearest(codebook, wanted)) : kZero;
    return value(codes_[at], codebook);
  }

  void choose_nearest(std::size_t i, std::span<const double> codebook) {
    const std::size_t d = rows_.target.columns;
    for (std::size_t j = 0; j < d; ++j) take(i * d + j, rows_.target.at(i, j), codebook);
  }

  void round(std::size_t i, std::span<const double> codebook) {
    const std::size_t d = order_.size();
    work_.resize(d);
    for (std::size_t k = 0; k < d; ++k) work_[k] = rows_.target.at(i, order_[k]);
    for (std::size_t k = 0; k < d; ++k) {
      const std::span<const double> u = factor_.row(k);
      const double step = (work_[k] - take(i * d + order_[k], work_[k], codebook)) / u[k];
      for (std::size_t l = k + 1; l < d; ++l) work_[l] -= step * u[l];
    }
  }

  void descend(std::size_t i, std::span<const double> codebook) {
    const std::size_t d = order_.size();
    work_.assign(d, 0.0);  // gradient (q - w)·H
    const auto add = [&](std::size_t j, double difference) {
      const std::span<const double> h = rows_.covariance.row(j);
      for (std::size_t l = 0; l < d; ++l) work_[l] += difference * h[l];
    };
    for (std::size_t j = 0; j < d; ++j) add(j, value(codes_[i * d + j], codebook) - rows_.target.at(i, j));
    for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
      bool changed = false;
      for (const std::size_t j : order_) {
        const double before = value(codes_[i * d + j], codebook);
        const double after = take(i * d + j, before - work_[j] / rows_.covariance.at(j, j), codebook);
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
  std::vector<double> work_;
};

std::vector<double> first_values(const std::vector<RowGroup>& groups, std::int64_t count, KMeansStart start) {
  std::vector<double> weights;
  for (const RowGroup& group : groups) {
    for (std::size_t at = 0; at < group.target.values.size(); ++at) {
      if (group.zeros.empty() || group.zeros[at] == 0) weights.push_back(group.target.values[at]);
    }
  }
  return weights.empty() ? weights : kmeans(std::move(weights), count, start);
}

/// The values of least error for the choice that the groups have made; `error` is theirs but for a constant.
/// A value that nobody takes stays.
std::vector<double> refitted(const std::vector<Group>& groups, const std::vector<double>& codebook,
                             double& error) {
  Matrix left(codebook.size(), codebook.size());
  Matrix right(1, codebook.size());
  for (const Group& group : groups) group.add_equations(left, right.values);
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

std::vector<Matrix> share_values(const std::vector<RowGroup>& groups, std::int64_t count, KMeansStart start) {
  std::vector<double> codebook = first_values(groups, count, start);
  std::vector<Group> chosen(groups.begin(), groups.end());
  const bool has_metric = !groups.empty() && !groups.front().covariance.values.empty() && !codebook.empty();
  std::vector<Matrix> best;
  double least = std::numeric_limits<double>::infinity();
  for (int turn = 0; turn < (has_metric ? kTurns : 1); ++turn) {
    double error = 0;
    for (Group& group : chosen) group.choose(codebook);
    if (has_metric) codebook = refitted(chosen, codebook, error);
    if (!best.empty() && !(error < least)) break;
    least = error;
    best.clear();
    for (const Group& group : chosen) best.push_back(group.values(codebook));
    std::ranges::sort(codebook);  // its old order is in the choice, which is made anew
  }
  return best;
}

}  // namespace press
