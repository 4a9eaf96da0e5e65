// Taking whole channels out of a network: what can go, what it saves, and setting it to zero, which computes
// the same as taking it out. prune_channels takes it out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "press/ir/graph.h"
#include "press/numeric/channel_solver.h"
#include "press/passes/options.h"

namespace press {

/// A layer that reads channels: which columns of its weight (press/ops/linear_layer.h) stand for each one.
struct ChannelReader {
  Node* node = nullptr;
  std::vector<std::vector<std::uint32_t>> columns;
};

/// Channels that run through the same layers. Where a residual trunk couples the channels of several layers,
/// they count as one and go together.
struct PrunableChannels {
  std::string label;          // of the nodes that make them
  std::vector<double> norms;  // by channel: of all weights that make it
  std::vector<ChannelReader>
      readers;  // in the order of the graph; empty where one of them is no linear layer
};

/// By group, the channels that go.
using ChannelPlan = std::vector<std::vector<std::size_t>>;

/// The groups of a network, in the order of the graph. Errors: those of shape inference; kUsage for a
/// selection that is none.
Result<std::vector<PrunableChannels>> prunable_channels(const Model& model, const PruneOptions& options);

/// The order of norms, costs over the mean norm of the group (Li et al., Pruning Filters for Efficient
/// ConvNets, 2017).
ChannelTrace magnitude_trace(const PrunableChannels& channels);

/// Spends the budget of `options` where it costs least by `traces` (one a group). Scope local: the same share
/// of each group. With `options.macs`, until the multiply-accumulates of the network are down to that share:
/// step by step the group whose next channels cost least for each operation that they save. A group keeps at
/// least one channel, and a multiple of `options.round_to` where it had that many.
Result<ChannelPlan> plan_channels(const Model& model, const PruneOptions& options,
                                  std::span<const ChannelTrace> traces);

/// Sets everything that belongs to the channels of a plan to zero; tensors keep their shapes.
Status mask_channels(Model& model, const PruneOptions& options, const ChannelPlan& plan);

}  // namespace press
