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
// least one channel, and a multiple of `round_to` where it had that many. Where channels were chosen before
// (context.channels), those go.
//
// Conditions: see channel_graph.h; channels stay where an operator is not known to treat them one by one, or
// that make an output of the network. Removing is the same as setting everything that belongs to the channels
// to zero.
//
// Why it pays: the tensors are smaller, so that every runtime is faster, without sparse kernels.
#include <fmt/format.h>

#include "passes/declarations.h"
#include "passes/prune/channel_graph.h"
#include "passes/selection.h"
#include "press/passes/channels.h"

namespace press::passes {
namespace {

Result<ChannelPlan> weakest(const Model& model, const PruneOptions& options) {
  PRESS_ASSIGN(const std::vector<PrunableChannels> groups, prunable_channels(model, options));
  std::vector<ChannelTrace> traces;
  traces.reserve(groups.size());
  for (const PrunableChannels& group : groups) traces.push_back(magnitude_trace(group));
  return plan_channels(model, options, traces);
}

}  // namespace

Result<PassOutcome> prune_channels(Model& model, const PassContext& context) {
  const PruneOptions& options = context.prune;
  if (!(options.sparsity >= 0 && options.sparsity < 1)) {
    return Error(ErrorCode::kUsage,
                 fmt::format("a share of {} of the channels was asked for; it goes from 0 to below 1",
                             options.sparsity));
  }
  ChannelPlan plan;
  if (context.channels != nullptr) {
    plan = *context.channels;
  } else {
    PRESS_ASSIGN(plan, weakest(model, options));
  }
  PRESS_ASSIGN(const NodeMatcher matcher, NodeMatcher::compile(options.nodes));
  PRESS_ASSIGN(ChannelGraph channels,
               ChannelGraph::build(*model.graph, [&](const Node& node) { return matcher.matches(node); }));
  PassOutcome outcome;
  for (const auto& [node, reason] : channels.pinned()) {
    outcome.declined.push_back({std::string(selection_name(*node)), reason});
  }
  std::vector<std::pair<std::size_t, std::size_t>> removed;
  for (std::size_t g = 0; g < plan.size(); ++g) {
    for (const std::size_t set : plan[g]) removed.emplace_back(g, set);
    if (plan[g].empty()) continue;
    ++outcome.rewrites;
    const std::size_t count = channels.groups()[g].sets.size();
    outcome.notes.push_back(fmt::format("{}: {} channels instead of {}", channels.groups()[g].label,
                                        count - plan[g].size(), count));
  }
  if (plan.empty()) outcome.notes.emplace_back("no channels can be taken out");
  channels.remove(removed);
  return outcome;
}

}  // namespace press::passes
