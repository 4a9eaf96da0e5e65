#include "press/numeric/channel_solver.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cassert>
#include <limits>

#include "numeric/linear_algebra.h"

namespace press {
namespace {

using Dense = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Dense dense(const Matrix& matrix) {
  return Eigen::Map<const Dense>(matrix.values.data(), static_cast<Eigen::Index>(matrix.rows),
                                 static_cast<Eigen::Index>(matrix.columns));
}

/// One layer while channels go.
class Removal {
 public:
  explicit Removal(const ChannelReading& reading)
      : columns_(reading.columns),
        scale_(reading.energy > 0 ? 1 / reading.energy : 0),
        weights_(dense(reading.weights)),
        inverse_(dense(inverse(reading.covariance))) {}

  double cost(std::size_t channel) const {
    const std::vector<std::uint32_t>& columns = columns_[channel];
    if (columns.size() == 1) {
      const auto j = static_cast<Eigen::Index>(columns.front());
      return scale_ * weights_.col(j).squaredNorm() / std::max(inverse_(j, j), kLeastPivot);
    }
    const Dense part = weights_(Eigen::all, columns);
    const Dense square = part.transpose() * part;
    return scale_ * block(columns).solve(square).trace();
  }

  void remove(std::size_t channel) {
    const std::vector<std::uint32_t>& columns = columns_[channel];
    const Dense across = inverse_(Eigen::all, columns);
    const Dense share = block(columns).solve(across.transpose());
    const Dense part = weights_(Eigen::all, columns);
    weights_.noalias() -= part * share;
    inverse_.noalias() -= across * share;
    for (const std::uint32_t column : columns) {
      weights_.col(static_cast<Eigen::Index>(column)).setZero();
      inverse_.col(static_cast<Eigen::Index>(column)).setZero();
      inverse_.row(static_cast<Eigen::Index>(column)).setZero();
    }
  }

 private:
  static constexpr double kLeastPivot = 1e-30;

  Eigen::LDLT<Dense> block(const std::vector<std::uint32_t>& columns) const {
    Dense part = inverse_(columns, columns);
    part.diagonal().array() += kLeastPivot;
    return Eigen::LDLT<Dense>(part);
  }

  const std::vector<std::vector<std::uint32_t>>& columns_;
  double scale_;
  Dense weights_, inverse_;
};

}  // namespace

ChannelTrace channel_trace(const std::vector<ChannelReading>& readings) {
  ChannelTrace trace;
  if (readings.empty()) return trace;
  std::vector<Removal> removals(readings.begin(), readings.end());
  std::vector<std::size_t> left(readings.front().columns.size());
  for (std::size_t c = 0; c < left.size(); ++c) left[c] = c;
  double largest = 0;
  while (!left.empty()) {
    std::size_t best = 0;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < left.size(); ++i) {
      double cost = 0;
      for (const Removal& removal : removals) cost += removal.cost(left[i]);
      if (cost < least) {
        least = cost;
        best = i;
      }
    }
    largest = std::max(largest, least);
    trace.order.push_back(left[best]);
    trace.losses.push_back(largest);
    for (Removal& removal : removals) removal.remove(left[best]);
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(best));
  }
  return trace;
}

}  // namespace press
