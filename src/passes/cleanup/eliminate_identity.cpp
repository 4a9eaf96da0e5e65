// before:  x ─ Dropout ─ y ─ Relu          after:  x ─ Relu
//
// An operator goes when its output is its input, element for element and in the same shape:
//   Identity                  always
//   Dropout                   at inference (no training_mode) while nobody uses the mask
//   Cast                      to the type that its input is known to have
//   Transpose                 with perm = 0, 1, 2, …
//   Pad                       by nothing on every side
//   Concat, Sum, Max, Min     of one input
//   Reshape, Flatten, Squeeze, Unsqueeze, Expand, Tile
//                             where both shapes are known to be the same, named dims included
//   Slice                     the same, with steps of 1
//   Resize                    by factors of 1
//   AveragePool, MaxPool      of one element, without strides and padding
//   Split                     into one part
//   Mul, Div by 1; Sub of 0   where broadcasting changes nothing
//
// Conditions: between a graph's output and another interface value (graph input, constant, value of an outer
// graph, a second output) the operator stays, because a file needs a node there.
//
// Why it pays: runtimes copy memory for some of them, and all of them stand between operators that would
// fuse.
#include <algorithm>
#include <array>
#include <cmath>

#include "passes/declarations.h"
#include "passes/floats.h"
#include "passes/known_types.h"
#include "passes/match.h"

namespace press::passes {
namespace {

template <std::size_t N>
bool is_one_of(const Node& node, const std::array<std::string_view, N>& op_types) {
  return node.domain().empty() && std::ranges::find(op_types, node.op_type()) != op_types.end();
}

constexpr std::array<std::string_view, 6> kReshaping = {"Reshape",   "Flatten", "Squeeze",
                                                        "Unsqueeze", "Expand",  "Tile"};
constexpr std::array<std::string_view, 4> kVariadic = {"Concat", "Sum", "Max", "Min"};

bool is_zero(const Tensor& tensor) {
  return std::ranges::all_of(tensor.bytes(), [](std::byte byte) { return byte == std::byte{0}; });
}

bool same_shape(const Type* a, const Type* b) {
  if (a == nullptr || b == nullptr || !a->shape.has_value() || !b->shape.has_value()) return false;
  return std::ranges::equal(*a->shape, *b->shape, [](const Dim& x, const Dim& y) { return same(x, y); });
}

/// Dropout without effect; `reason` is set where one looks like it and is not.
bool is_inference_dropout(const Node& node, std::string& reason) {
  const std::int64_t opset = node.graph()->opset();
  if (opset < 7 && node.int_attribute("is_test", 0) == 0) {
    reason = "it is in training mode (is_test is 0)";
  } else if (const Value* mode = opset >= 12 ? node.input(2) : nullptr; mode != nullptr) {
    const Tensor* constant = mode->constant();
    if (constant == nullptr || !is_zero(*constant)) reason = "its training_mode is not a constant false";
  }
  if (reason.empty() && node.output(1) != nullptr && !node.output(1)->uses().empty())
    reason = "its mask is used";
  return reason.empty();
}

bool is_identity_transpose(const Node& node) {
  const std::vector<std::int64_t> perm = node.ints_attribute("perm");
  if (perm.empty()) return false;
  for (std::size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

bool is_zero_pad(const Node& node) {
  if (node.graph()->opset() < 11) {
    const Attribute* pads = node.attribute("pads");
    return pads != nullptr &&
           std::ranges::all_of(node.ints_attribute("pads"), [](std::int64_t pad) { return pad == 0; });
  }
  const Tensor* pads = node.input(1) != nullptr ? node.input(1)->constant() : nullptr;
  return pads != nullptr && is_zero(*pads);
}

bool has_unit_steps(const Node& node) {
  if (node.graph()->opset() < 10 || node.input(4) == nullptr) return true;
  const auto steps = integers_of(constant_input(node, 4));
  return steps.has_value() && std::ranges::all_of(*steps, [](std::int64_t step) { return step == 1; });
}

bool is_all(const Tensor* tensor, double number) {
  if (tensor == nullptr || tensor->size() == 0 || !is_floating_point(tensor->type())) return false;
  bool all = true;
  for_each_float(*tensor, [&](std::int64_t, double element) {
    all = all && element == number && !std::signbit(element);
  });
  return all;
}

bool is_identity_resize(const Node& node) {
  const std::size_t scales = node.is("Upsample") || node.graph()->opset() < 11 ? 1 : 2;
  return node.string_attribute("coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize" &&
         node.string_attribute("mode", "nearest") != "cubic" && is_all(constant_input(node, scales), 1.0);
}

bool is_pool_of_one(const Node& node) {
  const auto all = [&](std::string_view name, std::int64_t number) {
    return std::ranges::all_of(node.ints_attribute(name), [&](std::int64_t one) { return one == number; });
  };
  return node.has_attribute("kernel_shape") && all("kernel_shape", 1) && all("strides", 1) &&
         all("pads", 0) && (node.output(1) == nullptr || node.output(1)->uses().empty());
}

/// The operand that Mul or Div by 1 or Sub of 0 leaves as it is (x + 0 is not x for x = -0).
std::optional<std::size_t> untouched_operand(const Node& node) {
  const bool is_product = node.is("Mul") || node.is("Div");
  if (!is_product && !node.is("Sub")) return std::nullopt;
  if (is_all(constant_input(node, 1), is_product ? 1.0 : 0.0)) return 0;
  if (node.is("Mul") && is_all(constant_input(node, 0), 1.0)) return 1;
  return std::nullopt;
}

bool has_no_effect(const Node& node, KnownTypes& types, std::string& reason) {
  if (node.is("Identity")) return true;
  if (node.is("Dropout")) return is_inference_dropout(node, reason);
  if (node.is("Transpose")) return is_identity_transpose(node);
  if (node.is("Pad")) return is_zero_pad(node);
  if (node.is("Cast")) {
    const Type* from = types.type(node.input(0));
    const std::int64_t to = node.int_attribute("to", 0);
    return from != nullptr && from->element != DataType::kUndefined &&
           static_cast<std::int64_t>(from->element) == to;
  }
  if (is_one_of(node, kVariadic)) return node.input_count() == 1;
  if (node.is("Split")) return node.output_count() == 1;
  if (node.is("Resize") || node.is("Upsample")) return is_identity_resize(node);
  if (node.is("AveragePool") || node.is("MaxPool")) return is_pool_of_one(node);
  if (node.is("Slice")) {
    return same_shape(types.type(node.input(0)), types.type(node.output(0))) && has_unit_steps(node);
  }
  if (const auto operand = untouched_operand(node); operand.has_value()) {
    return same_shape(types.type(node.input(*operand)), types.type(node.output(0)));
  }
  if (is_one_of(node, kReshaping)) return same_shape(types.type(node.input(0)), types.type(node.output(0)));
  return false;
}

/// A file cannot say that an output is an input, a constant or another output: it needs a node between them.
bool is_needed_by_interface(const Graph& graph, const Value& input, const Value& output) {
  if (!graph.is_output(&output)) return false;
  return input.producer() == nullptr || input.graph() != &graph || graph.is_output(&input);
}

void eliminate(Graph& graph, KnownTypes& types, PassOutcome& outcome) {
  for (Node* node : graph.nodes_snapshot()) {
    for (Graph* inner : node->subgraphs()) eliminate(*inner, types, outcome);
    Value* input = node->input(untouched_operand(*node).value_or(0));
    Value* output = node->output(0);
    if (input == nullptr || output == nullptr) continue;
    std::string reason;
    if (!has_no_effect(*node, types, reason)) {
      if (!reason.empty()) outcome.declined.push_back({node->label(), reason});
      continue;
    }
    if (is_needed_by_interface(graph, *input, *output)) continue;
    graph.replace_all_uses(output, input);
    graph.erase(node);
    ++outcome.rewrites;
  }
}

}  // namespace

Result<PassOutcome> eliminate_identity(Model& model, const PassContext& context) {
  PassOutcome outcome;
  KnownTypes types(*model.graph, context);
  eliminate(*model.graph, types, outcome);
  return outcome;
}

}  // namespace press::passes
