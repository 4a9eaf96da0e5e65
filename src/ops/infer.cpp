// The driver of shape inference: walks the graph in order and hands each node's facts to the operator's rule.
#include <algorithm>
#include <utility>

#include "ops/computed_shapes.h"
#include "ops/shape_rules.h"
#include "press/ops/operator.h"

namespace press {
namespace {

/// Loops inside loops are inferred twice each where a carried value changes its shape; deeper than this only
/// once.
constexpr int kDeepestRefinement = 3;

class Inference {
 public:
  explicit Inference(const ShapeInferenceOptions& options, ComputedValues computed = {})
      : options_(options), computed_(std::move(computed)) {}

  Result<ShapeTable> run(const Graph& graph) {
    table_.resize(graph.value_bound());
    for (const Value* input : graph.inputs()) {
      if (!input->type().shape) continue;
      for (const Dim& dim : *input->type().shape) {
        if (dim.named()) input_symbols_.push_back(dim.symbol());
      }
    }
    for (const Value* input : graph.inputs()) table_[input].type = declared(input->type(), true);
    PRESS_TRY(infer_graph(graph));
    return std::move(table_);
  }

 private:
  /// A declared type with the asked extents put in. The key "" speaks for the open dims of the inputs, and
  /// for a symbol elsewhere if an input has it.
  Type declared(const Type& type, bool is_input) const {
    Type result = type;
    if (!result.shape) return result;
    for (Dim& dim : *result.shape) {
      if (dim.known()) continue;
      auto found = options_.dims.end();
      if (dim.named()) found = options_.dims.find(dim.symbol());
      const bool from_input = is_input || (dim.named() && std::ranges::find(input_symbols_, dim.symbol()) !=
                                                              input_symbols_.end());
      if (found == options_.dims.end() && from_input) found = options_.dims.find("");
      if (found != options_.dims.end()) dim = Dim(found->second);
    }
    return result;
  }

  /// What the rule found, completed by what the file declares.
  void merge_declared(ValueFacts& facts, const Value& value) const {
    const Type known = declared(value.type(), false);
    if (!known.is_tensor()) {
      facts.type.opaque = known.opaque;
      return;
    }
    if (facts.type.element == DataType::kUndefined) facts.type.element = known.element;
    if (!known.shape) return;
    if (!facts.type.shape) {
      facts.type.shape = known.shape;
    } else if (facts.type.shape->size() == known.shape->size()) {
      for (std::size_t i = 0; i < known.shape->size(); ++i) {
        Dim& dim = (*facts.type.shape)[i];
        if (!dim.known() && !dim.named()) dim = (*known.shape)[i];
      }
    }
  }

  Status infer_graph(const Graph& graph) {
    for (const Value* value : graph.values()) {
      if (value->is_constant()) table_[value] = facts_of(*value->constant());
    }
    for (const Node* node : graph.nodes()) {
      if (Status status = infer_node(*node); !status.ok())
        return std::move(status).error().with_context("node " + node->label());
    }
    return {};
  }

  Status infer_node(const Node& node) {
    if (node.has_subgraphs()) {
      std::vector<const ValueFacts*> inputs;
      for (std::size_t i = 0; i < node.input_count(); ++i) inputs.push_back(table_.find(node.input(i)));
      std::vector<ValueFacts> outputs(node.output_count());
      PRESS_TRY(infer_subgraphs(node, inputs, outputs));
      keep(node, outputs);
      return {};
    }
    inputs_.clear();
    for (std::size_t i = 0; i < node.input_count(); ++i) inputs_.push_back(table_.find(node.input(i)));
    outputs_.assign(node.output_count(), {});
    if (const OpInfo* info = find_operator(node)) {
      ShapeContext context(node, inputs_, outputs_);
      PRESS_TRY(info->shape_rule(context));
    }
    keep(node, outputs_);
    return {};
  }

  void keep(const Node& node, std::vector<ValueFacts>& outputs) {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Value* value = node.output(i);
      if (value == nullptr) continue;
      const Tensor* computed = computed_ ? computed_(value) : nullptr;
      if (computed != nullptr) outputs[i] = facts_of(*computed);
      merge_declared(outputs[i], *value);
      table_[value] = std::move(outputs[i]);
    }
  }

  static ValueFacts facts_of(const Tensor& tensor) {
    return {.type = {.element = tensor.type(), .shape = Shape(tensor.dims().begin(), tensor.dims().end())},
            .elements = element_facts(tensor)};
  }

  ValueFacts output_facts(const Graph& graph, std::size_t index) const {
    const ValueFacts* facts =
        index < graph.outputs().size() ? table_.find(graph.outputs()[index].value) : nullptr;
    return facts != nullptr ? *facts : ValueFacts{};
  }

  /// Facts that hold for both.
  static ValueFacts common(const ValueFacts& a, const ValueFacts& b) {
    ValueFacts result;
    if (a.type.element == b.type.element) result.type.element = a.type.element;
    if (a.type.shape && b.type.shape && a.type.shape->size() == b.type.shape->size()) {
      result.type.shape = a.type.shape;
      for (std::size_t i = 0; i < result.type.shape->size(); ++i) {
        if (!same((*result.type.shape)[i], (*b.type.shape)[i])) (*result.type.shape)[i] = Dim();
      }
    }
    return result;
  }

  Status infer_subgraphs(const Node& node, const std::vector<const ValueFacts*>& inputs,
                         std::vector<ValueFacts>& outputs) {
    if (node.is("Loop")) return infer_loop(node, inputs, outputs);
    if (node.is("Scan")) return infer_scan(node, inputs, outputs);
    for (const Graph* graph : node.subgraphs()) {
      for (const Value* input : graph->inputs()) table_[input].type = declared(input->type(), false);
      PRESS_TRY(infer_graph(*graph));
    }
    const Graph* then_branch = node.graph_attribute("then_branch");
    const Graph* else_branch = node.graph_attribute("else_branch");
    if (!node.is("If") || then_branch == nullptr || else_branch == nullptr) return {};
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      outputs[i] = common(output_facts(*then_branch, i), output_facts(*else_branch, i));
    }
    return {};
  }

  /// Infers the body with the carried values as they enter; where the body changes a shape, once more with
  /// that part open. `first_input`, `first_output`: where the carried values begin among the body's.
  Status infer_carried(const Graph& body, std::vector<ValueFacts>& carried, std::size_t first_input,
                       std::size_t first_output) {
    ++loop_depth_;
    for (bool stable = false; !stable;) {
      for (std::size_t i = 0; i < carried.size() && first_input + i < body.inputs().size(); ++i) {
        const Value* input = body.inputs()[first_input + i];
        ValueFacts facts = loop_depth_ <= kDeepestRefinement ? carried[i] : ValueFacts{};
        facts.elements.reset();
        merge_declared(facts, *input);
        table_[input] = std::move(facts);
      }
      PRESS_TRY(infer_graph(body));
      stable = true;
      for (std::size_t i = 0; i < carried.size(); ++i) {
        ValueFacts after = common(carried[i], output_facts(body, first_output + i));
        const auto open = [](const ValueFacts& facts) {
          return !facts.type.shape ? -1 : std::ranges::count_if(*facts.type.shape, [](const Dim& dim) {
            return !dim.known() && !dim.named();
          });
        };
        if (open(after) != open(carried[i]) && loop_depth_ <= kDeepestRefinement) stable = false;
        carried[i] = std::move(after);
      }
    }
    --loop_depth_;
    return {};
  }

  Status infer_loop(const Node& node, const std::vector<const ValueFacts*>& inputs,
                    std::vector<ValueFacts>& outputs) {
    const Graph* body = node.graph_attribute("body");
    if (body == nullptr) return reject("attribute body is missing");
    for (std::size_t i = 0; i < 2 && i < body->inputs().size(); ++i) {
      table_[body->inputs()[i]].type = {.element = i == 0 ? DataType::kInt64 : DataType::kBool,
                                        .shape = Shape{}};
    }
    std::vector<ValueFacts> carried;
    for (std::size_t i = 2; i < inputs.size(); ++i)
      carried.push_back(inputs[i] != nullptr ? *inputs[i] : ValueFacts{});
    PRESS_TRY(infer_carried(*body, carried, 2, 1));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      outputs[i] = i < carried.size() ? carried[i] : stacked(output_facts(*body, i + 1), 0, Dim());
    }
    return {};
  }

  /// Slices of a scan output, put together along `axis`.
  static ValueFacts stacked(const ValueFacts& slice, std::int64_t axis, const Dim& extent) {
    ValueFacts result{.type = slice.type};
    if (!result.type.shape) return result;
    Shape& shape = *result.type.shape;
    const Result<std::size_t> position = normalize_axis(axis, shape.size() + 1);
    if (!position.ok()) return {};
    shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(*position), extent);
    return result;
  }

  Status infer_scan(const Node& node, const std::vector<const ValueFacts*>& inputs,
                    std::vector<ValueFacts>& outputs) {
    const Graph* body = node.graph_attribute("body");
    if (body == nullptr) return reject("attribute body is missing");
    const std::int64_t scanned = node.int_attribute("num_scan_inputs", 0);
    if (scanned < 1 || static_cast<std::size_t>(scanned) > inputs.size()) {
      return reject("attribute num_scan_inputs is {}", scanned);
    }
    if (node.graph()->opset() < 9) return {};  // the first form has a batch axis of its own: left as declared
    const std::size_t states = inputs.size() - static_cast<std::size_t>(scanned);
    const std::vector<std::int64_t> input_axes = node.ints_attribute("scan_input_axes");
    const std::vector<std::int64_t> output_axes = node.ints_attribute("scan_output_axes");
    Dim length;
    for (std::size_t i = states; i < inputs.size() && i < body->inputs().size(); ++i) {
      ValueFacts slice = inputs[i] != nullptr ? *inputs[i] : ValueFacts{};
      slice.elements.reset();
      if (slice.type.shape) {
        const std::int64_t axis = i - states < input_axes.size() ? input_axes[i - states] : 0;
        PRESS_ASSIGN(const std::size_t position, normalize_axis(axis, slice.type.shape->size()));
        length = (*slice.type.shape)[position];
        slice.type.shape->erase(slice.type.shape->begin() + static_cast<std::ptrdiff_t>(position));
      }
      merge_declared(slice, *body->inputs()[i]);
      table_[body->inputs()[i]] = std::move(slice);
    }
    std::vector<ValueFacts> carried;
    for (std::size_t i = 0; i < states; ++i)
      carried.push_back(inputs[i] != nullptr ? *inputs[i] : ValueFacts{});
    PRESS_TRY(infer_carried(*body, carried, 0, 0));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const std::int64_t axis = i >= states && i - states < output_axes.size() ? output_axes[i - states] : 0;
      outputs[i] = i < states ? carried[i] : stacked(output_facts(*body, i), axis, length);
    }
    return {};
  }

  const ShapeInferenceOptions& options_;
  ComputedValues computed_;
  std::vector<std::string> input_symbols_;
  ShapeTable table_;
  std::vector<const ValueFacts*> inputs_;  // of the node that is looked at, where it holds no subgraphs
  std::vector<ValueFacts> outputs_;
  int loop_depth_ = 0;
};

}  // namespace

Result<ShapeTable> infer_shapes(const Graph& graph, const ShapeInferenceOptions& options) {
  return Inference(options).run(graph);
}

Result<ShapeTable> infer_shapes_with(const Graph& graph, const ComputedValues& computed) {
  const ShapeInferenceOptions options;
  return Inference(options, computed).run(graph);
}

}  // namespace press
