#include "press/pipeline/recovery.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "pipeline/counterparts.h"
#include "press/calibrate/lockstep.h"
#include "press/ops/linear_layer.h"

namespace press {
namespace {

Status tell(const RecoverOptions& options, std::size_t done, std::size_t total) {
  if (!options.progress) return {};
  return options.progress("recovering", static_cast<std::int64_t>(done), static_cast<std::int64_t>(total));
}

/// Gathers statistics of `layers` of `model` beside their originals in `original`, in order, and calls
/// `solve(layer, its original, its copy in the network that runs, statistics)`, which may change what comes
/// after.
template <typename Solve>
Status in_lockstep(const Model& model, const Model& running, const Model& original,
                   const std::vector<Node*>& layers, const std::vector<Batch>& samples,
                   const RecoverOptions& options, const std::unordered_map<const Node*, Node*>& to_running,
                   const Solve& solve) {
  const auto to_original = counterparts(*model.graph, *original.graph);
  LockstepOptions lockstep_options{.threads = options.threads,
                                   .means_alone = options.effort == Recover::kBias};
  if (options.effort == Recover::kFull) {
    lockstep_options.columns_per_input = 128;
    lockstep_options.least_columns = 1 << 16;
    lockstep_options.most_columns = 1 << 17;
  }
  PRESS_ASSIGN(Lockstep lockstep,
               Lockstep::create(*original.graph, *running.graph, samples, lockstep_options));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    PRESS_TRY(tell(options, i, layers.size()));
    const Node& before = *to_original.at(layers[i]);
    Node& copy = *to_running.at(layers[i]);
    PRESS_ASSIGN(const LayerStatistics statistics, lockstep.gather(before, copy));
    solve(i, before, copy, statistics);
  }
  return tell(options, layers.size(), layers.size());
}

}  // namespace

Result<Recovery> recover_quantized(Model& model, const Model& original, const std::vector<LayerTask>& tasks,
                                   const std::vector<Batch>& samples,
                                   const std::function<Status(Model&)>& simulate,
                                   const RecoverOptions& options) {
  Model simulated = clone(model);
  const auto to_simulated = counterparts(*model.graph, *simulated.graph);
  if (simulate) PRESS_TRY(simulate(simulated));
  std::vector<Node*> layers;
  layers.reserve(tasks.size());
  for (const LayerTask& task : tasks) layers.push_back(task.node);
  Recovery recovery;
  PRESS_TRY(in_lockstep(
      model, simulated, original, layers, samples, options, to_simulated,
      [&](std::size_t i, const Node& before, Node& copy, const LayerStatistics& statistics) {
        Node& node = *layers[i];
        const LayerOutcome outcome =
            quantize_layer(tasks[i], before, statistics, options.effort, options.threads);
        apply(*model.graph, node, outcome);
        apply(*simulated.graph, copy, outcome);
        recovery.grids.insert_or_assign(node.input(linear_layer(node)->weight_input)->name(), outcome.grid);
        recovery.layers.push_back({node.label(), outcome.error});
      }));
  return recovery;
}

WeightGrids round_quantized(Model& model, const std::vector<LayerTask>& tasks) {
  WeightGrids grids;
  for (const LayerTask& task : tasks) {
    LayerOutcome outcome = round_layer(task);
    apply(*model.graph, *task.node, outcome);
    const Value* weight = task.node->input(linear_layer(*task.node)->weight_input);
    grids.insert_or_assign(weight->name(), std::move(outcome.grid));
  }
  return grids;
}

namespace {

/// Puts `solve(node, its original, statistics) -> LayerOutcome` into the model, layer by layer.
template <typename Solve>
Result<Recovery> recover_floats(Model& model, const Model& original, const std::vector<Node*>& layers,
                                const std::vector<Batch>& samples, const RecoverOptions& options,
                                const Solve& solve) {
  Recovery recovery;
  PRESS_TRY(in_lockstep(model, model, original, layers, samples, options,
                        counterparts(*model.graph, *model.graph),
                        [&](std::size_t, const Node& before, Node& node, const LayerStatistics& statistics) {
                          const LayerOutcome outcome = solve(node, before, statistics);
                          apply(*model.graph, node, outcome);
                          recovery.layers.push_back({node.label(), outcome.error});
                        }));
  return recovery;
}

}  // namespace

Result<Recovery> recover_pruned(Model& model, const Model& original, const std::vector<Node*>& layers,
                                const std::vector<Batch>& samples, const RecoverOptions& options) {
  return recover_floats(model, original, layers, samples, options,
                        [&](Node& node, const Node& before, const LayerStatistics& statistics) {
                          return repair_layer(node, before, statistics, options.effort, options.threads);
                        });
}

Result<Recovery> recover_clustered(Model& model, const Model& original, const std::vector<Node*>& layers,
                                   const std::vector<Batch>& samples, const ClusterOptions& cluster,
                                   const RecoverOptions& options) {
  return recover_floats(model, original, layers, samples, options,
                        [&](Node& node, const Node& before, const LayerStatistics& statistics) {
                          return cluster_layer(node, before, statistics, cluster, options.effort,
                                               options.threads);
                        });
}

}  // namespace press
