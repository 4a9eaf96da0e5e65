#include <fmt/format.h>
#include <fmt/ranges.h>

#include <type_traits>
#include <vector>

#include "press/ir/graph.h"
#include "press/support/hash.h"

namespace press {
namespace {

constexpr std::int64_t kShownElements = 8;

template <typename T>
std::string join(std::span<const T> values) {
  return fmt::format("{}", fmt::join(values, ","));
}

/// "float32[2x3]{1,2,…}": small tensors with their numbers, larger ones with a hash.
std::string tensor_text(const Tensor& tensor) {
  const std::string head = fmt::format("{}[{}]", name(tensor.type()), fmt::join(tensor.dims(), "x"));
  if (tensor.size() > kShownElements) return fmt::format("{}#{:016x}", head, tensor.hash());
  switch (tensor.type()) {
    case DataType::kFloat:
      return fmt::format("{}{{{}}}", head, join(tensor.data<float>()));
    case DataType::kInt64:
      return fmt::format("{}{{{}}}", head, join(tensor.data<std::int64_t>()));
    case DataType::kInt32:
      return fmt::format("{}{{{}}}", head, join(tensor.data<std::int32_t>()));
    case DataType::kUint8:
      return fmt::format("{}{{{}}}", head, join(tensor.data<std::uint8_t>()));
    case DataType::kInt8:
      return fmt::format("{}{{{}}}", head, join(tensor.data<std::int8_t>()));
    default:
      return fmt::format("{}#{:016x}", head, tensor.hash());
  }
}

class Printer {
 public:
  std::string print(const Graph& graph, int indent) {
    const std::string margin(static_cast<std::size_t>(indent), ' ');
    std::string text;
    for (const Value* input : graph.inputs()) {
      text += fmt::format("{}input {}: {}{}\n", margin, input->name(), to_string(input->type()),
                          input->tensor() != nullptr ? " = " + tensor_text(*input->tensor()) : "");
    }
    for (const Node* node : graph.nodes()) text += margin + node_text(*node, indent) + '\n';
    for (const GraphOutput& output : graph.outputs()) {
      text += fmt::format("{}output {} = {}\n", margin, output.name, value_text(output.value));
    }
    return text;
  }

 private:
  static std::string value_text(const Value* value) {
    if (value == nullptr) return "_";
    return value->is_constant() ? tensor_text(*value->constant()) : value->name();
  }

  std::string node_text(const Node& node, int indent) {
    std::vector<std::string> outputs, inputs;
    for (const Value* output : node.outputs()) outputs.push_back(value_text(output));
    for (const Value* input : node.inputs()) inputs.push_back(value_text(input));
    std::string attributes;
    for (const Attribute& attribute : node.attributes()) {
      attributes += fmt::format("{}{}={}", attributes.empty() ? "" : ", ", attribute.name,
                                attribute_text(attribute.value, indent));
    }
    return fmt::format("{} = {}{}{}({})", fmt::join(outputs, ", "),
                       node.domain().empty() ? "" : node.domain() + ".", node.op_type(),
                       attributes.empty() ? "" : "<" + attributes + ">", fmt::join(inputs, ", "));
  }

  std::string attribute_text(const AttributeValue& value, int indent) {
    return std::visit(
        [&](const auto& held) -> std::string {
          using T = std::decay_t<decltype(held)>;
          if constexpr (std::is_same_v<T, std::int64_t> || std::is_same_v<T, float>) {
            return fmt::format("{}", held);
          } else if constexpr (std::is_same_v<T, std::string>) {
            return fmt::format("\"{}\"", held);
          } else if constexpr (std::is_same_v<T, Tensor>) {
            return tensor_text(held);
          } else if constexpr (std::is_same_v<T, std::shared_ptr<Graph>>) {
            return "{\n" + print(*held, indent + 2) + std::string(static_cast<std::size_t>(indent), ' ') +
                   "}";
          } else if constexpr (std::is_same_v<T, std::vector<Tensor>>) {
            std::string text = "[";
            for (const Tensor& tensor : held) text += tensor_text(tensor) + ";";
            return text + "]";
          } else if constexpr (std::is_same_v<T, std::vector<std::shared_ptr<Graph>>>) {
            std::string text = "[";
            for (const std::shared_ptr<Graph>& graph : held) text += "{\n" + print(*graph, indent + 2) + "}";
            return text + "]";
          } else if constexpr (std::is_same_v<T, OpaqueAttribute>) {
            return fmt::format("opaque#{:016x}", hash_bytes(held.bytes));
          } else {
            return fmt::format("[{}]", fmt::join(held, ","));
          }
        },
        value);
  }
};

/// Hashes what a graph means: values count by their place, not by their names.
class Hasher {
 public:
  explicit Hasher(const Graph& graph) : places_(graph.value_bound()) {}

  std::uint64_t hash(const Graph& graph) {
    std::uint64_t seed = hash_bytes(graph.opaque);
    for (const auto& [domain, version] : graph.opsets()) {
      seed = hash_combine(hash_bytes(domain, seed), static_cast<std::uint64_t>(version));
    }
    for (const Value* input : graph.inputs()) {
      number(input);
      seed = hash_bytes(input->name(), hash_bytes(to_string(input->type()), seed));
      if (input->tensor() != nullptr) seed = hash_combine(seed, input->tensor()->hash());
    }
    for (const Node* node : graph.nodes()) seed = hash(*node, seed);
    for (const GraphOutput& output : graph.outputs()) {
      seed = hash_combine(hash_bytes(output.name, seed), identity(output.value));
    }
    if (graph.outer() == nullptr) {
      for (const std::shared_ptr<const Function>& function : graph.functions()) {
        seed = hash_combine(hash_bytes(function->name, hash_bytes(function->domain, seed)),
                            Hasher(*function->body).hash(*function->body));
      }
    }
    return seed;
  }

 private:
  void number(const Value* value) { places_[value->number()] = ++numbered_; }

  std::uint64_t identity(const Value* value) {
    if (value == nullptr) return 0;
    return value->is_constant() ? value->constant()->hash() : places_[value->number()];
  }

  std::uint64_t hash(const Node& node, std::uint64_t seed) {
    seed = hash_bytes(node.op_type(), hash_bytes(node.domain(), hash_bytes(node.opaque, seed)));
    for (std::size_t i = 0; i < node.input_count(); ++i) seed = hash_combine(seed, identity(node.input(i)));
    for (const Attribute& attribute : node.attributes()) seed = hash(attribute, seed);
    for (const Value* output : node.outputs()) {
      if (output != nullptr) number(output);
      seed = hash_combine(seed, output != nullptr ? 1 : 0);
    }
    return seed;
  }

  std::uint64_t hash(const Attribute& attribute, std::uint64_t seed) {
    seed = hash_combine(hash_bytes(attribute.name, seed), attribute.value.index());
    std::visit([&](const auto& held) { seed = hash_value(held, seed); }, attribute.value);
    return seed;
  }

  static std::uint64_t hash_value(std::int64_t value, std::uint64_t seed) {
    return hash_combine(seed, static_cast<std::uint64_t>(value));
  }
  static std::uint64_t hash_value(float value, std::uint64_t seed) {
    return hash_combine(seed, std::bit_cast<std::uint32_t>(value));
  }
  static std::uint64_t hash_value(const std::string& value, std::uint64_t seed) {
    return hash_bytes(value, seed);
  }
  static std::uint64_t hash_value(const Tensor& value, std::uint64_t seed) {
    return hash_combine(seed, value.hash());
  }
  static std::uint64_t hash_value(const OpaqueAttribute& value, std::uint64_t seed) {
    return hash_bytes(value.bytes, seed);
  }
  std::uint64_t hash_value(const std::shared_ptr<Graph>& value, std::uint64_t seed) {
    return hash_combine(seed, hash(*value));
  }
  template <typename T>
  std::uint64_t hash_value(const std::vector<T>& values, std::uint64_t seed) {
    for (const T& value : values) seed = hash_value(value, seed);
    return hash_combine(seed, values.size());
  }

  std::vector<std::uint64_t> places_;  // by number
  std::uint64_t numbered_ = 0;
};

}  // namespace

std::string to_text(const Graph& graph) {
  return Printer().print(graph, 0);
}

std::uint64_t fingerprint(const Graph& graph) {
  return Hasher(graph).hash(graph);
}

}  // namespace press
