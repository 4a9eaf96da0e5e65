// What the operators are: for each one its shape rule and its traits. ops.def is the only list.
//
// Passes ask traits ("which input is the weight?"), they do not compare operator names. The kernels that
// execute the operators stand in the same list and are bound by the runtime.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "press/ir/graph.h"

namespace press {

/// What shape inference knows of a value: its type and, for small integer tensors that carry shapes, the
/// elements as far as known (a dim that came from a symbolic batch stays symbolic).
struct ValueFacts {
  Type type;
  std::optional<Shape> elements;
};

/// A shape rule sees facts of a node's inputs and fills those of its outputs; what it cannot tell it leaves
/// open. Errors (kInput): attributes or input types that the operator does not allow.
class ShapeContext {
 public:
  ShapeContext(const Node& node, std::span<const ValueFacts* const> inputs, std::span<ValueFacts> outputs)
      : node_(node), inputs_(inputs), outputs_(outputs) {}

  const Node& node() const { return node_; }
  std::int64_t opset() const { return node_.graph()->opset(node_.domain()); }
  std::size_t input_count() const { return inputs_.size(); }
  /// Null for an omitted input.
  const ValueFacts* input(std::size_t index) const {
    return index < inputs_.size() ? inputs_[index] : nullptr;
  }
  /// The input's tensor where it is a constant of the graph, or made by a Constant node.
  const Tensor* constant(std::size_t index) const {
    const Value* value = node_.input(index);
    if (value == nullptr) return nullptr;
    const Node* producer = value->producer();
    return producer != nullptr && producer->is("Constant") ? producer->tensor_attribute("value")
                                                           : value->constant();
  }
  ValueFacts& output(std::size_t index) const { return outputs_[index]; }
  std::size_t output_count() const { return outputs_.size(); }

 private:
  const Node& node_;
  std::span<const ValueFacts* const> inputs_;
  std::span<ValueFacts> outputs_;
};
using ShapeRule = Status (*)(ShapeContext&);

/// How an operator treats the numbers of its first input; quantization places its scales by it.
enum class Passage {
  kNone,   // computes something new
  kSame,   // every output element is an input element (Reshape, Transpose, MaxPool, Slice, …): same scale
  kClamp,  // elementwise, cuts the range (Relu, Clip): belongs to the operator before it
};

struct OpTraits {
  /// Same inputs give the same outputs, and nothing else happens: may be folded, shared and dropped.
  bool pure = true;
  /// Position of the weight input of linear operators (Conv, ConvTranspose, Gemm, MatMul), else -1.
  int weight_input = -1;
  /// Position of the bias input, else -1.
  int bias_input = -1;
  /// Runtimes have integer kernels for it: its inputs and output may be quantized.
  bool quantizable = false;
  Passage passage = Passage::kNone;
};

struct OpInfo {
  std::string_view domain;
  std::string_view type;
  ShapeRule shape_rule = nullptr;
  OpTraits traits;
};

/// Null for operators that we do not know.
const OpInfo* find_operator(std::string_view domain, std::string_view type);
const OpInfo* find_operator(const Node& node);

/// Traits of the node's operator; those of an unknown operator promise nothing (not even pure).
const OpTraits& traits(const Node& node);

/// Inputs of an operator on integers (ConvInteger, QLinearMatMul, …), which carries no weight trait: its
/// weight and the weight's zero point.
struct IntegerProduct {
  std::size_t weight;
  std::size_t zero_point;
};
/// Null for other operators.
const IntegerProduct* integer_product(const Node& node);

/// The linear operator's weight as a constant of the graph, or null.
Value* constant_weight(const Node& node);

/// The axis of the weight that runs over output channels: Conv 0, ConvTranspose 1 (per group), Gemm by
/// transB, MatMul the last one. Nullopt for operators without weights.
std::optional<int> weight_channel_axis(const Node& node);

/// Multiply-accumulates of one execution, from the facts of inputs and outputs; linear operators only, others
/// count 0. Nullopt where a needed dim is not known.
std::optional<std::int64_t> multiply_accumulates(const Node& node, const ValueFacts* first_input,
                                                 const ValueFacts* first_output);

/// Facts of every value of a graph and its subgraphs.
class ShapeTable {
 public:
  /// Null for a value that the graph did not have, and for null.
  const ValueFacts* find(const Value* value) const {
    if (value == nullptr || value->number() >= facts_.size()) return nullptr;
    const auto& [known, facts] = facts_[value->number()];
    return known == value ? &facts : nullptr;
  }
  bool contains(const Value* value) const { return find(value) != nullptr; }
  /// For values that the graph had.
  const ValueFacts& at(const Value* value) const { return *find(value); }

  /// The facts to fill in, made where there are none; of values with numbers below that of `resize`.
  ValueFacts& operator[](const Value* value) {
    auto& [known, facts] = facts_[value->number()];
    known = value;
    return facts;
  }
  void resize(std::size_t value_bound) { facts_.resize(value_bound); }

 private:
  std::vector<std::pair<const Value*, ValueFacts>> facts_;  // by number of the value
};

struct ShapeInferenceOptions {
  /// Extents to put in the place of named or unknown dims of the graph's inputs: "N" -> 1. The key "" stands
  /// for every unknown or unlisted one.
  std::unordered_map<std::string, std::int64_t> dims;
};

/// Runs the shape rules over the graph. Types that the file declares are the start; an unknown operator
/// leaves its outputs as declared. Errors (kInput): a rule rejects a node; the message names the node.
Result<ShapeTable> infer_shapes(const Graph& graph, const ShapeInferenceOptions& options = {});

}  // namespace press
