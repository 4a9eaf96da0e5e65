#include "passes/prune/channel_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "passes/prune/channel_rules.h"
#include "passes/selection.h"

namespace press {
namespace {

/// The tensor without some places along an axis.
Tensor cut(const Tensor& tensor, std::size_t axis, const std::vector<bool>& removed) {
  Dims dims = tensor.dims();
  std::int64_t outer = 1, inner = bit_width(tensor.type()) / 8;
  for (std::size_t i = 0; i < axis; ++i) outer *= dims[i];
  for (std::size_t i = axis + 1; i < dims.size(); ++i) inner *= dims[i];
  const std::int64_t extent = dims[axis];
  dims[axis] -= std::ranges::count(removed, true);
  Tensor result = std::move(Tensor::allocate(tensor.type(), dims)).value();
  std::byte* to = result.mutable_bytes().data();
  const std::byte* from = tensor.bytes().data();
  for (std::int64_t row = 0; row < outer; ++row) {
    for (std::int64_t i = 0; i < extent; ++i, from += inner) {
      if (removed[static_cast<std::size_t>(i)]) continue;
      std::memcpy(to, from, static_cast<std::size_t>(inner));
      to += inner;
    }
  }
  return result;
}

}  // namespace

Result<ChannelGraph> ChannelGraph::build(Graph& graph, const std::function<bool(const Node&)>& selected) {
  PRESS_ASSIGN(const ShapeTable facts, infer_shapes(graph));
  ChannelGraph channels(graph);
  ChannelRules(channels, facts, selected).run();
  channels.collect_groups();
  return channels;
}

ChannelGraph::Channel ChannelGraph::new_channel() {
  parents_.push_back(parents_.size());
  pinned_.push_back(false);
  return parents_.back();
}

ChannelGraph::Channel ChannelGraph::root(Channel channel) const {
  while (parents_[channel] != channel) channel = parents_[channel];
  return channel;
}

void ChannelGraph::join(Channel a, Channel b) {
  a = root(a);
  b = root(b);
  if (a == b) return;
  if (b < a) std::swap(a, b);
  parents_[b] = a;
  pinned_[a] = pinned_[a] || pinned_[b];
}

void ChannelGraph::pin(std::span<const Channel> channels) {
  for (const Channel channel : channels) pinned_[root(channel)] = true;
}

void ChannelGraph::collect_groups() {
  for (Channel channel = 0; channel < parents_.size(); ++channel) parents_[channel] = root(channel);
  // What each root touches, as positions in axes_: channels of the same pattern make a group.
  std::vector<std::vector<std::size_t>> touched(parents_.size());
  std::vector<ChannelSet> sets(parents_.size());
  for (std::size_t a = 0; a < axes_.size(); ++a) {
    const auto& [constant, axis] = axes_[a];
    const Channels& channels = along_.at(axes_[a]);
    for (std::size_t i = 0; i < channels.size(); ++i) {
      const Channel channel = parents_[channels[i]];
      if (touched[channel].empty() || touched[channel].back() != a) touched[channel].push_back(a);
      const ChannelSlice slice{constant, axis, static_cast<std::int64_t>(i)};
      sets[channel].slices.push_back(slice);
      if (made_.contains(axes_[a])) sets[channel].weights.push_back(slice);
    }
  }
  std::map<std::vector<std::size_t>, std::size_t> places;
  for (Channel channel = 0; channel < parents_.size(); ++channel) {
    if (parents_[channel] != channel || pinned_[channel] || sets[channel].weights.empty()) continue;
    const auto [place, is_new] = places.emplace(touched[channel], groups_.size());
    if (is_new) {
      std::vector<std::string> makers;
      for (const ChannelSlice& slice : sets[channel].weights) {
        const std::string name(selection_name(*makers_.at(slice.constant)));
        if (std::ranges::find(makers, name) == makers.end()) makers.push_back(name);
      }
      groups_.push_back(
          {.label = fmt::format("{}{}", makers.front(),
                                makers.size() > 1 ? fmt::format(" and {} more", makers.size() - 1) : ""),
           .sets = {}});
      roots_.emplace_back();
    }
    groups_[place->second].sets.push_back(std::move(sets[channel]));
    roots_[place->second].push_back(channel);
  }
}

void ChannelGraph::remove(std::span<const std::pair<std::size_t, std::size_t>> sets) {
  std::vector<bool> gone(parents_.size(), false);
  for (const auto& [group, set] : sets) gone[roots_[group][set]] = true;
  const auto is_gone = [&](Channel channel) { return gone[parents_[channel]]; };
  const auto kept = [&](std::span<const Channel> channels) {
    return static_cast<std::int64_t>(std::ranges::count_if(channels, std::not_fn(is_gone)));
  };
  for (const auto& place : axes_) {
    const Channels& channels = along_.at(place);
    std::vector<bool> removed(channels.size());
    std::transform(channels.begin(), channels.end(), removed.begin(), is_gone);
    if (std::ranges::find(removed, true) == removed.end()) continue;
    place.first->set_constant(cut(*place.first->constant(), place.second, removed));
  }
  for (const Adjustment& adjust : adjustments_) adjust(kept);
  for (Value* value : graph_.values()) {
    const auto label = labels_.find(value);
    if (label == labels_.end() || !value->type().shape) continue;
    Type type = value->type();
    if (label->second.axis >= type.shape->size()) continue;
    (*type.shape)[label->second.axis] = Dim(kept(label->second.channels));
    value->set_type(std::move(type));
  }
}

}  // namespace press
