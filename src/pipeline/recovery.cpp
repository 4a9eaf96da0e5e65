#include "press/pipeline/recovery.h"

#include <unordered_map>

#include "press/calibrate/lockstep.h"
#include "press/ops/linear_layer.h"

namespace press {
namespace {

/// The nodes of two copies of a graph, side by side.
std::unordered_map<const Node*, Node*> counterparts(const Graph& from, const Graph& to) {
  std::unordered_map<const Node*, Node*> pairs;
  auto other = to.nodes().begin();
  for (const Node* node : from.nodes()) {
    pairs.emplace(node, *other);
    ++other;
  }
  return pairs;
}

LockstepOptions lockstep_options(const RecoverOptions& options) {
  LockstepOptions lockstep{.threads = options.threads};
  if (options.effort == Recover::kFull) {
    lockstep.columns_per_input = 128;
    lockstep.least_columns = 1 << 16;
  }
  return lockstep;
}

}  // namespace

Result<Recovery> recover_quantized(Model& model, const std::vector<LayerTask>& tasks,
                                   std::vector<Batch> samples, const std::function<Status(Model&)>& simulate,
                                   const RecoverOptions& options) {
  const Model original = clone(model);
  const auto to_original = counterparts(*model.graph, *original.graph);
  Model simulated = clone(model);
  const auto to_simulated = counterparts(*model.graph, *simulated.graph);
  if (simulate) PRESS_TRY(simulate(simulated));

  Recovery recovery;
  PRESS_ASSIGN(Lockstep lockstep, Lockstep::create(*original.graph, *simulated.graph, std::move(samples),
                                                   lockstep_options(options)));
  const auto total = static_cast<std::int64_t>(tasks.size());
  for (const LayerTask& task : tasks) {
    if (options.progress) {
      PRESS_TRY(options.progress("recovering", static_cast<std::int64_t>(recovery.layers.size()), total));
    }
    Node& node = *to_simulated.at(task.node);
    PRESS_ASSIGN(const LayerStatistics statistics, lockstep.gather(*to_original.at(task.node), node));
    const LayerOutcome outcome = quantize_layer(task, statistics, options.effort);
    apply(*model.graph, *task.node, outcome);
    apply(*simulated.graph, node, outcome);
    const std::size_t weight = static_cast<std::size_t>(linear_layer(*task.node)->weight_input);
    recovery.grids.insert_or_assign(task.node->input(weight)->name(), outcome.grid);
    recovery.layers.push_back({task.node->label(), outcome.error});
  }
  if (options.progress) PRESS_TRY(options.progress("recovering", total, total));
  return recovery;
}

}  // namespace press
