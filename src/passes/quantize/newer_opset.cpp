// Raising a model of opset 13 or newer to one with types of 4 (21) or 2 bits (25). On the way ONNX's
// operators gained types and optional attributes whose defaults are the old meaning; what changed otherwise:
//
//   ReduceMax, ReduceMean, …   attribute axes became an input (18)
//   Split                      parts that are not told need num_outputs (18)
//   RoiAlign                   another default (16); GroupNormalization is another operator since 21
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "passes/quantize/opset.h"

namespace press {
namespace {

constexpr std::int64_t kOpsetOfReduceAxes = 18;
constexpr std::int64_t kOpsetOfRoiAlign = 16;

bool takes_axes_attribute(const Node& node) {
  return node.domain().empty() && node.op_type().starts_with("Reduce") && node.has_attribute("axes");
}

bool is_split_in_equal_parts(const Node& node) {
  return node.is("Split") && node.input(1) == nullptr && !node.has_attribute("num_outputs");
}

}  // namespace

std::vector<Declined> obstacles_to_newer_opset(const Model& model, std::int64_t target) {
  const std::int64_t from = model.graph->opset();
  std::vector<Declined> obstacles;
  if (from < kUpgradedOpset) {
    obstacles.push_back(
        {"model", fmt::format("it has opset {}; this step starts at {}", from, kUpgradedOpset)});
  }
  for_each_node(*model.graph, [&](const Node* node) {
    if ((node->is("RoiAlign") && from < kOpsetOfRoiAlign) || node->is("GroupNormalization")) {
      obstacles.push_back({node->label(), fmt::format("there is no adapter of {} from opset {} to {}",
                                                      node->op_type(), from, target)});
    }
  });
  return obstacles;
}

void declare_newer_opset(Model& model, std::int64_t target) {
  const std::int64_t from = model.graph->opset();
  std::vector<Node*> nodes;
  for_each_node(*model.graph, [&](Node* node) { nodes.push_back(node); });
  for (Node* node : nodes) {
    if (from >= kOpsetOfReduceAxes || target < kOpsetOfReduceAxes) break;
    Graph& graph = *node->graph();
    if (takes_axes_attribute(*node)) {
      const std::vector<std::int64_t> axes = node->ints_attribute("axes");
      graph.set_input(node, 1,
                      graph.add_constant(Tensor::of({static_cast<std::int64_t>(axes.size())}, axes),
                                         graph.fresh_name(node->output()->name() + "_axes")));
      node->remove_attribute("axes");
    } else if (is_split_in_equal_parts(*node)) {
      node->set_attribute("num_outputs", static_cast<std::int64_t>(node->output_count()));
    }
  }
  model.graph->set_opset("", target);
  model.ir_version = std::max<std::int64_t>(model.ir_version, target >= kOpsetOf2Bits ? 13 : 10);
}

}  // namespace press
