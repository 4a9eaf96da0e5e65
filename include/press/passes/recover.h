// Compressing one linear layer with what a lock-step pass knows of its input, and putting right what the
// compression of all layers before did to its output. Nothing is trained and nothing is added to the graph
// but a bias where there is none.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "press/ir/graph.h"
#include "press/numeric/layer_statistics.h"
#include "press/numeric/pruning_solver.h"
#include "press/numeric/weight_grid.h"
#include "press/passes/options.h"
#include "press/passes/pass.h"

namespace press {

/// A layer to compress: what its weight becomes.
struct LayerTask {
  Node* node = nullptr;
  IntegerGrid grid;
  std::int64_t block = 0;  // inputs that share a scale; 0: all of a channel
};

/// The layers that quantize_weights gives integer weights, in the order of the graph; `declined` (or null)
/// takes what was left out and why.
Result<std::vector<LayerTask>> layers_with_small_weights(const Model& model, const QuantizeOptions& options,
                                                         std::vector<Declined>* declined);

/// The layers that quantize_static gives integer weights with a scale a channel.
Result<std::vector<LayerTask>> layers_to_quantize(const Model& model, const QuantizeOptions& options);

/// The layers that quantize_dynamic makes integer products of; `declined` (or null) takes what was left out
/// and why.
Result<std::vector<LayerTask>> layers_with_dynamic_inputs(const Model& model, const QuantizeOptions& options,
                                                          std::vector<Declined>* declined);

/// Quantizes activations as quantize_static will and leaves weights and nodes as they are, so that a
/// lock-step pass sees what integer arithmetic makes of them. Errors: as quantize_static.
Status simulate_activations(Model& model, const PassContext& context);

/// The layers that can be pruned or clustered: linear ones that are selected and share their weight with
/// nobody, in the order of the graph.
Result<std::vector<Node*>> layers_to_prune(const Model& model, const NodeSelection& nodes);

/// What came of a layer.
struct LayerOutcome {
  Tensor weight;               // in place of the node's
  std::optional<Tensor> bias;  // in place of the bias; nullopt where it cannot be changed
  WeightGrid grid;
  /// Mean square of the output's error over the output's variance, before and after the correction of means
  /// and deviations; nullopt where only means were looked at.
  std::optional<double> error;
};

/// Nearest integers at scales of least weight error (press/numeric/layer_solver.h): weight and grid, no
/// samples.
LayerOutcome round_layer(const LayerTask& task);

/// Rounds the weights of a layer such that its outputs are those of `original`, the same layer before
/// anything was done to the network, and corrects their means and standard deviations. Weights of task.node
/// that are 0 stay 0. kBias: nearest integers, means only; kFast and kFull: as press/numeric/layer_solver.h.
/// The result does not depend on `threads`.
LayerOutcome quantize_layer(const LayerTask& task, const Node& original, const LayerStatistics& statistics,
                            Recover effort, int threads);

/// The same for a layer that was pruned: its zeros stay, the other weights take over (least squares; kBias:
/// the means alone). `grid` of the outcome is empty.
LayerOutcome repair_layer(Node& node, const Node& original, const LayerStatistics& statistics, Recover effort,
                          int threads);

/// The same for a layer whose weights are to share `options.count` values, zero included where there are
/// zeros, which stay (press/numeric/codebook_solver.h; kBias: the nearest centroids of k-means, means alone).
LayerOutcome cluster_layer(Node& node, const Node& original, const LayerStatistics& statistics,
                           const ClusterOptions& options, Recover effort, int threads);

/// What removing the weights of a layer costs by the criterion of `options`: by group, or all groups together
/// where it needs no samples (`statistics` may be null then). `number` of the layer, for what is random.
std::vector<RemovalTrace> trace_layer(const Node& node, const LayerStatistics* statistics,
                                      const PruneOptions& options, std::size_t number, int threads);

/// Puts an outcome into the graph (or into a copy of it: `node` is the copy's).
void apply(Graph& graph, Node& node, const LayerOutcome& outcome);

}  // namespace press
