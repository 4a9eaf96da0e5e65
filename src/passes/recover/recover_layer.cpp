#include <algorithm>
#include <cmath>

#include "passes/recover/layer_bias.h"
#include "passes/selection.h"
#include "press/ops/linear_layer.h"
#include "press/ops/operator.h"
#include "press/passes/recover.h"

namespace press {
namespace {

constexpr double kTargetDamping = 1e-2;    // of the least squares that put earlier errors right
constexpr double kRoundingDamping = 1e-2;  // of the metric that rounding goes by
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

}  // namespace

LayerOutcome quantize_layer(const LayerTask& task, const LayerStatistics& statistics, Recover effort) {
  const LinearLayer layer = *linear_layer(*task.node);
  const std::optional<BiasSlot> slot = bias_slot(*task.node, layer);
  const std::vector<float> weights = weight_rows(*task.node, layer);
  std::vector<float> rounded(weights.size());
  std::vector<float> bias(static_cast<std::size_t>(layer.outputs));
  const std::vector<float> old_bias = slot.has_value() ? bias_values(*slot, layer) : std::vector<float>();
  LayerOutcome outcome{.grid = {.limits = task.grid}};
  const Rounding rounding = effort == Recover::kBias   ? Rounding::kNearest
                            : effort == Recover::kFast ? Rounding::kFast
                                                       : Rounding::kThorough;
  double error = 0, variance = 0;
  for (std::size_t group = 0; group < statistics.groups.size(); ++group) {
    const ColumnMoments& centred = statistics.groups[group];
    const ColumnMoments moments = slot.has_value() ? centred : about_zero(centred);
    const Matrix original = rows_of_group(weights, layer, group);
    const Matrix target =
        effort == Recover::kBias ? original : least_squares_target(original, moments, kTargetDamping);
    const RoundedRows rows =
        round_rows(target, damped(moments.covariance, kRoundingDamping), task.grid, rounding);
    const std::vector<double> variances = output_variances(rows.values, centred.covariance);
    const Matrix passed = product(original, centred.cross);
    for (std::size_t i = 0; i < rows.values.rows; ++i) {
      const std::size_t channel = group * rows.values.rows + i;
      double factor = 1;
      if (slot.has_value() && effort != Recover::kBias && variances[i] > 0) {
        factor = std::clamp(std::sqrt(statistics.output_variance[channel] / variances[i]), kLeastFactor,
                            kLargestFactor);
      }
      const auto scale = static_cast<float>(rows.scales[i] * factor);
      outcome.grid.scales.push_back(scale);
      outcome.grid.zero_points.push_back(rows.zero_points[i]);
      double passed_mean = 0;
      for (std::size_t j = 0; j < rows.values.columns; ++j) {
        const std::int32_t steps = rows.codes[i * rows.values.columns + j] - rows.zero_points[i];
        const float value = static_cast<float>(steps) * scale;
        rounded[channel * rows.values.columns + j] = value;
        passed_mean += value * centred.mean[j];
      }
      bias[channel] = static_cast<float>(statistics.output_mean[channel] - passed_mean);
      if (slot.has_value() && slot->node != task.node) bias[channel] += old_bias[channel];
      // E|y - ŷ|² about the means = Var y - 2·w·Cov(x, x̂)·ŵᵀ + Var ŷ
      double covariance = 0;
      for (std::size_t j = 0; j < passed.columns; ++j) covariance += passed.at(i, j) * rows.values.at(i, j);
      variance += statistics.output_variance[channel];
      error += statistics.output_variance[channel] - 2 * factor * covariance + factor * factor * variances[i];
    }
  }
  outcome.error = variance > 0 ? error / variance : 0;
  outcome.weight = weight_from_rows(*task.node, layer, rounded);
  if (slot.has_value()) {
    const Value* old = slot->node->input(slot->input);
    outcome.bias = Tensor::of(old != nullptr ? old->constant()->dims() : Dims{layer.outputs}, bias);
  }
  return outcome;
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
