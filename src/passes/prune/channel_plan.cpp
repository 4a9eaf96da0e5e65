#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "passes/floats.h"
#include "passes/prune/channel_graph.h"
#include "passes/selection.h"
#include "press/ops/linear_layer.h"
#include "press/passes/channels.h"

namespace press {
namespace {

using Axis = std::pair<const Value*, std::size_t>;

Result<ChannelGraph> channel_graph(const Model& model, const PruneOptions& options) {
  PRESS_ASSIGN(const NodeMatcher matcher, NodeMatcher::compile(options.nodes));
  return ChannelGraph::build(*model.graph, [&](const Node& node) { return matcher.matches(node); });
}

/// Sums of squares along an axis of a constant.
std::vector<double> squares_along(const Tensor& tensor, std::size_t axis) {
  std::int64_t inner = 1;
  for (std::size_t i = axis + 1; i < tensor.rank(); ++i) inner *= tensor.dims()[i];
  std::vector<double> sums(static_cast<std::size_t>(tensor.dims()[axis]));
  for_each_float(tensor, [&](std::int64_t index, double value) {
    sums[static_cast<std::size_t>(index / inner) % sums.size()] += value * value;
  });
  return sums;
}

/// Norms of channels: of all weights that make them, over all layers that do.
class Norms {
 public:
  double of(const ChannelSet& set) {
    double sum = 0;
    for (const ChannelSlice& slice : set.weights) {
      const auto [known, is_new] = squares_.try_emplace({slice.constant, slice.axis});
      if (is_new) known->second = squares_along(*slice.constant->constant(), slice.axis);
      sum += known->second[static_cast<std::size_t>(slice.index)];
    }
    return std::sqrt(sum);
  }

 private:
  std::map<Axis, std::vector<double>> squares_;
};

/// The layers that read a group's channels; none where one of them is no layer whose input can be looked at.
std::vector<ChannelReader> readers_of(const Graph& graph, const ChannelGroup& group) {
  std::map<const Node*, ChannelReader> readers;
  for (std::size_t c = 0; c < group.sets.size(); ++c) {
    std::set<Axis> made;
    for (const ChannelSlice& slice : group.sets[c].weights) made.emplace(slice.constant, slice.axis);
    for (const ChannelSlice& slice : group.sets[c].slices) {
      if (made.contains({slice.constant, slice.axis}) || slice.constant->constant()->rank() < 2) continue;
      if (!slice.constant->has_one_use()) return {};
      Node* node = slice.constant->uses()[0].node;
      if (constant_weight(*node) != slice.constant) continue;  // a slope, a scale
      const std::optional<LinearLayer> layer = linear_layer(*node);
      const std::size_t axis = layer.has_value() && layer->weight_transposed ? 0 : 1;
      if (!layer.has_value()) return {};
      if (layer->groups > 1) continue;  // depthwise: reads and makes the same channels
      if (slice.axis != axis) return {};
      ChannelReader& reader = readers[node];
      reader.node = node;
      reader.columns.resize(group.sets.size());
      const std::int64_t width = layer->inputs / slice.constant->constant()->dims()[axis];
      for (std::int64_t j = 0; j < width; ++j) {
        reader.columns[c].push_back(static_cast<std::uint32_t>(slice.index * width + j));
      }
    }
  }
  std::vector<ChannelReader> result;
  for (const Node* node : graph.nodes()) {
    if (const auto reader = readers.find(node); reader != readers.end()) {
      result.push_back(std::move(reader->second));
    }
  }
  return result;
}

/// Multiply-accumulates of the network while channels go.
class Operations {
 public:
  Operations(const Graph& graph, const ShapeTable& facts) {
    for (const Node* node : graph.nodes()) {
      const Value* weight = constant_weight(*node);
      const std::optional<std::int64_t> macs =
          multiply_accumulates(*node, facts.find(node->input(0)), facts.find(node->output()));
      if (!macs) continue;
      total_ += static_cast<double>(*macs);
      if (weight != nullptr) layers_[weight] += static_cast<double>(*macs);
    }
  }

  double total() const { return total_; }

  /// What goes when these sets go, beside those that went before.
  double saved(std::span<const ChannelSet* const> sets) const {
    std::map<const Value*, std::map<std::size_t, std::int64_t>> lost;
    for (const ChannelSet* set : sets) {
      for (const ChannelSlice& slice : set->slices) {
        if (layers_.contains(slice.constant)) ++lost[slice.constant][slice.axis];
      }
    }
    double sum = 0;
    for (const auto& [weight, axes] : lost) {
      double left = 1;
      for (const auto& [axis, count] : axes) left *= 1 - static_cast<double>(count) / extent({weight, axis});
      sum += layers_.at(weight) * (1 - left);
    }
    return sum;
  }

  void remove(std::span<const ChannelSet* const> sets) {
    for (const ChannelSet* set : sets) {
      for (const ChannelSlice& slice : set->slices) {
        const auto layer = layers_.find(slice.constant);
        if (layer == layers_.end()) continue;
        const double before = extent({slice.constant, slice.axis});
        const double removed = layer->second / before;
        layer->second -= removed;
        total_ -= removed;
        ++gone_[{slice.constant, slice.axis}];
      }
    }
  }

 private:
  double extent(const Axis& axis) const {
    const auto gone = gone_.find(axis);
    return static_cast<double>(axis.first->constant()->dims()[axis.second] -
                               (gone != gone_.end() ? gone->second : 0));
  }

  std::map<const Value*, double> layers_;  // by weight
  std::map<Axis, std::int64_t> gone_;
  double total_ = 0;
};

/// How many of a group's channels may go when `wanted` are asked for.
std::size_t allowed(std::size_t count, std::size_t wanted, std::size_t round_to) {
  const std::size_t least = std::min(count, std::max<std::size_t>(round_to, 1));
  std::size_t kept = std::max(count - std::min(wanted, count), least);
  if (round_to > 1) kept = std::min(count, (kept + round_to - 1) / round_to * round_to);
  return count - kept;
}

/// Takes channels of one group after another.
class Planner {
 public:
  Planner(const ChannelGraph& channels, const PruneOptions& options, std::span<const ChannelTrace> traces,
          Operations operations)
      : channels_(channels),
        traces_(traces),
        operations_(std::move(operations)),
        round_to_(static_cast<std::size_t>(options.round_to)),
        taken_(traces.size()) {}

  /// The same share of each group.
  void take_share(double share) {
    for (std::size_t g = 0; g < traces_.size(); ++g) {
      const std::size_t count = traces_[g].order.size();
      const auto wanted = static_cast<std::size_t>(std::llround(share * static_cast<double>(count)));
      take(g, allowed(count, wanted, round_to_));
    }
  }

  /// So many channels, the cheapest ones.
  void take_cheapest(std::size_t wanted) {
    while (wanted > 0) {
      const std::optional<std::size_t> g = cheapest([&](std::size_t /*group*/, std::size_t step) {
        return step > wanted ? 0.0 : static_cast<double>(step);
      });
      if (!g) return;
      wanted -= step_of(*g);
      take(*g, step_of(*g));
    }
  }

  /// Until no more than so many operations are left.
  void take_operations(double wanted) {
    while (operations_.total() > wanted) {
      const std::optional<std::size_t> g =
          cheapest([&](std::size_t group, std::size_t step) { return operations_.saved(next(group, step)); });
      if (!g) return;
      take(*g, step_of(*g));
    }
  }

  double operations() const { return operations_.total(); }

  ChannelPlan plan() const {
    ChannelPlan plan;
    for (std::size_t g = 0; g < traces_.size(); ++g) {
      const auto begin = traces_[g].order.begin();
      plan.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(taken_[g]));
    }
    return plan;
  }

 private:
  /// How many channels go at once, so that a multiple stays; 0: no more may go.
  std::size_t step_of(std::size_t g) const {
    const std::size_t left = traces_[g].order.size() - taken_[g];
    const std::size_t kept = left == 0 ? 0 : (left - 1) / round_to_ * round_to_;
    return kept == 0 ? 0 : left - kept;
  }

  std::vector<const ChannelSet*> next(std::size_t g, std::size_t count) const {
    std::vector<const ChannelSet*> sets;
    for (std::size_t i = 0; i < count; ++i) {
      sets.push_back(&channels_.groups()[g].sets[traces_[g].order[taken_[g] + i]]);
    }
    return sets;
  }

  void take(std::size_t g, std::size_t count) {
    operations_.remove(next(g, count));
    taken_[g] += count;
  }

  /// The group whose next step costs least for what it gains; nullopt where none gains anything.
  template <typename Gain>
  std::optional<std::size_t> cheapest(const Gain& gain) const {
    std::optional<std::size_t> best;
    double least = 0;
    for (std::size_t g = 0; g < traces_.size(); ++g) {
      const std::size_t step = step_of(g);
      if (step == 0) continue;
      const double gained = gain(g, step);
      if (!(gained > 0)) continue;
      const auto begin = traces_[g].losses.begin() + static_cast<std::ptrdiff_t>(taken_[g]);
      const double cost = std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(step), 0.0) / gained;
      if (best && cost >= least) continue;
      best = g;
      least = cost;
    }
    return best;
  }

  const ChannelGraph& channels_;
  std::span<const ChannelTrace> traces_;
  Operations operations_;
  std::size_t round_to_;
  std::vector<std::size_t> taken_;  // by group
};

}  // namespace

Result<std::vector<PrunableChannels>> prunable_channels(const Model& model, const PruneOptions& options) {
  PRESS_ASSIGN(const ChannelGraph channels, channel_graph(model, options));
  Norms norms;
  std::vector<PrunableChannels> result;
  for (const ChannelGroup& group : channels.groups()) {
    PrunableChannels& prunable = result.emplace_back();
    prunable.label = group.label;
    for (const ChannelSet& set : group.sets) prunable.norms.push_back(norms.of(set));
    prunable.readers = readers_of(*model.graph, group);
  }
  return result;
}

ChannelTrace magnitude_trace(const PrunableChannels& channels) {
  const std::vector<double>& norms = channels.norms;
  ChannelTrace trace;
  trace.order.resize(norms.size());
  std::iota(trace.order.begin(), trace.order.end(), std::size_t{0});
  std::ranges::stable_sort(trace.order, {}, [&](std::size_t i) { return norms[i]; });
  const double mean = std::accumulate(norms.begin(), norms.end(), 0.0) / static_cast<double>(norms.size());
  for (const std::size_t i : trace.order) trace.losses.push_back(mean > 0 ? norms[i] / mean : 0);
  return trace;
}

Result<ChannelPlan> plan_channels(const Model& model, const PruneOptions& options,
                                  std::span<const ChannelTrace> traces) {
  PRESS_ASSIGN(const ChannelGraph channels, channel_graph(model, options));
  Result<ShapeTable> facts = infer_shapes(*model.graph, {.dims = {{"", 1}}});
  if (!facts.ok() && options.macs) {
    return std::move(facts).error().with_context(
        "multiply-accumulates are counted with 1 for open extents of inputs (--input-shape fixes them)");
  }
  // Networks whose images must be larger than that: only budgets count operations.
  if (!facts.ok()) facts = infer_shapes(*model.graph);
  const Operations operations(*model.graph, facts.ok() ? *facts : ShapeTable());
  Planner planner(channels, options, traces, operations);
  const bool local = options.scope == PruneScope::kLocal;
  if (!options.macs && local) {
    planner.take_share(options.sparsity);
  } else if (!options.macs) {
    std::size_t count = 0;
    for (const ChannelTrace& trace : traces) count += trace.order.size();
    planner.take_cheapest(
        static_cast<std::size_t>(std::llround(options.sparsity * static_cast<double>(count))));
  } else if (!local) {
    planner.take_operations(*options.macs * operations.total());
  } else {
    // The smallest share, in thousandths, that is enough.
    int share = 0;
    for (; share < 999; ++share) {
      Planner trial(channels, options, traces, operations);
      trial.take_share(share / 1000.0);
      if (trial.operations() <= *options.macs * operations.total()) break;
    }
    planner.take_share(share / 1000.0);
  }
  if (options.macs && planner.operations() > *options.macs * operations.total() * 1.0001) {
    return Error(ErrorCode::kUsage,
                 fmt::format("{:.0f} % of the multiply-accumulates were asked for, but with all channels "
                             "gone that may go {:.0f} % are left",
                             *options.macs * 100, planner.operations() / operations.total() * 100));
  }
  return planner.plan();
}

Status mask_channels(Model& model, const PruneOptions& options, const ChannelPlan& plan) {
  PRESS_ASSIGN(const ChannelGraph channels, channel_graph(model, options));
  std::map<std::pair<Value*, std::size_t>, std::set<std::int64_t>> places;
  for (std::size_t g = 0; g < plan.size(); ++g) {
    for (const std::size_t c : plan[g]) {
      for (const ChannelSlice& slice : channels.groups()[g].sets[c].slices) {
        places[{slice.constant, slice.axis}].insert(slice.index);
      }
    }
  }
  for (const auto& entry : places) {
    const auto& place = entry.first;
    const auto& indices = entry.second;
    Tensor tensor = *place.first->constant();
    std::int64_t inner = 1;
    for (std::size_t i = place.second + 1; i < tensor.rank(); ++i) inner *= tensor.dims()[i];
    const std::int64_t extent = tensor.dims()[place.second];
    transform_floats(tensor, [&](std::int64_t index, double element) {
      return indices.contains(index / inner % extent) ? 0.0 : element;
    });
    place.first->set_constant(std::move(tensor));
  }
  return {};
}

}  // namespace press
