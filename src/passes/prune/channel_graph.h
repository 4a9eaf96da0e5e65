// Which channels of a network depend on each other, and what it takes to remove one.
//
// Every channel that a linear operator makes is an element of a union-find; operators that join tensors
// channel by channel (Add, Mul, a depthwise convolution …) join their elements (dependency groups: Fang et
// al., DepGraph, 2023, section 3). An element knows the slices of constants that stand for it: rows of the
// layers that make it, columns of those that read it, the numbers of normalizations in between. Channels that
// reach an output, or an operator whose treatment of channels is not known, are pinned.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "press/ir/graph.h"
#include "press/ops/operator.h"

namespace press {

/// What lies at one place along an axis of a constant.
struct ChannelSlice {
  Value* constant = nullptr;
  std::size_t axis = 0;
  std::int64_t index = 0;
};

/// A set of coupled channels: they can be removed together only.
struct ChannelSet {
  std::vector<ChannelSlice> slices;
  std::vector<ChannelSlice> weights;  // those of `slices` that make the channels: rows of linear operators
};

/// Channel sets that run through the same axes of the same constants: the channels of one layer, or of the
/// layers that a residual trunk ties together.
struct ChannelGroup {
  std::string label;  // of the nodes that make the channels
  std::vector<ChannelSet> sets;
};

class ChannelGraph {
 public:
  /// `selected` says which nodes may lose output channels. Errors: those of shape inference.
  static Result<ChannelGraph> build(Graph& graph, const std::function<bool(const Node&)>& selected);

  /// The groups in the order of the graph; only what can be removed.
  const std::vector<ChannelGroup>& groups() const { return groups_; }

  /// The nodes whose channels all have to stay, and why.
  const std::vector<std::pair<const Node*, std::string>>& pinned() const { return pinned_nodes_; }

  /// Removes sets (group, set) for good: constants shrink, and attributes and shapes that count channels
  /// follow. The ChannelGraph is of no further use.
  void remove(std::span<const std::pair<std::size_t, std::size_t>> sets);

 private:
  friend class ChannelRules;
  using Channel = std::size_t;            // an element of the union-find
  using Channels = std::vector<Channel>;  // along an axis
  struct Label {
    std::size_t axis = 0;
    Channels channels;
  };
  /// Runs after the constants have shrunk; `kept` says how many of some channels there are still.
  using Adjustment = std::function<void(const std::function<std::int64_t(std::span<const Channel>)>& kept)>;

  explicit ChannelGraph(Graph& graph) : graph_(graph) {}
  Channel new_channel();
  Channel root(Channel channel) const;
  void join(Channel a, Channel b);
  void pin(std::span<const Channel> channels);
  void collect_groups();

  Graph& graph_;
  std::vector<Channel> parents_;
  std::vector<bool> pinned_;  // by channel; counts where it is a root's
  std::unordered_map<const Value*, Label> labels_;
  /// Channels along the axes of constants, in the order in which they were found.
  std::vector<std::pair<Value*, std::size_t>> axes_;
  std::map<std::pair<const Value*, std::size_t>, Channels> along_;
  std::set<std::pair<const Value*, std::size_t>> made_;  // axes of weights that make channels
  std::unordered_map<const Value*, const Node*> makers_;
  std::vector<Adjustment> adjustments_;
  std::vector<std::pair<const Node*, std::string>> pinned_nodes_;
  std::vector<ChannelGroup> groups_;
  std::vector<std::vector<Channel>> roots_;  // of the sets of each group
};

}  // namespace press
