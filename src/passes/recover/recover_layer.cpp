#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "passes/recover/layer_bias.h"
#include "passes/selection.h"
#include "press/numeric/codebook_solver.h"
#include "press/ops/linear_layer.h"
#include "press/ops/operator.h"
#include "press/passes/recover.h"

namespace press {
namespace {

constexpr double kDamping = 1e-2;       // of least squares, and of the metric that rounding goes by
constexpr double kTraceDamping = 1e-3;  // of the metric that masks go by
constexpr double kLeastFactor = 0.5, kLargestFactor = 4;

Matrix rows_of_group(std::span<const float> rows, const LinearLayer& layer, std::size_t group) {
  Matrix matrix(static_cast<std::size_t>(layer.outputs_per_group()), static_cast<std::size_t>(layer.inputs));
  const float* from = rows.data() + group * matrix.values.size();
  std::copy_n(from, matrix.values.size(), matrix.values.begin());
  return matrix;
}

/// Without a bias to take up the means, they are part of what a weight must get right.
ColumnMoments about_zero(const ColumnMoments& centred) {
  ColumnMoments moments = centred;
  for (std::size_t i = 0; i < moments.mean.size(); ++i) {
    for (std::size_t j = 0; j < moments.mean.size(); ++j) {
      moments.covariance.at(i, j) += moments.mean[i] * moments.mean[j];
      moments.cross.at(i, j) += moments.reference_mean[i] * moments.mean[j];
    }
  }
  return moments;
}

/// Collects the rows of a layer as they are solved, group by group, and matches mean and standard deviation
/// of the outputs to those of the original layer.
class Corrector {
 public:
  /// `original`: the layer before anything was done to it.
  Corrector(Node& node, const Node& original, const LayerStatistics& statistics, Recover effort)
      : node_(node),
        layer_(*linear_layer(node)),
        statistics_(statistics),
        effort_(effort),
        slot_(bias_slot(node, layer_)),
        weights_(weight_rows(original, layer_)),
        rows_(weights_.size()),
        bias_(slot_.has_value() ? bias_values(*slot_, layer_) : std::vector<float>()) {}

  Matrix original(std::size_t group) const { return rows_of_group(weights_, layer_, group); }

  /// Which weights of a group are 0 in the layer as it is now; empty where none is.
  std::vector<std::uint8_t> zeros(std::size_t group) const {
    const Matrix rows = rows_of_group(weight_rows(node_, layer_), layer_, group);
    std::vector<std::uint8_t> zeros;
    if (std::ranges::find(rows.values, 0.0) == rows.values.end()) return zeros;
    for (const double value : rows.values) zeros.push_back(value == 0 ? 1 : 0);
    return zeros;
  }

  /// What the weights of a group are to get right.
  ColumnMoments moments(std::size_t group) const {
    return slot_.has_value() ? statistics_.groups[group] : about_zero(statistics_.groups[group]);
  }

  /// Whether the values of a row may be scaled all together to match its deviation.
  enum class Values { kScalable, kFixed };

  /// Takes the solved rows of a group; `scales` (one a row, or none) grow with them. Each row becomes
  /// `steps` · scale where there are scales, so that integers are found again exactly.
  void take(std::size_t group, const Matrix& solved, std::span<float> scales,
            Values values = Values::kScalable) {
    const ColumnMoments& centred = statistics_.groups[group];
    // Means alone need no more than means.
    const bool means_alone = effort_ == Recover::kBias;
    const std::vector<double> variances =
        means_alone ? std::vector<double>(solved.rows) : output_variances(solved, centred.covariance);
    const Matrix passed =
        means_alone ? Matrix(solved.rows, solved.columns) : product(original(group), centred.cross);
    for (std::size_t i = 0; i < solved.rows; ++i) {
      const std::size_t channel = group * solved.rows + i;
      const double wanted = means_alone ? 0 : statistics_.output_variance[channel];
      double factor = 1;
      if (values == Values::kScalable && slot_.has_value() && variances[i] > 0) {
        factor = std::clamp(std::sqrt(wanted / variances[i]), kLeastFactor, kLargestFactor);
      }
      const double scale = scales.empty() ? 1 : scales[i];
      if (!scales.empty()) scales[i] = static_cast<float>(scale * factor);
      double mean = 0, covariance = 0;
      for (std::size_t j = 0; j < solved.columns; ++j) {
        const float value = scales.empty()
                                ? static_cast<float>(solved.at(i, j) * factor)
                                : static_cast<float>(std::nearbyint(solved.at(i, j) / scale)) * scales[i];
        rows_[channel * solved.columns + j] = value;
        mean += value * centred.mean[j];
        covariance += passed.at(i, j) * solved.at(i, j);
      }
      if (slot_.has_value()) {
        const double old = slot_->node == &node_ ? 0.0 : bias_[channel];
        bias_[channel] = static_cast<float>(statistics_.output_mean[channel] - mean + old);
      }
      // E|y - ŷ|² about the means = Var y - 2·w·Cov(x, x̂)·ŵᵀ + Var ŷ
      variance_ += wanted;
      error_ += wanted - 2 * factor * covariance + factor * factor * variances[i];
    }
  }

  LayerOutcome outcome(WeightGrid grid) && {
    LayerOutcome outcome{
        .weight = weight_from_rows(node_, layer_, rows_), .bias = {}, .grid = std::move(grid)};
    if (effort_ != Recover::kBias) outcome.error = variance_ > 0 ? std::max(error_, 0.0) / variance_ : 0;
    if (!slot_.has_value()) return outcome;
    const Value* old = slot_->node->input(slot_->input);
    outcome.bias = Tensor::of(old != nullptr ? old->constant()->dims() : Dims{layer_.outputs}, bias_);
    return outcome;
  }

 private:
  Node& node_;
  LinearLayer layer_;
  const LayerStatistics& statistics_;
  Recover effort_;
  std::optional<BiasSlot> slot_;
  std::vector<float> weights_, rows_, bias_;
  double error_ = 0, variance_ = 0;
};

Rounding rounding_of(Recover effort) {
  switch (effort) {
    case Recover::kNone:
    case Recover::kBias:
      return Rounding::kNearest;
    case Recover::kFast:
      return Rounding::kFast;
    case Recover::kFull:
      return Rounding::kThorough;
  }
  return Rounding::kNearest;
}

}  // namespace

LayerOutcome round_layer(const LayerTask& task) {
  const LinearLayer layer = *linear_layer(*task.node);
  Matrix weights(static_cast<std::size_t>(layer.outputs), static_cast<std::size_t>(layer.inputs));
  std::ranges::copy(weight_rows(*task.node, layer), weights.values.begin());
  RoundedRows rows = round_rows(weights, {}, task.grid, Rounding::kNearest);
  WeightGrid grid{.limits = task.grid, .scales = {}, .zero_points = std::move(rows.zero_points)};
  for (const double scale : rows.scales) grid.scales.push_back(static_cast<float>(scale));
  const std::vector<float> values(rows.values.values.begin(), rows.values.values.end());
  return {.weight = weight_from_rows(*task.node, layer, values),
          .bias = {},
          .grid = std::move(grid),
          .error = {}};
}

LayerOutcome quantize_layer(const LayerTask& task, const Node& original, const LayerStatistics& statistics,
                            Recover effort, int threads) {
  Corrector corrector(*task.node, original, statistics, effort);
  WeightGrid grid{.limits = task.grid, .scales = {}, .zero_points = {}};
  for (std::size_t group = 0; group < statistics.groups.size(); ++group) {
    const std::vector<std::uint8_t> zeros = corrector.zeros(group);
    Matrix target = corrector.original(group);
    ColumnMoments moments;
    if (effort != Recover::kBias) {
      moments = corrector.moments(group);
      target = zeros.empty() ? least_squares_target(target, moments, kDamping)
                             : masked_least_squares(target, moments, zeros, kDamping, threads);
    }
    const RoundedRows rows =
        round_rows(target, damped(moments.covariance, kDamping), task.grid, rounding_of(effort), zeros);
    std::vector<float> scales(rows.scales.begin(), rows.scales.end());
    corrector.take(group, rows.values, scales);
    grid.scales.insert(grid.scales.end(), scales.begin(), scales.end());
    grid.zero_points.insert(grid.zero_points.end(), rows.zero_points.begin(), rows.zero_points.end());
  }
  return std::move(corrector).outcome(std::move(grid));
}

std::vector<RemovalTrace> trace_layer(const Node& node, const LayerStatistics* statistics,
                                      const PruneOptions& options, std::size_t number, int threads) {
  const LinearLayer layer = *linear_layer(node);
  const std::vector<float> weights = weight_rows(node, layer);
  const PruningCriterion& criterion = info(options.method);
  // N:M runs along the input channels: the elements of a kernel are patterns of their own.
  RowPattern pattern{static_cast<std::size_t>(options.pattern_keep),
                     static_cast<std::size_t>(options.pattern_of)};
  if (!layer.weight_transposed) {
    pattern.stride =
        static_cast<std::size_t>(layer.inputs / node.input(layer.weight_input)->constant()->dims()[1]);
  }
  if (criterion.needs == PruningCriterion::Needs::kNothing) {
    Matrix rows(static_cast<std::size_t>(layer.outputs), static_cast<std::size_t>(layer.inputs));
    std::ranges::copy(weights, rows.values.begin());
    return {criterion.trace({.weights = rows, .pattern = pattern, .seed = number, .threads = threads})};
  }
  const double energy =
      std::accumulate(statistics->output_variance.begin(), statistics->output_variance.end(), 0.0);
  std::vector<RemovalTrace> traces;
  for (std::size_t group = 0; group < statistics->groups.size(); ++group) {
    const Matrix rows = rows_of_group(weights, layer, group);
    const Matrix covariance = damped(statistics->groups[group].covariance, kTraceDamping);
    traces.push_back(criterion.trace({.weights = rows,
                                      .covariance = &covariance,
                                      .energy = energy > 0 ? energy : std::numeric_limits<double>::infinity(),
                                      .pattern = pattern,
                                      .threads = threads}));
  }
  return traces;
}

LayerOutcome repair_layer(Node& node, const Node& original, const LayerStatistics& statistics, Recover effort,
                          int threads) {
  Corrector corrector(node, original, statistics, effort);
  for (std::size_t group = 0; group < statistics.groups.size(); ++group) {
    const std::vector<std::uint8_t> zeros = corrector.zeros(group);
    Matrix rows = corrector.original(group);
    if (effort == Recover::kBias) {
      for (std::size_t i = 0; i < zeros.size(); ++i) rows.values[i] = zeros[i] != 0 ? 0 : rows.values[i];
    } else if (zeros.empty()) {
      rows = least_squares_target(rows, corrector.moments(group), kDamping);
    } else {
      rows = masked_least_squares(rows, corrector.moments(group), zeros, kDamping, threads);
    }
    corrector.take(group, rows, {});
  }
  return std::move(corrector).outcome({});
}

LayerOutcome cluster_layer(Node& node, const Node& original, const LayerStatistics& statistics,
                           const ClusterOptions& options, Recover effort, int threads) {
  Corrector corrector(node, original, statistics, effort);
  std::vector<RowGroup> groups;
  bool has_zeros = false;
  for (std::size_t group = 0; group < statistics.groups.size(); ++group) {
    RowGroup& rows = groups.emplace_back();
    rows.zeros = corrector.zeros(group);
    rows.target = corrector.original(group);
    has_zeros = has_zeros || !rows.zeros.empty();
    if (effort == Recover::kBias) continue;
    const ColumnMoments moments = corrector.moments(group);
    rows.covariance = damped(moments.covariance, kDamping);
    rows.target = rows.zeros.empty()
                      ? least_squares_target(rows.target, moments, kDamping)
                      : masked_least_squares(rows.target, moments, rows.zeros, kDamping, threads);
  }
  const std::int64_t count = std::max<std::int64_t>(options.count - (has_zeros ? 1 : 0), 1);
  const std::vector<Matrix> shared = share_values(groups, count, options.start, threads);
  for (std::size_t group = 0; group < shared.size(); ++group)
    corrector.take(group, shared[group], {}, Corrector::Values::kFixed);
  return std::move(corrector).outcome({});
}

void apply(Graph& graph, Node& node, const LayerOutcome& outcome) {
  const LinearLayer layer = *linear_layer(node);
  const std::optional<BiasSlot> slot = bias_slot(node, layer);
  node.input(layer.weight_input)->set_constant(outcome.weight);
  if (!slot.has_value() || !outcome.bias.has_value()) return;
  Value* bias = slot->node->input(slot->input);
  if (bias != nullptr && bias->has_one_use()) {
    bias->set_constant(*outcome.bias);
    return;
  }
  const std::string name = bias != nullptr ? bias->name() : node.input(layer.weight_input)->name() + "_bias";
  graph.set_input(slot->node, slot->input, graph.add_constant(*outcome.bias, graph.fresh_name(name)));
}

}  // namespace press
