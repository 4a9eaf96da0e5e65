#include "press/pipeline/interface.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "press/ops/operator.h"
#include "press/support/suggest.h"
#include "press/support/text.h"

namespace press {
namespace {

Error usage(std::string message) {
  return Error(ErrorCode::kUsage, std::move(message));
}

std::optional<std::int64_t> extent_of(std::string_view text) {
  std::int64_t extent = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), extent);
  if (error != std::errc() || end != text.data() + text.size() || extent < 1) return std::nullopt;
  return extent;
}

std::vector<std::string_view> names_of_dims(const Graph& graph) {
  std::vector<std::string_view> names;
  for (const Value* input : graph.inputs()) {
    if (!input->type().shape.has_value()) continue;
    for (const Dim& dim : *input->type().shape) {
      if (dim.named() && std::ranges::find(names, dim.symbol()) == names.end()) names.push_back(dim.symbol());
    }
  }
  return names;
}

std::vector<std::string_view> names_of_inputs(const Graph& graph) {
  std::vector<std::string_view> names;
  for (const Value* input : graph.inputs()) {
    if (input->tensor() == nullptr) names.push_back(input->name());
  }
  return names;
}

Result<Value*> find_input(const Graph& graph, const std::string& name) {
  const std::vector<std::string_view> names = names_of_inputs(graph);
  if (name.empty() && names.size() != 1) {
    return usage(fmt::format("the model has {} inputs ({}): say which one, as NAME:1,3,224,224", names.size(),
                             fmt::join(names, ", ")));
  }
  const std::string_view wanted = name.empty() ? names.front() : std::string_view(name);
  for (Value* input : graph.inputs()) {
    if (input->name() == wanted) return input;
  }
  return usage(fmt::format("the model has no input {}; its inputs are {}{}", quoted(name),
                           fmt::join(names, ", "), did_you_mean(name, names)));
}

using Extents = std::map<std::string, std::int64_t>;

/// What the asked shape of one input says of names; the input itself gets it.
Status set_shape(Value& input, const Dims& dims, Extents& extents) {
  const std::optional<Shape>& declared = input.type().shape;
  if (declared.has_value() && declared->size() != dims.size()) {
    return usage(fmt::format("input {} has {} axes ({}), not {}", quoted(input.name()), declared->size(),
                             to_string(*declared), dims.size()));
  }
  for (std::size_t i = 0; declared.has_value() && i < dims.size(); ++i) {
    const Dim& dim = (*declared)[i];
    if (dim.known() && dim.value() != dims[i]) {
      return usage(
          fmt::format("axis {} of input {} is {} in the file and cannot become {}: only open extents can be "
                      "fixed",
                      i, quoted(input.name()), dim.value(), dims[i]));
    }
    if (!dim.named()) continue;
    const auto [known, is_new] = extents.emplace(dim.symbol(), dims[i]);
    if (!is_new && known->second != dims[i]) {
      return usage(fmt::format("dim {} would be {} and {}", quoted(dim.symbol()), known->second, dims[i]));
    }
  }
  Type type = input.type();
  type.shape = Shape(dims.begin(), dims.end());
  input.set_type(std::move(type));
  return {};
}

bool put_in(Type& type, const Extents& extents) {
  bool changed = false;
  if (!type.shape.has_value()) return false;
  for (Dim& dim : *type.shape) {
    const auto found = dim.named() ? extents.find(dim.symbol()) : extents.end();
    if (found == extents.end()) continue;
    dim = Dim(found->second);
    changed = true;
  }
  return changed;
}

void put_in(Graph& graph, const Extents& extents) {
  for (Value* value : graph.values()) {
    Type type = value->type();
    if (put_in(type, extents)) value->set_type(std::move(type));
  }
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) put_in(graph.output_slot(i).type, extents);
  for (const Node* node : graph.nodes()) {
    for (Graph* inner : node->subgraphs()) put_in(*inner, extents);
  }
}

/// Output types get the extents that follow from the fixed ones.
Status complete_outputs(Graph& graph) {
  const auto shapes = infer_shapes(graph);
  if (!shapes.ok()) {
    return usage(fmt::format("the network does not take these extents: {}", shapes.error().message()));
  }
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
    GraphOutput& slot = graph.output_slot(i);
    const ValueFacts* facts = shapes->find(slot.value);
    if (facts == nullptr || !facts->type.shape.has_value() || !slot.type.shape.has_value()) continue;
    const Shape& known = *facts->type.shape;
    for (std::size_t axis = 0; axis < known.size() && known.size() == slot.type.shape->size(); ++axis) {
      Dim& dim = (*slot.type.shape)[axis];
      if (!dim.known() && known[axis].known()) dim = known[axis];
    }
  }
  return {};
}

}  // namespace

Status change_interface(Model& model, const InterfaceOptions& options) {
  Graph& graph = *model.graph;
  if (options.dims.empty() && options.input_shapes.empty()) return {};
  Extents extents;
  const std::vector<std::string_view> names = names_of_dims(graph);
  for (const auto& [name, extent] : options.dims) {
    if (std::ranges::find(names, name) == names.end()) {
      return usage(fmt::format("no input has a dim named {}{}{}", quoted(name),
                               names.empty() ? "" : fmt::format("; there are {}", fmt::join(names, ", ")),
                               did_you_mean(name, names)));
    }
    const auto [known, is_new] = extents.emplace(name, extent);
    if (!is_new && known->second != extent) {
      return usage(fmt::format("dim {} would be {} and {}", quoted(name), known->second, extent));
    }
  }
  for (const auto& [name, dims] : options.input_shapes) {
    PRESS_ASSIGN(Value* const input, find_input(graph, name));
    PRESS_TRY(set_shape(*input, dims, extents));
  }
  put_in(graph, extents);
  return complete_outputs(graph);
}

Result<std::pair<std::string, std::int64_t>> parse_fixed_dim(const std::string& text) {
  const std::size_t at = text.rfind('=');
  const auto extent =
      at != std::string::npos && at > 0 ? extent_of(std::string_view(text).substr(at + 1)) : std::nullopt;
  if (!extent.has_value()) return usage(fmt::format("'{}' is no NAME=EXTENT, as batch=1", text));
  return std::pair(text.substr(0, at), *extent);
}

Result<std::pair<std::string, Dims>> parse_input_shape(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const std::size_t begin = colon == std::string::npos ? 0 : colon + 1;
  Dims dims;
  for (std::size_t at = begin; at <= text.size();) {
    const std::size_t end = std::min(text.find_first_of(",x", at), text.size());
    const auto extent = extent_of(std::string_view(text).substr(at, end - at));
    if (!extent.has_value()) return usage(fmt::format("'{}' is no NAME:EXTENTS, as data:1,3,224,224", text));
    dims.push_back(*extent);
    at = end + 1;
  }
  return std::pair(colon == std::string::npos ? std::string() : text.substr(0, colon), std::move(dims));
}

}  // namespace press
