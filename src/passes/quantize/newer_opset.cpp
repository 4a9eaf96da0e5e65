// Raising a model of opset 13 or newer. On the way ONNX's operators gained types and optional attributes
// whose defaults are the old meaning; what changed otherwise:
//
//   RoiAlign                   another default of coordinate_transformation_mode (16): the old one is written
//   down ReduceMax, ReduceMean, …   attribute axes became an input (18) Split                      parts that
//   are not told need num_outputs (18) GridSample                 bilinear and bicubic are called linear and
//   cubic (20) DFT                        attribute axis became an input, with another default (20)
//   GroupNormalization         another operator since 21: no adapter
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "passes/quantize/opset.h"

namespace press {
namespace {

constexpr std::int64_t kOpsetOfRoiAlign = 16;
constexpr std::int64_t kOpsetOfReduceAxes = 18;
constexpr std::int64_t kOpsetOfGridSample = 20;
constexpr std::int64_t kOpsetOfGroupNormalization = 21;

/// The IR version that came with an operator set.
std::int64_t ir_version_of(std::int64_t opset) {
  if (opset >= 25) return 13;
  if (opset >= 24) return 12;
  if (opset >= 23) return 11;
  if (opset >= 21) return 10;
  if (opset >= 19) return 9;
  return opset >= 15 ? 8 : 7;
}

void add_integers(Node& node, std::size_t index, const char* what, const Tensor& integers) {
  Graph& graph = *node.graph();
  graph.set_input(&node, index, graph.add_constant(integers, graph.fresh_name(node.output()->name() + what)));
}

void adapt_to_16(Node& node) {
  if (node.is("RoiAlign"))
    node.set_attribute("coordinate_transformation_mode", std::string("output_half_pixel"));
}

void adapt_to_18(Node& node) {
  if (node.domain().empty() && node.op_type().starts_with("Reduce") && node.has_attribute("axes")) {
    const std::vector<std::int64_t> axes = node.ints_attribute("axes");
    add_integers(node, 1, "_axes", Tensor::of({static_cast<std::int64_t>(axes.size())}, axes));
    node.remove_attribute("axes");
  } else if (node.is("Split") && node.input(1) == nullptr && !node.has_attribute("num_outputs")) {
    node.set_attribute("num_outputs", static_cast<std::int64_t>(node.output_count()));
  }
}

void adapt_to_20(Node& node) {
  if (node.is("GridSample")) {
    const std::string mode = node.string_attribute("mode", "bilinear");
    node.set_attribute("mode", mode == "bilinear"  ? std::string("linear")
                               : mode == "bicubic" ? std::string("cubic")
                                                   : mode);
  } else if (node.is("DFT")) {
    add_integers(node, 2, "_axis", Tensor::scalar(node.int_attribute("axis", 1)));
    node.remove_attribute("axis");
  }
}

}  // namespace

std::vector<Declined> nodes_without_newer_form(const Model& model, std::int64_t target) {
  const std::int64_t from = model.graph->opset();
  std::vector<Declined> obstacles;
  for_each_node(*model.graph, [&](const Node* node) {
    if (node->is("GroupNormalization") && from < kOpsetOfGroupNormalization &&
        target >= kOpsetOfGroupNormalization) {
      obstacles.push_back({node->label(), fmt::format("there is no adapter of {} from opset {} to {}",
                                                      node->op_type(), from, target)});
    }
  });
  return obstacles;
}

std::vector<Declined> obstacles_to_newer_opset(const Model& model, std::int64_t target) {
  const std::int64_t from = model.graph->opset();
  std::vector<Declined> obstacles;
  if (from < kUpgradedOpset) {
    obstacles.push_back(
        {"model", fmt::format("it has opset {}; this step starts at {}", from, kUpgradedOpset)});
  }
  for (Declined& node : nodes_without_newer_form(model, target)) obstacles.push_back(std::move(node));
  return obstacles;
}

void declare_newer_opset(Model& model, std::int64_t target) {
  const std::int64_t from = model.graph->opset();
  std::vector<Node*> nodes;
  for_each_node(*model.graph, [&](Node* node) { nodes.push_back(node); });
  for (Node* node : nodes) {
    if (from < kOpsetOfRoiAlign && target >= kOpsetOfRoiAlign) adapt_to_16(*node);
    if (from < kOpsetOfReduceAxes && target >= kOpsetOfReduceAxes) adapt_to_18(*node);
    if (from < kOpsetOfGridSample && target >= kOpsetOfGridSample) adapt_to_20(*node);
  }
  model.graph->set_opset("", target);
  model.ir_version = std::max(model.ir_version, ir_version_of(target));
}

}  // namespace press
