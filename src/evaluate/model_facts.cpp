#include "press/evaluate/model_facts.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "press/support/mapped_file.h"

namespace press {
namespace {

/// Elements for which `is_one` holds, read as they stand in the file: no aligned copy is made, and pages of a
/// mapped file are let go of, so that weights larger than memory can be counted.
template <typename T, typename Predicate>
std::int64_t count_elements(const Tensor& tensor, Predicate is_one) {
  constexpr std::size_t kChunk = std::size_t{8} << 20;
  std::int64_t count = 0;
  for (std::span<const std::byte> bytes = tensor.bytes(); !bytes.empty();) {
    const std::span<const std::byte> chunk = bytes.first(std::min(bytes.size(), kChunk));
    for (std::size_t at = 0; at + sizeof(T) <= chunk.size(); at += sizeof(T)) {
      T element;
      std::memcpy(&element, chunk.data() + at, sizeof(T));
      if (is_one(element)) ++count;
    }
    if (tensor.bytes().size() > kChunk) MappedFile::release(chunk);
    bytes = bytes.subspan(chunk.size());
  }
  return count;
}

/// Elements equal to `zero` (the zero point; 0 for floating types, where -0 counts as well).
template <typename T>
std::int64_t count_equal(const Tensor& tensor, T zero) {
  return count_elements<T>(tensor, [zero](T element) { return element == zero; });
}

std::int64_t count_half_zeros(const Tensor& tensor) {
  return count_elements<std::uint16_t>(tensor, [](std::uint16_t bits) { return (bits & 0x7FFFU) == 0; });
}

/// Zeros of a weight; integers are compared with `zero_point` (null: 0), which must hold one value for all
/// channels.
std::int64_t count_zeros(const Tensor& tensor, const Tensor* zero_point) {
  switch (tensor.type()) {
    case DataType::kFloat:
      return count_equal<float>(tensor, 0);
    case DataType::kDouble:
      return count_equal<double>(tensor, 0);
    case DataType::kFloat16:
    case DataType::kBFloat16:
      return count_half_zeros(tensor);
    case DataType::kInt8:
      return count_equal<std::int8_t>(
          tensor, zero_point != nullptr ? zero_point->data<std::int8_t>()[0] : std::int8_t{0});
    case DataType::kUint8:
      return count_equal<std::uint8_t>(
          tensor, zero_point != nullptr ? zero_point->data<std::uint8_t>()[0] : std::uint8_t{0});
    default:
      return 0;
  }
}

bool is_quantizer(const Node& node) {
  return node.is("QuantizeLinear") || node.is("DequantizeLinear");
}

/// A weight as it is stored, and the zero point that it is stored with.
struct StoredWeight {
  const Value* value = nullptr;
  const Tensor* zero_point = nullptr;
};

/// The input that holds the weight of a linear operator; -1 for others.
int weight_position(const Node& node) {
  const IntegerProduct* integers = integer_product(node);
  return integers != nullptr ? static_cast<int>(integers->weight) : traits(node).weight_input;
}

StoredWeight stored_with(const Value* value, const Value* zero) {
  const Tensor* zero_point = zero != nullptr ? zero->constant() : nullptr;
  const bool fits =
      zero_point != nullptr && zero_point->type() == value->constant()->type() && zero_point->size() > 0;
  return {value, fits ? zero_point : nullptr};
}

/// The constant at a node's input, also where it comes through DequantizeLinear.
StoredWeight stored_weight(const Node& node, int index) {
  const Value* value = index < 0 ? nullptr : node.input(static_cast<std::size_t>(index));
  if (value == nullptr) return {};
  if (value->is_constant()) {
    const IntegerProduct* integers = integer_product(node);
    return stored_with(value, integers != nullptr && static_cast<std::size_t>(index) == integers->weight
                                  ? node.input(integers->zero_point)
                                  : nullptr);
  }
  const Node* producer = value->producer();
  if (producer == nullptr || !producer->is("DequantizeLinear")) return {};
  const Value* quantized = producer->input(0);
  if (quantized == nullptr || !quantized->is_constant()) return {};
  return stored_with(quantized, producer->input(2));
}

bool holds_parameters(const Tensor& tensor) {
  return is_floating_point(tensor.type()) && tensor.rank() > 0;
}

/// The name that the file gives, else that of the first output.
std::string layer_name(const Node& node) {
  if (!node.name().empty() || node.output() == nullptr) return node.name();
  return node.output()->name();
}

class Collector {
 public:
  explicit Collector(ModelFacts& facts) : facts_(facts) {}

  void count_constants(const Graph& graph) {
    for (const Value* value : graph.values()) {
      if (value->is_constant()) count_bytes(*value->constant());
    }
    for (const Node* node : graph.nodes()) {
      if (const Tensor* tensor = constant_tensor(*node)) count_bytes(*tensor);
      for (const Graph* subgraph : node->subgraphs()) count_constants(*subgraph);
    }
  }

  LayerFacts described(const Node& node, const ShapeTable& shapes) {
    LayerFacts layer = sums(node, shapes);
    layer.name = layer_name(node);
    layer.op_type = node.domain().empty() ? node.op_type() : node.domain() + "." + node.op_type();
    if (const ValueFacts* output = shapes.find(node.output()); output != nullptr) {
      layer.output = output->type;
    } else if (node.output() != nullptr) {
      layer.output = node.output()->type();
    }
    return layer;
  }

  /// The numbers alone.
  LayerFacts sums(const Node& node, const ShapeTable& shapes) {
    LayerFacts layer;
    ++facts_.nodes;
    if (!is_quantizer(node)) count_parameters(node, layer);
    if (const int position = weight_position(node); position >= 0) {
      count_weight(stored_weight(node, position), layer);
      layer.macs = multiply_accumulates(node, shapes.find(node.input(0)), shapes.find(node.output()));
      if (layer.macs) facts_.macs += *layer.macs;
      if (!layer.macs) ++facts_.layers_without_macs;
    } else {
      layer.macs = 0;
    }
    return layer;
  }

 private:
  static const Tensor* constant_tensor(const Node& node) {
    return node.is("Constant") ? node.tensor_attribute("value") : nullptr;
  }

  void count_bytes(const Tensor& tensor) {
    ModelFacts::TypeShare& share = facts_.constants[tensor.type()];
    ++share.tensors;
    share.elements += tensor.size();
    share.bytes += byte_size(tensor.type(), tensor.size());
  }

  void count_parameters(const Node& node, LayerFacts& layer) {
    if (const Tensor* tensor = constant_tensor(node); tensor != nullptr && holds_parameters(*tensor)) {
      layer.parameters += tensor->size();
    }
    for (std::size_t i = 0; i < node.input_count(); ++i) {
      const Value* value = node.input(i);
      if (value == nullptr) continue;
      const bool integers = integer_product(node) != nullptr && static_cast<int>(i) == weight_position(node);
      const bool direct = value->is_constant() && (integers || holds_parameters(*value->constant()));
      const Value* stored = direct                 ? value
                            : value->is_constant() ? nullptr
                                                   : stored_weight(node, static_cast<int>(i)).value;
      if (stored != nullptr && counted_.insert(stored).second) layer.parameters += stored->constant()->size();
    }
    facts_.parameters += layer.parameters;
  }

  void count_weight(const StoredWeight& weight, LayerFacts& layer) {
    if (weight.value == nullptr) return;
    const Tensor& tensor = *weight.value->constant();
    layer.weights = tensor.size();
    layer.zero_weights = count_zeros(tensor, weight.zero_point);
    if (!weighed_.insert(weight.value).second) return;
    facts_.weights += layer.weights;
    facts_.zero_weights += layer.zero_weights;
  }

  ModelFacts& facts_;
  std::unordered_set<const Value*> counted_;
  std::unordered_set<const Value*> weighed_;
};

}  // namespace

double ModelFacts::sparsity() const {
  return weights == 0 ? 0 : static_cast<double>(zero_weights) / static_cast<double>(weights);
}

ModelFacts model_facts(const Graph& graph, Detail detail) {
  ModelFacts facts;
  ShapeInferenceOptions options;
  options.dims[""] = 1;
  auto shapes = infer_shapes(graph, options);
  if (!shapes.ok()) facts.shape_note = shapes.error().message();
  const ShapeTable table = shapes.ok() ? std::move(shapes).value() : ShapeTable();

  Collector collector(facts);
  collector.count_constants(graph);
  for_each_node(graph, [&](Node* node) {
    if (detail == Detail::kSums) {
      collector.sums(*node, table);
      return;
    }
    facts.layers.push_back(collector.described(*node, table));
    ++facts.operators[facts.layers.back().op_type];
  });
  return facts;
}

}  // namespace press
