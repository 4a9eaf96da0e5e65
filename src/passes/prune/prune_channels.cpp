// before:  Conv(W: 64x32x3x3) ─► BatchNormalization ─► Relu ─► Conv(V: 128x64x3x3)
// after:   Conv(W: 48x32x3x3) ─► BatchNormalization ─► Relu ─► Conv(V: 128x48x3x3)
//
// Output channels of small magnitude go for good, with what depends on them: rows of the layers that make
// them, columns of those that read them, the numbers of normalizations and depthwise convolutions in between.
// A channel's importance is the Euclidean norm of all weights that make it (Li et al., Pruning Filters for
// Efficient ConvNets, 2017, with the coupled layers of Fang et al., DepGraph, 2023, section 3.3).
//
// Scope local takes the share from each group of coupled channels; global takes it from the whole network, in
// the order of importance over the mean importance of the group. Of equals the first goes. A group keeps at
// least one channel, and a multiple of `round_to` where it had that many.
//
// Conditions: see channel_graph.h; channels stay where an operator is not known to treat them one by one, or
// that make an output of the network. Removing is the same as setting everything that belongs to the channels
// to zero.
//
// Why it pays: the tensors are smaller, so that every runtime is faster, without sparse kernels.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "passes/declarations.h"
#include "passes/floats.h"
#include "passes/prune/channel_graph.h"
#include "passes/selection.h"

namespace press::passes {
namespace {

using Place = std::pair<std::size_t, std::size_t>;  // group and set

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

/// Of each set of each group.
std::vector<std::vector<double>> importances(const ChannelGraph& channels) {
  std::map<std::pair<const Value*, std::size_t>, std::vector<double>> squares;
  std::vector<std::vector<double>> all;
  for (const ChannelGroup& group : channels.groups()) {
    std::vector<double>& norms = all.emplace_back();
    for (const ChannelSet& set : group.sets) {
      double sum = 0;
      for (const ChannelSlice& slice : set.weights) {
        const auto [known, is_new] = squares.try_emplace({slice.constant, slice.axis});
        if (is_new) known->second = squares_along(*slice.constant->constant(), slice.axis);
        sum += known->second[static_cast<std::size_t>(slice.index)];
      }
      norms.push_back(std::sqrt(sum));
    }
  }
  return all;
}

/// How many of a group's channels may go when `wanted` are asked for.
std::size_t allowed(std::size_t count, std::size_t wanted, std::size_t round_to) {
  const std::size_t least = std::min(count, std::max<std::size_t>(round_to, 1));
  std::size_t kept = std::max(count - std::min(wanted, count), least);
  if (round_to > 1) kept = std::min(count, (kept + round_to - 1) / round_to * round_to);
  return count - kept;
}

std::vector<std::size_t> ascending(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return values[i]; });
  return order;
}

/// How many channels each group is to lose.
std::vector<std::size_t> budget(const std::vector<std::vector<double>>& norms, const PruneOptions& options) {
  std::vector<std::size_t> wanted(norms.size());
  if (options.scope == PruneScope::kLocal) {
    for (std::size_t g = 0; g < norms.size(); ++g) {
      wanted[g] =
          static_cast<std::size_t>(std::llround(options.sparsity * static_cast<double>(norms[g].size())));
    }
    return wanted;
  }
  std::vector<double> relative;
  std::vector<std::size_t> groups;
  for (std::size_t g = 0; g < norms.size(); ++g) {
    const double mean =
        std::accumulate(norms[g].begin(), norms[g].end(), 0.0) / static_cast<double>(norms[g].size());
    for (const double norm : norms[g]) {
      relative.push_back(mean > 0 ? norm / mean : 0);
      groups.push_back(g);
    }
  }
  auto rest = static_cast<std::size_t>(std::llround(options.sparsity * static_cast<double>(relative.size())));
  for (const std::size_t i : ascending(relative)) {
    if (rest == 0) break;
    if (wanted[groups[i]] + 1 >= norms[groups[i]].size()) continue;
    ++wanted[groups[i]];
    --rest;
  }
  return wanted;
}

}  // namespace

Result<PassOutcome> prune_channels(Model& model, const PassContext& context) {
  const PruneOptions& options = context.prune;
  if (!(options.sparsity >= 0 && options.sparsity < 1)) {
    return Error(ErrorCode::kUsage,
                 fmt::format("a share of {} of the channels was asked for; it goes from 0 to below 1",
                             options.sparsity));
  }
  PRESS_ASSIGN(const NodeMatcher matcher, NodeMatcher::compile(options.nodes));
  PRESS_ASSIGN(ChannelGraph channels,
               ChannelGraph::build(*model.graph, [&](const Node& node) { return matcher.matches(node); }));
  PassOutcome outcome;
  for (const auto& [node, reason] : channels.pinned()) {
    outcome.declined.push_back({std::string(selection_name(*node)), reason});
  }
  const std::vector<std::vector<double>> norms = importances(channels);
  const std::vector<std::size_t> wanted = budget(norms, options);
  std::vector<Place> removed;
  for (std::size_t g = 0; g < norms.size(); ++g) {
    const std::vector<std::size_t> order = ascending(norms[g]);
    const std::size_t count = allowed(order.size(), wanted[g], static_cast<std::size_t>(options.round_to));
    for (std::size_t i = 0; i < count; ++i) removed.emplace_back(g, order[i]);
    if (count == 0) continue;
    ++outcome.rewrites;
    outcome.notes.push_back(fmt::format("{}: {} channels instead of {}", channels.groups()[g].label,
                                        order.size() - count, order.size()));
  }
  if (norms.empty()) outcome.notes.emplace_back("no channels can be taken out");
  channels.remove(removed);
  return outcome;
}

}  // namespace press::passes
