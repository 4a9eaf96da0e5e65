// before:  Conv(W)                 after:  Conv(W ⊙ M),  M[i] = |W[i]| ≥ λ
//
// λ is the threshold that leaves round(sparsity · n) of n weights at zero: n counts one layer's weights
// (scope local) or those of all layers (scope global, one λ for the network). Weights of equal magnitude go
// in order of their position, layer by layer; weights that are zero already count. NaN counts as the largest
// magnitude.
//
// Conditions: the weight (with `biases`, the bias too) of a linear operator is a floating-point constant, all
// of its users are linear operators that the selection includes, and a weight shared by several of them
// counts once. Global pruning leaves each layer its largest weight unless the sparsity is 1: a layer of zeros
// cuts the network in two.
//
// Why it pays: zeros compress, and sparse kernels skip them; large networks keep their accuracy at moderate
// sparsity. BatchNormalization scales weights, so their magnitudes mean more after fuse_conv_batchnorm than
// before it.
//
// λ is found by counting: bit patterns of non-negative doubles stand in the order of their values, so four
// histograms of 16 bits each narrow it down exactly, in constant memory.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <unordered_set>

#include "passes/declarations.h"
#include "passes/floats.h"
#include "passes/selection.h"
#include "press/ops/operator.h"

namespace press::passes {
namespace {

/// A constant to prune; `keep` is the element that stays whatever its magnitude, or -1.
struct Layer {
  Value* value = nullptr;
  std::string label;
  std::int64_t keep = -1;
};

/// Orders magnitudes; NaN above infinity.
std::uint64_t magnitude_key(double element) {
  return std::bit_cast<std::uint64_t>(element) & (~std::uint64_t{0} >> 1);
}

template <typename Visit>
void for_each_key(const Layer& layer, Visit&& visit) {
  for_each_float(*layer.value->constant(), [&](std::int64_t index, double element) {
    if (index != layer.keep) visit(index, magnitude_key(element));
  });
}

/// The layer's first element of largest magnitude; -1 where all are zero.
std::int64_t largest_element(const Layer& layer) {
  std::int64_t largest = -1;
  std::uint64_t largest_key = 0;
  for_each_key(layer, [&](std::int64_t index, std::uint64_t key) {
    if (key <= largest_key) return;
    largest_key = key;
    largest = index;
  });
  return largest;
}

/// The `count` smallest elements are those below `key`, and the first `ties` of those that equal it.
struct Threshold {
  std::uint64_t key = 0;
  std::int64_t ties = 0;
};

Threshold find_threshold(std::span<const Layer> layers, std::int64_t count) {
  Threshold threshold{.key = 0, .ties = count};
  std::vector<std::int64_t> histogram(1 << 16);
  for (int shift = 48; shift >= 0; shift -= 16) {
    std::ranges::fill(histogram, 0);
    const std::uint64_t known = threshold.key >> shift >> 16;
    for (const Layer& layer : layers) {
      for_each_key(layer, [&](std::int64_t, std::uint64_t key) {
        if (key >> shift >> 16 == known) ++histogram[(key >> shift) & 0xffff];
      });
    }
    std::uint64_t digit = 0;
    while (threshold.ties > histogram[digit]) threshold.ties -= histogram[digit++];
    threshold.key |= digit << shift;
  }
  return threshold;
}

/// Zeroes what the threshold says, taking from its ties. Returns true where an element changed.
bool apply_mask(const Layer& layer, Threshold& threshold) {
  Tensor masked = *layer.value->constant();
  bool changed = false;
  transform_floats(masked, [&](std::int64_t index, double element) {
    const std::uint64_t key = magnitude_key(element);
    if (index == layer.keep || key > threshold.key) return element;
    if (key == threshold.key && threshold.ties-- <= 0) return element;
    changed = changed || key != 0;
    return key != 0 ? 0.0 : element;
  });
  if (changed) layer.value->set_constant(std::move(masked));
  return changed;
}

class Pruner {
 public:
  Pruner(const PruneOptions& options, NodeMatcher matcher)
      : options_(options), matcher_(std::move(matcher)) {}

  void collect(const Graph& graph) {
    for_each_node(graph, [&](Node* node) {
      const OpTraits& properties = traits(*node);
      if (properties.weight_input < 0 || !matcher_.matches(*node)) return;
      add(*node, static_cast<std::size_t>(properties.weight_input), "");
      if (options_.biases && properties.bias_input >= 0) {
        add(*node, static_cast<std::size_t>(properties.bias_input), ".bias");
      }
    });
  }

  PassOutcome run() && {
    if (layers_.empty()) outcome_.notes.emplace_back("no selected node has a weight that can be pruned");
    if (options_.scope == PruneScope::kLocal) {
      for (Layer& layer : layers_) prune({&layer, 1});
    } else if (!layers_.empty()) {
      if (options_.sparsity < 1) {
        for (Layer& layer : layers_) layer.keep = largest_element(layer);
      }
      prune(layers_);
    }
    report();
    return std::move(outcome_);
  }

 private:
  void add(const Node& node, std::size_t index, std::string_view suffix) {
    Value* value = node.input(index);
    if (value == nullptr || !seen_.insert(value).second) return;
    std::string label = fmt::format("{}{}", selection_name(node), suffix);
    if (const std::string reason = reason_to_decline(*value); !reason.empty()) {
      outcome_.declined.push_back({std::move(label), reason});
    } else if (value->is_constant() && value->constant()->size() > 0) {
      layers_.push_back({value, std::move(label), -1});
    }
  }

  /// Empty for what can be pruned, and for products of two computed values, which have no weight to speak of.
  std::string reason_to_decline(const Value& value) const {
    if (value.is_graph_input()) {
      return value.tensor() != nullptr
                 ? fmt::format("'{}' is a graph input, which callers may override", value.name())
                 : "";
    }
    if (!value.is_constant()) {
      const bool is_dequantized = value.producer() != nullptr && value.producer()->is("DequantizeLinear");
      return is_dequantized ? fmt::format("'{}' is quantized; prune before quantizing", value.name()) : "";
    }
    if (!is_floating_point(value.constant()->type())) {
      return fmt::format("'{}' is {}", value.name(), name(value.constant()->type()));
    }
    for (const Use& use : value.uses()) {
      if (use.node == nullptr) return fmt::format("'{}' is an output of the graph", value.name());
      const OpTraits& properties = traits(*use.node);
      const auto index = static_cast<int>(use.index);
      if (properties.weight_input < 0 ||
          (index != properties.weight_input && index != properties.bias_input)) {
        return fmt::format("'{}' is also used by {}", value.name(), use.node->label());
      }
      if (!matcher_.matches(*use.node)) {
        return fmt::format("'{}' is also used by {}, which is not selected", value.name(), use.node->label());
      }
    }
    return {};
  }

  void prune(std::span<Layer> layers) {
    std::int64_t total = 0, kept = 0;
    for (const Layer& layer : layers) {
      total += layer.value->constant()->size();
      kept += layer.keep >= 0 ? 1 : 0;
    }
    const auto wanted =
        static_cast<std::int64_t>(std::llround(options_.sparsity * static_cast<double>(total)));
    const std::int64_t count = std::min(wanted, total - kept);
    if (count < wanted) {
      outcome_.notes.push_back(fmt::format("{} of {} zeros left out: each layer keeps its largest weight",
                                           wanted - count, wanted));
    }
    if (count == 0) return;
    Threshold threshold = find_threshold(layers, count);
    for (const Layer& layer : layers) outcome_.rewrites += apply_mask(layer, threshold) ? 1 : 0;
  }

  void report() {
    std::int64_t all = 0, all_zeros = 0;
    for (const Layer& layer : layers_) {
      std::int64_t zeros = 0;
      for_each_float(*layer.value->constant(),
                     [&](std::int64_t, double element) { zeros += element == 0 ? 1 : 0; });
      const std::int64_t size = layer.value->constant()->size();
      outcome_.notes.push_back(fmt::format("{}: {} of {} weights are zero ({:.1f} %)", layer.label, zeros,
                                           size, 100.0 * zeros / size));
      all += size;
      all_zeros += zeros;
    }
    if (all > 0) {
      outcome_.notes.push_back(fmt::format("together: {} of {} weights are zero ({:.1f} %)", all_zeros, all,
                                           100.0 * all_zeros / all));
    }
  }

  const PruneOptions& options_;
  NodeMatcher matcher_;
  std::vector<Layer> layers_;
  std::unordered_set<const Value*> seen_;
  PassOutcome outcome_;
};

}  // namespace

Result<PassOutcome> prune_magnitude(Model& model, const PassContext& context) {
  const PruneOptions& options = context.prune;
  if (!(options.sparsity >= 0 && options.sparsity <= 1)) {
    return Error(ErrorCode::kUsage,
                 fmt::format("a sparsity of {} was asked for; it is a share of the weights, from 0 to 1",
                             options.sparsity));
  }
  PRESS_ASSIGN(NodeMatcher matcher, NodeMatcher::compile(options.nodes));
  Pruner pruner(options, std::move(matcher));
  pruner.collect(*model.graph);
  return std::move(pruner).run();
}

}  // namespace press::passes
