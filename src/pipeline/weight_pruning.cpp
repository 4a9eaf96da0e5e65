#include "press/pipeline/weight_pruning.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "pipeline/counterparts.h"
#include "pipeline/output_error.h"
#include "press/calibrate/lockstep.h"
#include "press/ops/linear_layer.h"

namespace press {
namespace {

/// Where the network's error is measured: with at least this share of a layer's weights gone.
constexpr double kLeastMeasuredShare = 0.5;

/// Which losses of some layers mean that a weight goes: those below the threshold, and the first `ties` that
/// equal it.
struct Cut {
  float threshold = 0;
  std::int64_t ties = 0;
};

using Traces = std::vector<RemovalTrace>;  // of a layer, by group

/// `block`: weights that stay or go together; 0: each by itself.
Cut cut_of(std::span<const Traces> layers, double share, std::int64_t block) {
  std::vector<float> losses;
  for (const Traces& traces : layers) {
    for (const RemovalTrace& trace : traces) {
      losses.insert(losses.end(), trace.losses.begin(), trace.losses.end());
    }
  }
  const auto count = static_cast<std::int64_t>(std::llround(share * static_cast<double>(losses.size())));
  if (count == 0) return {.threshold = -1};
  const auto nth = losses.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::ranges::nth_element(losses, nth);
  Cut cut{.threshold = *nth};
  cut.ties = count - std::ranges::count_if(losses, [&](float loss) { return loss < cut.threshold; });
  if (block > 0) cut.ties -= cut.ties % block;
  return cut;
}

/// The share of zeros of each layer after Erdős-Rényi-Kernel (Evci et al., "Rigging the Lottery", arXiv
/// 1911.11134): densities in proportion to the sum of the dims of a weight over their product; layers that
/// would be more than dense are, and the others make up for them.
std::vector<double> erk_shares(const std::vector<Node*>& layers, double sparsity) {
  std::vector<double> sizes, densities;
  double total = 0;
  for (const Node* node : layers) {
    const LinearLayer layer = *linear_layer(*node);
    double sum = 0, product = 1;
    for (const std::int64_t extent : node->input(layer.weight_input)->constant()->dims()) {
      sum += static_cast<double>(extent);
      product *= static_cast<double>(extent);
    }
    sizes.push_back(product);
    densities.push_back(sum / product);
    total += product;
  }
  std::vector<bool> dense(layers.size(), false);
  const double wanted = (1 - sparsity) * total;
  while (true) {
    double rest = wanted, raw = 0;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (dense[i]) rest -= sizes[i];
      if (!dense[i]) raw += densities[i] * sizes[i];
    }
    const double factor = raw > 0 ? std::max(rest, 0.0) / raw : 0;
    bool changed = false;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (dense[i] || factor * densities[i] <= 1) continue;
      dense[i] = true;
      changed = true;
    }
    if (changed) continue;
    std::vector<double> shares;
    for (std::size_t i = 0; i < layers.size(); ++i)
      shares.push_back(dense[i] ? 0 : 1 - factor * densities[i]);
    return shares;
  }
}

/// Sets what `cut` says to zero, but for the last weight of the layer. Returns how many weights that were.
std::int64_t apply_cut(Node& node, const Traces& traces, Cut& cut) {
  const LinearLayer layer = *linear_layer(node);
  std::vector<float> weights = weight_rows(node, layer);
  const auto width = static_cast<std::size_t>(layer.inputs);
  auto left = static_cast<std::int64_t>(weights.size());
  std::int64_t zeros = 0;
  std::size_t begin = 0;
  for (const RemovalTrace& trace : traces) {
    for (std::size_t at = 0; at < trace.losses.size() && left > 1; ++at) {
      const float loss = trace.losses[at];
      if (!std::isfinite(loss) || loss > cut.threshold) continue;
      if (loss == cut.threshold && cut.ties-- <= 0) continue;
      weights[begin + at / width * width + trace.order[at]] = 0;
      --left;
      ++zeros;
    }
    begin += trace.losses.size();
  }
  node.input(layer.weight_input)->set_constant(weight_from_rows(node, layer, weights));
  return zeros;
}

/// Losses as the network feels them: in parts of its outputs' error, from one place of the layer's curve.
Status weigh(const Model& model, const OutputError& network, const Node& node,
             const LayerStatistics& statistics, const PruneOptions& options, int threads, Traces& traces) {
  Cut cut = cut_of({&traces, 1}, std::max(options.sparsity, kLeastMeasuredShare), options.pattern_of);
  double expected = 0;
  for (const RemovalTrace& trace : traces) {
    for (const float loss : trace.losses) expected += loss < cut.threshold ? loss : 0;
  }
  if (!(expected > 0)) return {};
  const Model copy = clone(model);
  Node* changed = counterparts(*model.graph, *copy.graph).at(&node);
  apply_cut(*changed, traces, cut);
  apply(*copy.graph, *changed, repair_layer(*changed, node, statistics, Recover::kFast, threads));
  PRESS_ASSIGN(const double measured, network.of(copy));
  for (RemovalTrace& trace : traces) {
    for (float& loss : trace.losses) loss = static_cast<float>(loss * measured / expected);
  }
  return {};
}

Result<std::vector<Traces>> traces_of(const Model& model, const std::vector<Node*>& layers,
                                      const PruneOptions& options, const std::vector<Batch>& samples,
                                      const RecoverOptions& run) {
  std::vector<Traces> traces;
  if (info(options.method).needs == PruningCriterion::Needs::kNothing) {
    for (const Node* node : layers) {
      traces.push_back(trace_layer(*node, nullptr, options, traces.size(), run.threads));
    }
    return traces;
  }
  const bool compares = options.scope == PruneScope::kGlobal && options.pattern_keep == 0;
  PRESS_ASSIGN(const OutputError network, OutputError::create(model, samples, run.threads));
  PRESS_ASSIGN(Lockstep lockstep,
               Lockstep::create(*model.graph, *model.graph, samples, {.threads = run.threads}));
  for (const Node* node : layers) {
    if (run.progress) {
      PRESS_TRY(run.progress("pruning", static_cast<std::int64_t>(traces.size()),
                             static_cast<std::int64_t>(layers.size())));
    }
    PRESS_ASSIGN(const LayerStatistics statistics, lockstep.gather(*node, *node));
    traces.push_back(trace_layer(*node, &statistics, options, traces.size(), run.threads));
    if (!compares) continue;
    PRESS_TRY(weigh(model, network, *node, statistics, options, run.threads, traces.back()));
  }
  return traces;
}

}  // namespace

Result<std::int64_t> prune_by_criterion(Model& model, const std::vector<Node*>& layers,
                                        const PruneOptions& options, const std::vector<Batch>& samples,
                                        const RecoverOptions& run) {
  PRESS_ASSIGN(const std::vector<Traces> traces, traces_of(model, layers, options, samples, run));
  const std::span<const Traces> all(traces);
  std::vector<double> shares(layers.size(), options.sparsity);
  if (options.scope == PruneScope::kErk) shares = erk_shares(layers, options.sparsity);
  Cut cut;
  if (options.pattern_keep > 0) {
    cut.threshold = std::numeric_limits<float>::max();
  } else if (options.scope == PruneScope::kGlobal) {
    cut = cut_of(all, options.sparsity, options.pattern_of);
  }
  std::int64_t zeros = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const bool own = options.pattern_keep == 0 && options.scope != PruneScope::kGlobal;
    if (own) cut = cut_of(all.subspan(i, 1), shares[i], options.pattern_of);
    zeros += apply_cut(*layers[i], traces[i], cut);
  }
  return zeros;
}

}  // namespace press
