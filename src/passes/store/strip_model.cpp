// before:  c = Conv(name "/layer1/conv1/Conv", strides [1, 1], group 1)      after:  a = Conv()
//
// Names of inner values become short ones, those of nodes go, with doc strings, declared types of inner
// values and attributes that say what holds without them. Inputs and outputs of the network keep name and
// type.
//
// Conditions: the main graph; graphs with subgraphs stay, since names of inner and outer values meet there.
//
// Why it pays: the names of a packed network of 100 kB take about a tenth of it. Layers cannot be selected by
// name any more: for files that are only run.
#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "passes/declarations.h"
#include "press/ops/operator.h"

namespace press::passes {
namespace {

/// "a" to "z", "aa", "ab" …
std::string short_name(std::size_t number) {
  std::string name;
  for (++number; number > 0; number = (number - 1) / 26) {
    name.insert(name.begin(), static_cast<char>('a' + (number - 1) % 26));
  }
  return name;
}

/// Attributes of convolutions that say what holds without them. Returns how many went.
std::size_t drop_defaults(Node& node) {
  if (!node.is("Conv")) return 0;
  const std::size_t before = node.attributes().size();
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 3> kLists{
      {{"dilations", 1}, {"strides", 1}, {"pads", 0}}};
  for (const auto& [name, fallback] : kLists) {
    const std::vector<std::int64_t> list = node.ints_attribute(name);
    if (!list.empty() && std::ranges::count(list, fallback) == std::ssize(list)) node.remove_attribute(name);
  }
  if (node.int_attribute("group", 0) == 1) node.remove_attribute("group");
  const Value* weights = node.input(1);
  if (weights != nullptr && weights->producer() != nullptr && weights->producer()->is("DequantizeLinear")) {
    weights = weights->producer()->input(0);
  }
  const auto dims =
      weights != nullptr && weights->type().shape ? known_dims(*weights->type().shape) : std::nullopt;
  if (dims && dims->size() > 2 &&
      std::ranges::equal(std::span(*dims).subspan(2), node.ints_attribute("kernel_shape"))) {
    node.remove_attribute("kernel_shape");
  }
  return before - node.attributes().size();
}

}  // namespace

Result<PassOutcome> strip_model(Model& model, const PassContext&) {
  Graph& graph = *model.graph;
  PassOutcome outcome;
  std::set<std::string> taken;
  for (const Node* node : graph.nodes()) {
    if (!node->subgraphs().empty()) {
      outcome.declined.push_back({node->label(), "it holds a subgraph"});
      return outcome;
    }
  }
  for (Node* node : graph.nodes()) {
    if (!node->name().empty() || !node->opaque.empty()) ++outcome.rewrites;
    node->set_name("");
    node->opaque.clear();
    outcome.rewrites += drop_defaults(*node);
  }
  for (const Value* input : graph.inputs()) taken.insert(input->name());
  for (const GraphOutput& output : graph.outputs()) taken.insert(output.name);
  std::size_t number = 0;
  for (Value* value : graph.values()) {
    if (value->is_graph_input() || graph.is_output(value)) continue;
    std::string name = short_name(number++);
    while (taken.contains(name)) name = short_name(number++);
    if (!value->is_constant() && (value->type().shape || value->type().element != DataType::kUndefined)) {
      value->set_type({});
      ++outcome.rewrites;
    }
    if (value->name() != name) {
      value->set_name(std::move(name));
      ++outcome.rewrites;
    }
    if (!value->opaque.empty() || !value->tensor_opaque.empty()) ++outcome.rewrites;
    value->opaque.clear();
    value->tensor_opaque.clear();
  }
  return outcome;
}

}  // namespace press::passes
