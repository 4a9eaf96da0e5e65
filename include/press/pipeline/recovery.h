// Accuracy recovery: compresses the layers of a model one by one, each for the inputs that the layers before
// it really make, over a few unlabelled samples.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "press/ir/graph.h"
#include "press/numeric/weight_grid.h"
#include "press/passes/options.h"
#include "press/passes/recover.h"
#include "press/pipeline/progress.h"
#include "press/runtime/batch.h"
#include "press/support/result.h"

namespace press {

struct RecoverOptions {
  Recover effort = Recover::kFast;
  int threads = 1;  // the result does not depend on it
  Progress progress;
};

/// What a layer cost: mean square of the error of its output over the output's variance; nullopt where only
/// means were looked at.
struct RecoveredLayer {
  std::string node;
  std::optional<double> error;
};

struct Recovery {
  WeightGrids grids;
  std::vector<RecoveredLayer> layers;
};

/// Rounds the weights of `tasks` (nodes of `model`) to the nearest, one by one, and puts the result into the
/// model.
WeightGrids round_quantized(Model& model, const std::vector<LayerTask>& tasks);

/// Rounds the weights of `tasks` (nodes of `model`, in order) such that the network answers like `original`,
/// and puts the result into the model, which stays in float. `original` has the same nodes; weights of
/// `model` that are 0 stay so. `simulate` (or null) quantizes the activations of a copy in the way the
/// written model will; it must keep the copy's nodes. Errors: those of Lockstep and of `simulate`.
Result<Recovery> recover_quantized(Model& model, const Model& original, const std::vector<LayerTask>& tasks,
                                   const std::vector<Batch>& samples,
                                   const std::function<Status(Model&)>& simulate,
                                   const RecoverOptions& options);

/// Lets the weights of each layer share a few values (ClusterOptions) such that the network answers like
/// `original`. Weights of `model` that are 0 stay so.
Result<Recovery> recover_clustered(Model& model, const Model& original, const std::vector<Node*>& layers,
                                   const std::vector<Batch>& samples, const ClusterOptions& cluster,
                                   const RecoverOptions& options);

/// Lets the other weights of `layers` take over from those that were set to 0.
Result<Recovery> recover_pruned(Model& model, const Model& original, const std::vector<Node*>& layers,
                                const std::vector<Batch>& samples, const RecoverOptions& options);

}  // namespace press
