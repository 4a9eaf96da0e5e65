// Raises a model from opset 7 to 12 to opset 13; newer_opset.cpp goes on from there where more is asked for.
//
// Most operators kept their form or gained only types and optional attributes. Those that changed:
//
//   Clip, Dropout                     attributes became inputs (11, 12)
//   Pad, Slice, TopK                  attributes became inputs (11, 10, 10)
//   Split, Squeeze, Unsqueeze, ReduceSum   attributes became inputs (13)
//   Softmax, LogSoftmax, Hardmax      normalized the input flattened behind `axis`; now along `axis` alone
//   (13) Upsample, Resize of opset 10      became Resize with asymmetric coordinates (11) BatchNormalization
//   lost `spatial` (9) Scatter                           became ScatterElements (11)
//
// A node whose change has no equal (BatchNormalization with spatial = 0, a Dropout whose mask is read, Scan
// of opset 8), or an operator that ended before opset 13, stops the whole pass: a model has one version of
// the operator set.
//
// It pays because scales per channel need opset 13.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "passes/declarations.h"
#include "passes/quantize/opset.h"
#include "press/ops/operator.h"

namespace press {
namespace {

constexpr std::int64_t kLowestOpset = 7;
constexpr std::int64_t kIrVersionOfOpset13 = 7;

/// Operators of opsets 7 to 13 whose nodes mean the same in opset 13. LayerNormalization belongs to opset 17,
/// but ONNX Runtime reads it in any, and files have it.
constexpr auto kUnchanged = std::to_array<std::string_view>({
    "Abs",
    "Acos",
    "Acosh",
    "Add",
    "And",
    "ArgMax",
    "ArgMin",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "AveragePool",
    "BitShift",
    "Cast",
    "Ceil",
    "Celu",
    "Compress",
    "Concat",
    "ConcatFromSequence",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "ConvInteger",
    "ConvTranspose",
    "Cos",
    "Cosh",
    "CumSum",
    "DepthToSpace",
    "DequantizeLinear",
    "Det",
    "Div",
    "DynamicQuantizeLinear",
    "Einsum",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "EyeLike",
    "Flatten",
    "Floor",
    "GRU",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gemm",
    "GlobalAveragePool",
    "GlobalLpPool",
    "GlobalMaxPool",
    "Greater",
    "GreaterOrEqual",
    "HardSigmoid",
    "Identity",
    "If",
    "InstanceNormalization",
    "IsInf",
    "IsNaN",
    "LRN",
    "LSTM",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "Loop",
    "LpNormalization",
    "LpPool",
    "MatMul",
    "MatMulInteger",
    "Max",
    "MaxPool",
    "MaxRoiPool",
    "MaxUnpool",
    "Mean",
    "MeanVarianceNormalization",
    "Min",
    "Mod",
    "Mul",
    "Multinomial",
    "Neg",
    "NonMaxSuppression",
    "NonZero",
    "Not",
    "OneHot",
    "Or",
    "PRelu",
    "Pow",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
    "RNN",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Range",
    "Reciprocal",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSumSquare",
    "Relu",
    "Reshape",
    "ReverseSequence",
    "RoiAlign",
    "Round",
    "ScatterElements",
    "ScatterND",
    "Selu",
    "SequenceAt",
    "SequenceConstruct",
    "SequenceEmpty",
    "SequenceErase",
    "SequenceInsert",
    "SequenceLength",
    "Shape",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Size",
    "Softplus",
    "Softsign",
    "SpaceToDepth",
    "SplitToSequence",
    "Sqrt",
    "StringNormalizer",
    "Sub",
    "Sum",
    "Tan",
    "Tanh",
    "TfIdfVectorizer",
    "ThresholdedRelu",
    "Tile",
    "Transpose",
    "Unique",
    "Where",
    "Xor",
});

/// What adapters need to know of the model around a node.
struct Context {
  std::int64_t from;
  const ShapeTable& shapes;

  std::optional<Shape> shape(const Value* value) const {
    const ValueFacts* known = shapes.find(value);
    return known != nullptr ? known->type.shape : std::nullopt;
  }
};

Value* add_integers(Node* node, std::string_view what, const std::vector<std::int64_t>& values) {
  Graph& graph = *node->graph();
  const auto count = static_cast<std::int64_t>(values.size());
  return graph.add_constant(Tensor::of({count}, values),
                            graph.fresh_name(fmt::format("{}_{}", node->output()->name(), what)));
}

Value* add_float(Node* node, std::string_view what, float value) {
  Graph& graph = *node->graph();
  return graph.add_constant(Tensor::scalar(value),
                            graph.fresh_name(fmt::format("{}_{}", node->output()->name(), what)));
}

/// An attribute of integers becomes input `index`; nothing happens where it is absent.
void ints_to_input(Node* node, std::string_view attribute, std::size_t index) {
  if (!node->has_attribute(attribute)) return;
  node->graph()->set_input(node, index, add_integers(node, attribute, node->ints_attribute(attribute)));
  node->remove_attribute(attribute);
}

void adapt_clip(Node* node, const Context& context) {
  if (context.from >= 11) return;
  std::size_t index = 1;
  for (const std::string_view bound : {"min", "max"}) {
    if (node->has_attribute(bound)) {
      node->graph()->set_input(node, index, add_float(node, bound, node->float_attribute(bound, 0)));
      node->remove_attribute(bound);
    }
    ++index;
  }
}

void adapt_dropout(Node* node, const Context& context) {
  if (context.from >= 12) return;
  // The ratio does nothing at inference; without it and without training_mode the node is the identity that
  // it was.
  node->remove_attribute("ratio");
}

void adapt_pad(Node* node, const Context& context) {
  if (context.from >= 11) return;
  ints_to_input(node, "pads", 1);
  if (node->has_attribute("value")) {
    const float value = node->float_attribute("value", 0);
    if (value != 0) node->graph()->set_input(node, 2, add_float(node, "value", value));
    node->remove_attribute("value");
  }
}

void adapt_slice(Node* node, const Context& context) {
  if (context.from >= 10) return;
  ints_to_input(node, "starts", 1);
  ints_to_input(node, "ends", 2);
  ints_to_input(node, "axes", 3);
}

void adapt_top_k(Node* node, const Context& context) {
  if (context.from >= 10) return;
  node->graph()->set_input(node, 1, add_integers(node, "k", {node->int_attribute("k", 1)}));
  node->remove_attribute("k");
}

void adapt_split(Node* node, const Context&) {
  ints_to_input(node, "split", 1);
}

void adapt_axes(Node* node, const Context&) {
  ints_to_input(node, "axes", 1);
}

/// The one axis that the flattening form reduced to, where there is such a one: all other extents from `axis`
/// on are 1.
std::optional<std::int64_t> single_axis(const std::optional<Shape>& shape, std::int64_t axis) {
  if (!shape.has_value()) return axis == -1 ? std::optional(axis) : std::nullopt;
  const auto rank = static_cast<std::int64_t>(shape->size());
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return std::nullopt;
  std::int64_t found = -1;
  for (std::int64_t i = axis; i < rank; ++i) {
    if ((*shape)[static_cast<std::size_t>(i)].known() && (*shape)[static_cast<std::size_t>(i)].value() == 1)
      continue;
    if (found >= 0) return std::nullopt;
    found = i;
  }
  return found >= 0 ? found : axis;
}

void adapt_softmax(Node* node, const Context& context) {
  const std::int64_t axis = node->int_attribute("axis", 1);
  if (const auto single = single_axis(context.shape(node->input(0)), axis)) {
    node->set_attribute("axis", *single);
    return;
  }
  // Flatten -> normalize -> Reshape to what it was.
  Graph& graph = *node->graph();
  Value* input = node->input(0);
  Value* output = node->output();
  Value* shape = graph.add_node({.op_type = "Shape", .inputs = {input}}, node)->output();
  const Node* flatten =
      graph.add_node({.op_type = "Flatten", .inputs = {input}, .attributes = {{"axis", axis, {}}}}, node);
  graph.set_input(node, 0, flatten->output());
  node->set_attribute("axis", std::int64_t{-1});
  Node* reshape = graph.add_node({.op_type = "Reshape", .inputs = {output, shape}}, node->next());
  graph.replace_all_uses(output, reshape->output());
  graph.set_input(reshape, 0, output);
}

void adapt_upsample(Node* node, const Context& context) {
  Graph& graph = *node->graph();
  Value* scales = node->input(1);
  if (context.from < 9) {
    const std::vector<float> factors = node->floats_attribute("scales");
    scales = graph.add_constant(Tensor::of({static_cast<std::int64_t>(factors.size())}, factors),
                                graph.fresh_name(node->output()->name() + "_scales"));
    node->remove_attribute("scales");
  }
  node->set_op_type("Resize");
  graph.set_input(node, 1, nullptr);  // no region of interest
  graph.set_input(node, 2, scales);
  node->set_attribute("coordinate_transformation_mode", std::string("asymmetric"));
  if (node->string_attribute("mode", "nearest") == "nearest")
    node->set_attribute("nearest_mode", std::string("floor"));
}

void adapt_resize(Node* node, const Context& context) {
  if (context.from == 10) adapt_upsample(node, context);
}

void adapt_batch_normalization(Node* node, const Context&) {
  node->remove_attribute("spatial");
}

void adapt_scatter(Node* node, const Context&) {
  node->set_op_type("ScatterElements");
}

struct Adapter {
  std::string_view type;
  void (*adapt)(Node*, const Context&);
};

constexpr auto kAdapters = std::to_array<Adapter>({
    {"BatchNormalization", adapt_batch_normalization},
    {"Clip", adapt_clip},
    {"Dropout", adapt_dropout},
    {"Hardmax", adapt_softmax},
    {"LogSoftmax", adapt_softmax},
    {"Pad", adapt_pad},
    {"ReduceSum", adapt_axes},
    {"Resize", adapt_resize},
    {"Scan", [](Node*, const Context&) {}},
    {"Scatter", adapt_scatter},
    {"Slice", adapt_slice},
    {"Softmax", adapt_softmax},
    {"Split", adapt_split},
    {"Squeeze", adapt_axes},
    {"TopK", adapt_top_k},
    {"Unsqueeze", adapt_axes},
    {"Upsample", adapt_upsample},
});

const Adapter* find_adapter(const Node& node) {
  const auto* found = std::ranges::find(kAdapters, node.op_type(), &Adapter::type);
  return found != kAdapters.end() ? found : nullptr;
}

/// Why the node cannot be carried over; nullopt where it can.
std::optional<std::string> obstacle(const Node& node) {
  if (!node.domain().empty()) return std::nullopt;
  const std::int64_t from = node.graph()->opset();
  if (std::ranges::find(kUnchanged, node.op_type()) != kUnchanged.end()) return std::nullopt;
  if (find_adapter(node) == nullptr) {
    return fmt::format("there is no adapter of {} from opset {} to {}", node.op_type(), from, kUpgradedOpset);
  }
  if (node.output() == nullptr) return fmt::format("its first output is omitted");
  if (node.is("BatchNormalization") && node.int_attribute("spatial", 1) != 1) return "spatial is not 1";
  if (node.is("BatchNormalization") && node.output_count() > 1) return "it is in training mode";
  if (node.is("Dropout") && from < 12 && node.output(1) != nullptr && !node.output(1)->uses().empty()) {
    return "its mask is read";
  }
  if (node.is("Scan") && from < 9) return "Scan of opset 8 has a batch axis";
  if ((node.is("Upsample") || node.is("Resize")) && node.string_attribute("mode", "nearest") == "cubic") {
    return "there was no cubic mode before opset 11";
  }
  return std::nullopt;
}

}  // namespace

std::vector<Declined> obstacles_to_opset(const Model& model) {
  const std::int64_t from = model.graph->opset();
  if (from >= kUpgradedOpset) return {};
  if (from < kLowestOpset) {
    return {{"model", fmt::format("it has opset {}; adapters start at {}", from, kLowestOpset)}};
  }
  std::vector<Declined> obstacles;
  for_each_node(*model.graph, [&](const Node* node) {
    if (auto reason = obstacle(*node)) obstacles.push_back({node->label(), *std::move(reason)});
  });
  return obstacles;
}

std::size_t raise_opset(Model& model) {
  Graph& graph = *model.graph;
  const std::int64_t from = graph.opset();
  if (from >= kUpgradedOpset) return 0;
  const auto shapes = infer_shapes(graph);
  const ShapeTable nothing;
  const Context context{from, shapes.ok() ? *shapes : nothing};
  std::vector<Node*> nodes;
  for_each_node(graph, [&](Node* node) { nodes.push_back(node); });
  std::size_t rewritten = 0;
  for (Node* node : nodes) {
    const Adapter* adapter = node->domain().empty() ? find_adapter(*node) : nullptr;
    if (adapter == nullptr) continue;
    adapter->adapt(node, context);
    ++rewritten;
  }
  graph.set_opset("", kUpgradedOpset);
  model.ir_version = std::max(model.ir_version, kIrVersionOfOpset13);
  return rewritten;
}

namespace passes {

Result<PassOutcome> upgrade_opset(Model& model, const PassContext& pass_context) {
  PassOutcome outcome;
  const std::int64_t from = model.graph->opset();
  const std::int64_t target = pass_context.opset > 0 ? pass_context.opset : kUpgradedOpset;
  if (from >= target) {
    if (from > pass_context.opset && pass_context.opset > 0) {
      outcome.notes.push_back(fmt::format("the model has opset {} already", from));
    }
    return outcome;
  }
  outcome.declined = obstacles_to_opset(model);
  for (Declined& node : nodes_without_newer_form(model, target)) outcome.declined.push_back(std::move(node));
  if (!outcome.declined.empty()) return outcome;
  outcome.rewrites = 1 + raise_opset(model);
  if (target > kUpgradedOpset) declare_newer_opset(model, target);
  outcome.notes.push_back(fmt::format("opset raised from {} to {}", from, target));
  return outcome;
}

}  // namespace passes
}  // namespace press
