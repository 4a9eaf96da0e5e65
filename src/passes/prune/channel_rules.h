// What each operator does to the channels of its inputs.
#pragma once

#include <string>

#include "passes/prune/channel_graph.h"

namespace press {

/// Goes through a graph in order and fills a ChannelGraph.
class ChannelRules {
 public:
  ChannelRules(ChannelGraph& channels, const ShapeTable& facts,
               const std::function<bool(const Node&)>& selected)
      : channels_(channels), facts_(facts), selected_(selected) {}

  void run();

 private:
  using Label = ChannelGraph::Label;
  using Channels = ChannelGraph::Channels;
  using Rule = bool (ChannelRules::*)(Node&);
  static Rule rule_of(const Node& node);

  // Each returns false where it cannot follow the channels; its inputs are pinned then.
  bool unchanged(Node& node);
  bool elementwise(Node& node);
  bool normalization(Node& node);
  bool convolution(Node& node);
  bool depthwise(Node& node);
  bool transposed_convolution(Node& node);
  bool gemm(Node& node);
  bool matmul(Node& node);
  bool concat(Node& node);
  bool split(Node& node);
  bool slice(Node& node);
  bool pad(Node& node);
  bool transpose(Node& node);
  bool reduce(Node& node);
  bool flatten(Node& node);
  bool reshape(Node& node);
  bool squeeze(Node& node);
  bool resize(Node& node);

  const Label* label(const Value* value) const;
  const Shape* shape(const Value* value) const;
  std::optional<std::size_t> rank(const Value* value) const;
  std::optional<std::vector<std::int64_t>> integers(const Node& node, std::string_view attribute,
                                                    std::size_t input) const;
  /// Ties channels to an axis of a constant that `node` reads at `input`. False where it is no constant that
  /// can be cut there.
  bool tie(const Node& node, std::size_t input, std::size_t axis, const Channels& channels);
  /// New channels along an axis of the weight, which `node` makes.
  std::optional<Channels> make(const Node& node, std::size_t input, std::size_t axis);
  void give(const Value* output, std::size_t axis, Channels channels);
  void pin_inputs(const Node& node);
  void keep_dim(Node& node, std::size_t input, std::size_t position, const Channels& channels);
  void pin_partly_read_constants();

  ChannelGraph& channels_;
  const ShapeTable& facts_;
  const std::function<bool(const Node&)>& selected_;
  std::set<std::pair<const Node*, std::size_t>> tied_;  // node and input of constants that are followed
};

}  // namespace press
