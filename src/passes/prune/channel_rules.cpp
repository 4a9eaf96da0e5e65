#include "passes/prune/channel_rules.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>

namespace press {
namespace {

/// -1 becomes the last axis, and so on.
std::optional<std::size_t> positive(std::int64_t axis, std::size_t rank) {
  if (axis < 0) axis += static_cast<std::int64_t>(rank);
  if (axis < 0 || axis >= static_cast<std::int64_t>(rank)) return std::nullopt;
  return static_cast<std::size_t>(axis);
}

bool holds(std::span<const std::int64_t> list, std::size_t rank, std::size_t axis) {
  return std::ranges::any_of(list, [&](std::int64_t item) { return positive(item, rank) == axis; });
}

}  // namespace

ChannelRules::Rule ChannelRules::rule_of(const Node& node) {
  static const std::unordered_map<std::string_view, Rule> kRules = [] {
    std::unordered_map<std::string_view, Rule> rules{
        {"Conv", &ChannelRules::convolution},
        {"ConvTranspose", &ChannelRules::transposed_convolution},
        {"Gemm", &ChannelRules::gemm},
        {"MatMul", &ChannelRules::matmul},
        {"BatchNormalization", &ChannelRules::normalization},
        {"InstanceNormalization", &ChannelRules::normalization},
        {"Concat", &ChannelRules::concat},
        {"Split", &ChannelRules::split},
        {"Slice", &ChannelRules::slice},
        {"Pad", &ChannelRules::pad},
        {"Transpose", &ChannelRules::transpose},
        {"Flatten", &ChannelRules::flatten},
        {"Reshape", &ChannelRules::reshape},
        {"Squeeze", &ChannelRules::squeeze},
        {"Unsqueeze", &ChannelRules::squeeze},
        {"Resize", &ChannelRules::resize},
        {"Upsample", &ChannelRules::resize},
    };
    for (const char* name : {"Abs",
                             "AveragePool",
                             "Cast",
                             "Ceil",
                             "Celu",
                             "Clip",
                             "Dropout",
                             "Elu",
                             "Erf",
                             "Exp",
                             "Floor",
                             "Gelu",
                             "GlobalAveragePool",
                             "GlobalLpPool",
                             "GlobalMaxPool",
                             "HardSigmoid",
                             "HardSwish",
                             "Identity",
                             "LeakyRelu",
                             "Log",
                             "LpPool",
                             "MaxPool",
                             "Mish",
                             "Neg",
                             "Reciprocal",
                             "Relu",
                             "Round",
                             "Selu",
                             "Sigmoid",
                             "Sign",
                             "Softplus",
                             "Softsign",
                             "Sqrt",
                             "Swish",
                             "Tanh",
                             "ThresholdedRelu"}) {
      rules.emplace(name, &ChannelRules::unchanged);
    }
    for (const char* name :
         {"Add", "Div", "Max", "Mean", "Min", "Mul", "PRelu", "Pow", "Sub", "Sum", "Where"}) {
      rules.emplace(name, &ChannelRules::elementwise);
    }
    for (const char* name : {"ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"}) {
      rules.emplace(name, &ChannelRules::reduce);
    }
    return rules;
  }();
  const auto found = kRules.find(node.op_type());
  return node.domain().empty() && found != kRules.end() ? found->second : nullptr;
}

void ChannelRules::run() {
  for (Node* node : channels_.graph_.nodes()) {
    const Rule rule = node->subgraphs().empty() ? rule_of(*node) : nullptr;
    if (rule == nullptr || !(this->*rule)(*node)) pin_inputs(*node);
    for (const Graph* inner : node->subgraphs()) {
      for_each_node(*inner, [&](const Node* nested) { pin_inputs(*nested); });
    }
  }
  for (const GraphOutput& output : channels_.graph_.outputs()) {
    if (const Label* found = label(output.value); found != nullptr) channels_.pin(found->channels);
  }
  pin_partly_read_constants();
}

// -- what rules share

const ChannelGraph::Label* ChannelRules::label(const Value* value) const {
  const auto found = channels_.labels_.find(value);
  return found != channels_.labels_.end() ? &found->second : nullptr;
}

const Shape* ChannelRules::shape(const Value* value) const {
  const ValueFacts* known = facts_.find(value);
  return known != nullptr && known->type.shape ? &*known->type.shape : nullptr;
}

std::optional<std::size_t> ChannelRules::rank(const Value* value) const {
  if (value != nullptr && value->is_constant()) return value->constant()->rank();
  const Shape* found = shape(value);
  return found != nullptr ? std::optional(found->size()) : std::nullopt;
}

std::optional<std::vector<std::int64_t>> ChannelRules::integers(const Node& node, std::string_view attribute,
                                                                std::size_t input) const {
  if (node.has_attribute(attribute)) return node.ints_attribute(attribute);
  const Value* value = node.input(input);
  if (value == nullptr || !value->is_constant() || value->constant()->type() != DataType::kInt64) return {};
  const std::span<const std::int64_t> data = value->constant()->data<std::int64_t>();
  return std::vector<std::int64_t>(data.begin(), data.end());
}

bool ChannelRules::tie(const Node& node, std::size_t input, std::size_t axis, const Channels& channels) {
  Value* constant = node.input(input);
  if (constant == nullptr || !constant->is_constant() || axis >= constant->constant()->rank() ||
      constant->constant()->dims()[axis] != static_cast<std::int64_t>(channels.size()) ||
      bit_width(constant->constant()->type()) % 8 != 0) {
    return false;
  }
  tied_.emplace(&node, input);
  const auto [known, is_new] = channels_.along_.emplace(std::pair(constant, axis), channels);
  if (is_new) {
    channels_.axes_.emplace_back(constant, axis);
  } else {
    for (std::size_t i = 0; i < channels.size(); ++i) channels_.join(known->second[i], channels[i]);
  }
  return true;
}

std::optional<ChannelGraph::Channels> ChannelRules::make(const Node& node, std::size_t input,
                                                         std::size_t axis) {
  const Value* weight = node.input(input);
  if (weight == nullptr || !weight->is_constant() || axis >= weight->constant()->rank()) return std::nullopt;
  Channels channels(static_cast<std::size_t>(weight->constant()->dims()[axis]));
  for (auto& channel : channels) channel = channels_.new_channel();
  if (!tie(node, input, axis, channels)) return std::nullopt;
  channels_.made_.emplace(weight, axis);
  channels_.makers_.emplace(weight, &node);
  if (!selected_(node)) channels_.pin(channels);
  return channels;
}

void ChannelRules::give(const Value* output, std::size_t axis, Channels channels) {
  if (output != nullptr) channels_.labels_[output] = {.axis = axis, .channels = std::move(channels)};
}

void ChannelRules::pin_inputs(const Node& node) {
  bool pinned = false;
  for (const Value* input : node.inputs()) {
    const Label* found = input != nullptr ? label(input) : nullptr;
    if (found == nullptr) continue;
    channels_.pin(found->channels);
    pinned = true;
  }
  if (pinned) channels_.pinned_nodes_.emplace_back(&node, "channels cannot be followed through it");
}

/// Element `position` of a constant list of dims, where it is a count of channels, follows them.
void ChannelRules::keep_dim(Node& node, std::size_t input, std::size_t position, const Channels& channels) {
  const std::vector<std::int64_t> dims = *integers(node, "", input);
  if (dims[position] <= 0) return;
  channels_.adjustments_.emplace_back(
      [this_graph = &channels_.graph_, target = &node, input, position, dims, channels](const auto& kept) {
        std::vector<std::int64_t> changed = dims;
        changed[position] = kept(channels);
        if (changed == dims) return;
        this_graph->set_input(
            target, input,
            this_graph->add_constant(Tensor::of({static_cast<std::int64_t>(dims.size())}, changed)));
      });
}

/// A constant that something reads which does not follow its channels stays whole.
void ChannelRules::pin_partly_read_constants() {
  for (const auto& place : channels_.axes_) {
    const bool followed = std::ranges::all_of(place.first->uses(), [&](const Use& use) {
      return use.node != nullptr && tied_.contains({use.node, use.index});
    });
    if (!followed) channels_.pin(channels_.along_.at(place));
  }
}

// -- rules

bool ChannelRules::unchanged(Node& node) {
  const Label* input = label(node.input(0));
  if (input == nullptr) return true;
  for (std::size_t i = 1; i < node.output_count(); ++i) {
    if (node.output(i) != nullptr && !node.output(i)->uses().empty()) return false;
  }
  give(node.output(), input->axis, Channels(input->channels));
  return true;
}

/// Dims are aligned from the last one: an axis is told by its distance from the end.
bool ChannelRules::elementwise(Node& node) {
  std::optional<std::size_t> from_end;
  const Label* leading = nullptr;
  for (const Value* input : node.inputs()) {
    const Label* found = input != nullptr ? label(input) : nullptr;
    if (found == nullptr) continue;
    const std::optional<std::size_t> input_rank = rank(input);
    if (!input_rank || found->axis >= *input_rank) return false;
    const std::size_t distance = *input_rank - found->axis;
    if (from_end && *from_end != distance) return false;
    from_end = distance;
    if (leading == nullptr || found->channels.size() > leading->channels.size()) leading = found;
  }
  if (leading == nullptr) return true;
  const Label chosen = *leading;
  for (std::size_t i = 0; i < node.input_count(); ++i) {
    const Value* input = node.input(i);
    if (input == nullptr) continue;
    const std::optional<std::size_t> input_rank = rank(input);
    if (!input_rank) return false;
    if (*input_rank < *from_end) continue;
    const std::size_t axis = *input_rank - *from_end;
    if (const Label* found = label(input); found != nullptr) {
      if (found->channels.size() != chosen.channels.size()) return false;
      for (std::size_t c = 0; c < chosen.channels.size(); ++c) {
        channels_.join(found->channels[c], chosen.channels[c]);
      }
    } else if (input->is_constant()) {
      if (input->constant()->dims()[axis] != 1 && !tie(node, i, axis, chosen.channels)) return false;
    } else {
      const Shape* dims = shape(input);
      if (!(*dims)[axis].known() || (*dims)[axis].value() != 1) return false;
    }
  }
  const std::optional<std::size_t> output_rank = rank(node.output());
  if (!output_rank || *output_rank < *from_end) return false;
  give(node.output(), *output_rank - *from_end, chosen.channels);
  return true;
}

bool ChannelRules::normalization(Node& node) {
  const Label* input = label(node.input(0));
  if (input == nullptr) return true;
  if (input->axis != 1) return false;
  for (std::size_t i = 1; i < node.input_count(); ++i) {
    if (!tie(node, i, 0, input->channels)) return false;
  }
  give(node.output(), 1, Channels(input->channels));
  return true;
}

bool ChannelRules::depthwise(Node& node) {
  const Label* input = label(node.input(0));
  const std::int64_t rows = node.input(1)->constant()->dims()[0];
  if (input == nullptr) return true;
  const auto groups = static_cast<std::int64_t>(input->channels.size());
  if (input->axis != 1 || groups != node.int_attribute("group", 1) || rows % groups != 0) return false;
  Channels output;
  for (const auto channel : input->channels)
    output.insert(output.end(), static_cast<std::size_t>(rows / groups), channel);
  if (!tie(node, 1, 0, output)) return false;
  if (node.input(2) != nullptr && !tie(node, 2, 0, output)) return false;
  if (!selected_(node)) channels_.pin(output);
  channels_.adjustments_.emplace_back([target = &node, channels = input->channels](const auto& kept) {
    target->set_attribute("group", kept(channels));
  });
  give(node.output(), 1, std::move(output));
  return true;
}

bool ChannelRules::convolution(Node& node) {
  const Value* weight = node.input(1);
  if (weight == nullptr || !weight->is_constant() || weight->constant()->rank() < 3) return false;
  if (node.int_attribute("group", 1) != 1) {
    return weight->constant()->dims()[1] == 1 && depthwise(node);
  }
  const Label* input = label(node.input(0));
  if (input != nullptr && (input->axis != 1 || !tie(node, 1, 1, input->channels))) return false;
  if (input == nullptr) tied_.emplace(&node, 1);
  std::optional<Channels> output = make(node, 1, 0);
  if (!output) return false;
  if (node.input(2) != nullptr && !tie(node, 2, 0, *output)) channels_.pin(*output);
  give(node.output(), 1, std::move(*output));
  return true;
}

bool ChannelRules::transposed_convolution(Node& node) {
  const Value* weight = node.input(1);
  if (weight == nullptr || !weight->is_constant() || node.int_attribute("group", 1) != 1) return false;
  const Label* input = label(node.input(0));
  if (input != nullptr && (input->axis != 1 || !tie(node, 1, 0, input->channels))) return false;
  std::optional<Channels> output = make(node, 1, 1);
  if (!output) return false;
  if (node.input(2) != nullptr && !tie(node, 2, 0, *output)) channels_.pin(*output);
  give(node.output(), 1, std::move(*output));
  return true;
}

bool ChannelRules::gemm(Node& node) {
  if (node.int_attribute("transA", 0) != 0) return false;
  const std::size_t out_axis = node.int_attribute("transB", 0) != 0 ? 0 : 1;
  const Label* input = label(node.input(0));
  if (input != nullptr && (input->axis != 1 || !tie(node, 1, 1 - out_axis, input->channels))) return false;
  std::optional<Channels> output = make(node, 1, out_axis);
  if (!output) return label(node.input(1)) == nullptr && input == nullptr;
  if (const Value* bias = node.input(2); bias != nullptr) {
    const bool spread = bias->is_constant() && bias->constant()->size() == 1;
    const std::size_t last = bias->is_constant() && bias->constant()->rank() == 2 ? 1 : 0;
    if (!spread && !tie(node, 2, last, *output)) channels_.pin(*output);
  }
  give(node.output(), 1, std::move(*output));
  return true;
}

bool ChannelRules::matmul(Node& node) {
  const Value* weight = node.input(1);
  const Label* input = label(node.input(0));
  const std::optional<std::size_t> input_rank = rank(node.input(0));
  if (weight == nullptr || !weight->is_constant() || weight->constant()->rank() != 2 || !input_rank ||
      *input_rank < 2) {
    return false;
  }
  if (input != nullptr && input->axis + 1 != *input_rank) {
    give(node.output(), input->axis, Channels(input->channels));
    return true;
  }
  if (input != nullptr && !tie(node, 1, 0, input->channels)) return false;
  std::optional<Channels> output = make(node, 1, 1);
  if (!output) return false;
  give(node.output(), *input_rank - 1, std::move(*output));
  return true;
}

bool ChannelRules::concat(Node& node) {
  const std::optional<std::size_t> output_rank = rank(node.output());
  if (!output_rank) return false;
  const std::optional<std::size_t> axis = positive(node.int_attribute("axis", 1), *output_rank);
  if (!axis) return false;
  std::optional<std::size_t> along;
  for (const Value* input : node.inputs()) {
    const Label* found = label(input);
    if (found == nullptr) continue;
    if (along && *along != found->axis) return false;
    along = found->axis;
  }
  if (!along) return true;
  Channels output;
  for (const Value* input : node.inputs()) {
    const Label* found = label(input);
    if (*along != *axis) {
      if (found == nullptr || (!output.empty() && found->channels.size() != output.size())) return false;
      if (output.empty()) output = found->channels;
      for (std::size_t c = 0; c < output.size(); ++c) channels_.join(output[c], found->channels[c]);
      continue;
    }
    if (found != nullptr) {
      output.insert(output.end(), found->channels.begin(), found->channels.end());
      continue;
    }
    const Shape* dims = shape(input);
    if (dims == nullptr || *axis >= dims->size() || !(*dims)[*axis].known()) return false;
    for (std::int64_t i = 0; i < (*dims)[*axis].value(); ++i) {
      output.push_back(channels_.new_channel());
      channels_.pin(std::span(&output.back(), 1));
    }
  }
  give(node.output(), *along, std::move(output));
  return true;
}

bool ChannelRules::split(Node& node) {
  const Label* input = label(node.input(0));
  if (input == nullptr) return true;
  const std::optional<std::size_t> input_rank = rank(node.input(0));
  if (!input_rank) return false;
  const std::optional<std::size_t> axis = positive(node.int_attribute("axis", 0), *input_rank);
  if (!axis) return false;
  const Label source = *input;
  if (*axis != source.axis) {
    for (const Value* output : node.outputs()) give(output, source.axis, Channels(source.channels));
    return true;
  }
  const auto parts = static_cast<std::int64_t>(node.output_count());
  const auto count = static_cast<std::int64_t>(source.channels.size());
  std::vector<std::int64_t> sizes = integers(node, "split", 1).value_or(std::vector<std::int64_t>());
  if (sizes.empty()) {
    if (node.input(1) != nullptr || count % parts != 0) return false;
    sizes.assign(static_cast<std::size_t>(parts), count / parts);
  }
  if (static_cast<std::int64_t>(sizes.size()) != parts ||
      std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}) != count) {
    return false;
  }
  std::vector<Channels> pieces;
  auto first = source.channels.begin();
  for (std::size_t i = 0; i < sizes.size(); ++i, first += sizes[i - 1]) {
    pieces.emplace_back(first, first + sizes[i]);
    give(node.output(i), source.axis, Channels(pieces.back()));
  }
  channels_.adjustments_.emplace_back([graph = &channels_.graph_, target = &node, pieces,
                                       sizes](const auto& kept) {
    std::vector<std::int64_t> changed;
    changed.reserve(pieces.size());
    for (const Channels& piece : pieces) changed.push_back(kept(piece));
    if (changed == sizes) return;
    target->remove_attribute("num_outputs");
    if (graph->opset() < 13) {
      target->set_attribute("split", changed);
    } else {
      graph->set_input(target, 1,
                       graph->add_constant(Tensor::of({static_cast<std::int64_t>(changed.size())}, changed)));
    }
  });
  return true;
}

bool ChannelRules::slice(Node& node) {
  const Label* input = label(node.input(0));
  if (input == nullptr) return true;
  const std::optional<std::size_t> input_rank = rank(node.input(0));
  const std::optional<std::vector<std::int64_t>> axes = integers(node, "axes", 3);
  if (!input_rank || !axes || holds(*axes, *input_rank, input->axis)) return false;
  give(node.output(), input->axis, Channels(input->channels));
  return true;
}

/// Zeros that are added before and after the channels are channels of their own: shortcuts of some residual
/// networks widen so.
bool ChannelRules::pad(Node& node) {
  const Label* input = label(node.input(0));
  if (input == nullptr) return true;
  const std::optional<std::size_t> input_rank = rank(node.input(0));
  const std::optional<std::vector<std::int64_t>> pads = integers(node, "pads", 1);
  if (!input_rank || !pads || pads->size() != 2 * *input_rank || node.input(3) != nullptr) return false;
  const Label source = *input;
  const std::int64_t before = (*pads)[source.axis], after = (*pads)[source.axis + *input_rank];
  if (before < 0 || after < 0) return false;
  if (before == 0 && after == 0) {
    give(node.output(), source.axis, Channels(source.channels));
    return true;
  }
  if (node.string_attribute("mode", "constant") != "constant") return false;
  Channels front(static_cast<std::size_t>(before)), back(static_cast<std::size_t>(after));
  for (Channels* added : {&front, &back}) {
    for (auto& channel : *added) channel = channels_.new_channel();
  }
  Channels output = front;
  output.insert(output.end(), source.channels.begin(), source.channels.end());
  output.insert(output.end(), back.begin(), back.end());
  channels_.adjustments_.emplace_back([graph = &channels_.graph_, target = &node, front, back,
                                       axis = source.axis, rank = *input_rank,
                                       old = *pads](const auto& kept) {
    std::vector<std::int64_t> changed = old;
    changed[axis] = kept(front);
    changed[axis + rank] = kept(back);
    if (changed == old) return;
    if (target->has_attribute("pads")) {
      target->set_attribute("pads", changed);
    } else {
      graph->set_input(target, 1,
                       graph->add_constant(Tensor::of({static_cast<std::int64_t>(changed.size())}, changed)));
    }
  });
  give(node.output(), source.axis, std::move(output));
  return true;
}

bool ChannelRules::transpose(Node& node) {
  const Label* input = label(node.input(0));
  if (input == nullptr) return true;
  const std::vector<std::int64_t> order = node.ints_attribute("perm");
  const auto place = std::ranges::find(order, static_cast<std::int64_t>(input->axis));
  if (place == order.end()) return false;
  give(node.output(), static_cast<std::size_t>(place - order.begin()), Channels(input->channels));
  return true;
}

bool ChannelRules::reduce(Node& node) {
  const Label* input = label(node.input(0));
  if (input == nullptr) return true;
  const std::optional<std::size_t> input_rank = rank(node.input(0));
  const std::optional<std::vector<std::int64_t>> axes = integers(node, "axes", 1);
  if (!input_rank || !axes || axes->empty() || holds(*axes, *input_rank, input->axis)) return false;
  std::size_t axis = input->axis;
  if (node.int_attribute("keepdims", 1) == 0) {
    for (std::size_t i = 0; i < input->axis; ++i) axis -= holds(*axes, *input_rank, i) ? 1 : 0;
  }
  give(node.output(), axis, Channels(input->channels));
  return true;
}

bool ChannelRules::flatten(Node& node) {
  const Label* input = label(node.input(0));
  if (input == nullptr) return true;
  const Shape* dims = shape(node.input(0));
  if (dims == nullptr || input->axis != 1 || node.int_attribute("axis", 1) != 1) return false;
  std::int64_t positions = 1;
  for (std::size_t i = 2; i < dims->size(); ++i) {
    if (!(*dims)[i].known()) return false;
    positions *= (*dims)[i].value();
  }
  Channels output;
  for (const auto channel : input->channels) {
    output.insert(output.end(), static_cast<std::size_t>(positions), channel);
  }
  give(node.output(), 1, std::move(output));
  return true;
}

/// Followed where the dims up to the channels stay, and those behind them are joined, or join the channels.
bool ChannelRules::reshape(Node& node) {
  const Label* input = label(node.input(0));
  if (input == nullptr) return true;
  const Shape* from = shape(node.input(0));
  const Shape* to = shape(node.output());
  const std::optional<std::vector<std::int64_t>> target = integers(node, "", 1);
  const std::size_t axis = input->axis;
  if (from == nullptr || to == nullptr || !target || axis >= to->size() || target->size() != to->size()) {
    return false;
  }
  for (std::size_t i = 0; i < axis; ++i) {
    const bool batch = i == 0 && axis == 1 && ((*target)[0] == 0 || (*target)[0] == -1);
    if (!batch && !same((*from)[i], (*to)[i])) return false;
  }
  std::int64_t positions = 1;
  for (std::size_t i = axis + 1; i < from->size(); ++i) {
    if (!(*from)[i].known()) return false;
    positions *= (*from)[i].value();
  }
  const auto count = static_cast<std::int64_t>(input->channels.size());
  const Dim& dim = (*to)[axis];
  if (!dim.known()) return false;
  Channels output;
  if (dim.value() == count) {
    output = input->channels;
  } else if (dim.value() == count * positions && axis + 1 == to->size()) {
    for (const auto channel : input->channels) {
      output.insert(output.end(), static_cast<std::size_t>(positions), channel);
    }
  } else {
    return false;
  }
  keep_dim(node, 1, axis, output);
  give(node.output(), axis, std::move(output));
  return true;
}

bool ChannelRules::squeeze(Node& node) {
  const Label* input = label(node.input(0));
  if (input == nullptr) return true;
  const std::optional<std::vector<std::int64_t>> axes = integers(node, "axes", 1);
  const bool adds = node.is("Unsqueeze");
  const std::optional<std::size_t> whole = rank(adds ? node.output() : node.input(0));
  if (!axes || !whole) return false;
  if (!adds) {
    if (holds(*axes, *whole, input->axis)) return false;
    std::size_t axis = input->axis;
    for (std::size_t i = 0; i < input->axis; ++i) axis -= holds(*axes, *whole, i) ? 1 : 0;
    give(node.output(), axis, Channels(input->channels));
    return true;
  }
  std::size_t axis = 0, seen = 0;
  for (; axis < *whole; ++axis) {
    if (holds(*axes, *whole, axis)) continue;
    if (seen++ == input->axis) break;
  }
  give(node.output(), axis, Channels(input->channels));
  return true;
}

/// By scales only: sizes name the number of channels.
bool ChannelRules::resize(Node& node) {
  const Label* input = label(node.input(0));
  if (input == nullptr) return true;
  if (node.input(3) != nullptr || node.has_attribute("axes")) return false;
  const Shape* from = shape(node.input(0));
  const Shape* to = shape(node.output());
  if (from == nullptr || to == nullptr || input->axis >= to->size() ||
      !same((*from)[input->axis], (*to)[input->axis])) {
    return false;
  }
  give(node.output(), input->axis, Channels(input->channels));
  return true;
}

}  // namespace press
