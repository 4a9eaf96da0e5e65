// Compressing one linear layer with what a lock-step pass knows of its input, and putting right what the
// compression of all layers before did to its output. Nothing is trained and nothing is added to the graph
// but a bias where there is none.
#pragma once

#include <optional>
#include <vector>

#include "press/ir/graph.h"
#include "press/numeric/layer_statistics.h"
#include "press/numeric/weight_grid.h"
#include "press/passes/options.h"
#include "press/passes/pass.h"

namespace press {

/// A layer to compress: what its weight becomes.
struct LayerTask {
  Node* node = nullptr;
  IntegerGrid grid;
};

/// The layers that quantize_weights gives integer weights, in the order of the graph; `declined` (or null)
/// takes what was left out and why.
Result<std::vector<LayerTask>> layers_with_small_weights(const Model& model, const QuantizeOptions& options,
                                                         std::vector<Declined>* declined);

/// What came of a layer.
struct LayerOutcome {
  Tensor weight;               // in place of the node's
  std::optional<Tensor> bias;  // in place of the bias; nullopt where it cannot be changed
  WeightGrid grid;
  /// Mean square of the output's error over the output's variance, before and after the correction of means
  /// and deviations.
  double error = 0;
};

/// Rounds the weights of a layer for its statistics and corrects mean and standard deviation of its outputs.
/// kBias: nearest integers, means only; kFast and kFull: as press/numeric/layer_solver.h.
LayerOutcome quantize_layer(const LayerTask& task, const LayerStatistics& statistics, Recover effort);

/// Puts an outcome into the graph (or into a copy of it: `node` is the copy's).
void apply(Graph& graph, Node& node, const LayerOutcome& outcome);

}  // namespace press
