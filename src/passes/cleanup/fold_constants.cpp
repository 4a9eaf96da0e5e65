// before:  x [N,3,224,224] ─ Shape ─ Gather(1) ─ Mul ─ …        after:  constant {6} ─ …
//                              Constant {2} ─────┘
//
// Replaced by constants of the graph:
//   Constant            its tensor, whatever its size: it is in the file already
//   shape arithmetic    integer values that shape inference knows element by element (main graph)
//   any other pure node whose inputs are constants, executed by the runtime's own kernels
//
// Conditions: the operator is known to be pure, holds no subgraph, and is not QuantizeLinear or
// DequantizeLinear (whose constants are quantized weights and belong together), nor what makes a scale for
// one (quantize_static writes products there because they are shorter). Left as they are: what the
// runtime cannot execute, nodes that make a graph's output (a file needs a node there), and, before IR
// version 4, nodes of subgraphs (which cannot have constants of their own). A dim that the file declares is
// taken at its word: a model that is declared for batches of one sample is one for batches of one sample
// afterwards.
//
// Limits: a result may be as large as the inputs that nobody else uses and `fold.max_node_bytes` more; all
// nodes of a run together may add `fold.max_bytes`. So no Expand, Tile or ConstantOfShape makes a large file
// of a small one.
//
// Why it pays: exporters write the arithmetic of reshapes as nodes, and weights behind Transpose or Cast,
// which neither fuse nor quantize.
#include <fmt/format.h>

#include <algorithm>

#include "passes/declarations.h"
#include "press/ops/operator.h"
#include "press/passes/shape_cache.h"
#include "press/runtime/session.h"

namespace press::passes {
namespace {

std::int64_t byte_size_of(const Tensor& tensor) {
  return static_cast<std::int64_t>(tensor.bytes().size());
}

std::optional<Tensor> tensor_of_strings(Dims dims, std::vector<std::string> strings) {
  auto tensor = Tensor::from_strings(std::move(dims), std::move(strings));
  return tensor.ok() ? std::optional(std::move(tensor).value()) : std::nullopt;
}

/// The tensor that a Constant node stands for; nullopt for sparse ones and what we do not know.
std::optional<Tensor> constant_node_tensor(const Node& node) {
  const auto vector_of = [](const auto& values) {
    return Tensor::of({static_cast<std::int64_t>(values.size())}, values);
  };
  if (node.attributes().size() != 1) return std::nullopt;
  const Attribute& attribute = node.attributes().front();
  if (attribute.name == "value") {
    const auto* tensor = std::get_if<Tensor>(&attribute.value);
    return tensor != nullptr && tensor->defined() ? std::optional(*tensor) : std::nullopt;
  }
  if (const auto* value = std::get_if<float>(&attribute.value); value && attribute.name == "value_float") {
    return Tensor::scalar(*value);
  }
  if (const auto* value = std::get_if<std::int64_t>(&attribute.value);
      value && attribute.name == "value_int") {
    return Tensor::scalar(*value);
  }
  if (const auto* values = std::get_if<std::vector<float>>(&attribute.value);
      values && attribute.name == "value_floats") {
    return vector_of(*values);
  }
  if (const auto* values = std::get_if<std::vector<std::int64_t>>(&attribute.value);
      values && attribute.name == "value_ints") {
    return vector_of(*values);
  }
  if (const auto* value = std::get_if<std::string>(&attribute.value);
      value && attribute.name == "value_string") {
    return tensor_of_strings({}, {*value});
  }
  if (const auto* values = std::get_if<std::vector<std::string>>(&attribute.value);
      values && attribute.name == "value_strings") {
    return tensor_of_strings({static_cast<std::int64_t>(values->size())}, *values);
  }
  return std::nullopt;
}

/// The tensor of an integer value of which inference knows every element.
std::optional<Tensor> known_tensor(const ValueFacts& facts) {
  if (!facts.elements.has_value() || !facts.type.shape.has_value() || facts.type.shape->size() > 1)
    return std::nullopt;
  const std::optional<Dims> dims = known_dims(*facts.type.shape);
  const std::optional<Dims> elements = known_dims(*facts.elements);
  if (!dims.has_value() || !elements.has_value()) return std::nullopt;
  const auto count = element_count(*dims);
  if (!count.ok() || *count != static_cast<std::int64_t>(elements->size())) return std::nullopt;
  if (facts.type.element == DataType::kInt64) return Tensor::of(*dims, *elements);
  if (facts.type.element != DataType::kInt32) return std::nullopt;
  if (std::ranges::any_of(*elements, [](std::int64_t one) { return one > INT32_MAX; })) return std::nullopt;
  return Tensor::of(*dims, std::vector<std::int32_t>(elements->begin(), elements->end()));
}

class Folder {
 public:
  Folder(const FoldOptions& options, bool in_subgraphs, PassOutcome& outcome)
      : options_(options), in_subgraphs_(in_subgraphs), outcome_(outcome) {}

  /// `shapes`: facts of the graph's values where they may be relied on, else null.
  void fold(Graph& graph, const ShapeTable* shapes) {
    for (Node* node : graph.nodes_snapshot()) {
      if (in_subgraphs_) {
        for (Graph* inner : node->subgraphs()) fold(*inner, nullptr);
      }
      fold(graph, *node, shapes);
    }
  }

 private:
  void fold(Graph& graph, Node& node, const ShapeTable* shapes) {
    if (!is_candidate(graph, node)) return;
    if (node.is("Constant")) {
      if (auto tensor = constant_node_tensor(node)) replace(graph, node, {&*tensor, 1});
      return;
    }
    if (shapes != nullptr && node.output_count() == 1 && !has_only_constants(node)) {
      const ValueFacts* facts = shapes->find(node.output());
      const auto tensor = facts != nullptr ? known_tensor(*facts) : std::nullopt;
      if (tensor.has_value()) replace(graph, node, {&*tensor, 1});
      return;
    }
    if (has_only_constants(node)) execute(graph, node);
  }

  static bool is_candidate(const Graph& graph, const Node& node) {
    if (!traits(node).pure || !node.subgraphs().empty()) return false;
    if (node.op_type() == "QuantizeLinear" || node.op_type() == "DequantizeLinear") return false;
    bool used = false;
    for (const Value* output : node.outputs()) {
      if (output == nullptr) continue;
      if (graph.is_output(output)) return false;
      const std::span<const Use> uses = output->uses();
      used = used || !uses.empty();
      const auto is_scale = [](const Use& use) {
        return use.node != nullptr && use.node->op_type() == "DequantizeLinear" && use.index == 1;
      };
      if (std::ranges::any_of(uses, is_scale)) return false;
    }
    return used;
  }

  static bool has_only_constants(const Node& node) {
    bool any = false;
    for (std::size_t i = 0; i < node.input_count(); ++i) {
      if (node.input(i) == nullptr) continue;
      if (node.input(i)->constant() == nullptr) return false;
      any = true;
    }
    return any;
  }

  /// Bytes of the constants that nothing but this node uses.
  static std::int64_t freed_bytes(const Node& node) {
    std::int64_t bytes = 0;
    for (const Value* input : node.inputs()) {
      if (input != nullptr && input->has_one_use()) bytes += byte_size_of(*input->constant());
    }
    return bytes;
  }

  void execute(Graph& graph, Node& node) {
    if (!can_execute(node)) return;
    std::vector<const Tensor*> inputs;
    for (const Value* input : node.inputs()) inputs.push_back(input != nullptr ? input->constant() : nullptr);
    const std::int64_t freed = freed_bytes(node);
    const std::int64_t limit = freed + std::min(options_.max_node_bytes, options_.max_bytes - grown_);
    auto outputs = evaluate_node(node, inputs, limit);
    if (!outputs.ok()) {
      outcome_.declined.push_back({node.label(), outputs.error().message()});
      return;
    }
    std::int64_t bytes = 0;
    for (std::size_t i = 0; i < outputs->size(); ++i) {
      const Tensor& tensor = (*outputs)[i];
      const bool needed = node.output(i) != nullptr && !node.output(i)->uses().empty();
      if (needed && !tensor.defined()) return;
      if (needed) bytes += byte_size_of(tensor);
    }
    if (outputs->size() < node.output_count()) return;
    if (bytes > limit) {
      outcome_.declined.push_back(
          {node.label(), fmt::format("its result of {} bytes is over the limit", bytes)});
      return;
    }
    grown_ += bytes - freed;
    replace(graph, node, *outputs);
  }

  void replace(Graph& graph, Node& node, std::span<const Tensor> tensors) {
    std::vector<Value*> inputs = node.inputs();
    for (std::size_t i = 0; i < node.output_count(); ++i) {
      Value* output = node.output(i);
      if (output == nullptr || output->uses().empty()) continue;
      graph.replace_all_uses(output, graph.add_constant(tensors[i], output->name()));
    }
    graph.erase(&node);
    std::ranges::sort(inputs);
    inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());
    for (Value* input : inputs) {
      if (input != nullptr && input->is_constant() && input->uses().empty()) input->graph()->erase(input);
    }
    ++outcome_.rewrites;
  }

  const FoldOptions& options_;
  bool in_subgraphs_;
  std::int64_t grown_ = 0;
  PassOutcome& outcome_;
};

}  // namespace

Result<PassOutcome> fold_constants(Model& model, const PassContext& context) {
  PassOutcome outcome;
  ShapeCache own;
  const Result<ShapeTable>& shapes = (context.shapes != nullptr ? context.shapes : &own)->of(*model.graph);
  if (!shapes.ok()) outcome.notes.push_back("shapes are not used: " + shapes.error().message());
  const bool in_subgraphs = model.ir_version >= 4;
  Folder(context.fold, in_subgraphs, outcome).fold(*model.graph, shapes.ok() ? &*shapes : nullptr);
  return outcome;
}

}  // namespace press::passes
