#include "onnx/graph_proto.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <unordered_set>

#include "onnx/schema.h"
#include "press/support/text.h"

namespace press {
namespace {

using wire::Bytes;
using wire::Field;
using wire::Parts;
using Wire = wire::Type;

constexpr int kDeepestGraph = 64;

Error malformed(std::string message) {
  return {ErrorCode::kInput, std::move(message)};
}

Result<GraphFields> read_graph_at(const Parts& message, int depth);

/// What an AttributeProto holds, before its kind says which part counts.
struct AttributeParts {
  std::string_view name;
  std::string_view reference;
  std::int64_t kind = schema::attribute::kUndefined;
  bool has_float = false, has_int = false, has_string = false;
  float number = 0;
  std::int64_t integer = 0;
  std::string_view text;
  std::vector<float> floats;
  std::vector<std::int64_t> integers;
  std::vector<std::string> texts;
  Parts tensor, graph;
  std::vector<Parts> tensors, graphs;
  std::string others;  // fields that none of the kinds above holds

  /// Whether fields of the kind hold everything that is held.
  bool only_holds(std::int64_t wanted) const {
    using namespace schema::attribute;
    return (!has_float || wanted == kFloatKind) && (!has_int || wanted == kIntKind) &&
           (!has_string || wanted == kStringKind) && (tensor.empty() || wanted == kTensorKind) &&
           (graph.empty() || wanted == kGraphKind) && (floats.empty() || wanted == kFloatsKind) &&
           (integers.empty() || wanted == kIntsKind) && (texts.empty() || wanted == kStringsKind) &&
           (tensors.empty() || wanted == kTensorsKind) && (graphs.empty() || wanted == kGraphsKind);
  }
};

Status read_floats(const Field& field, std::vector<float>& floats) {
  if (field.type == Wire::kFixed32)
    floats.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(field.value)));
  if (field.type != Wire::kLength) return {};
  if (field.payload.size() % sizeof(float) != 0) return malformed("a list of floats ends inside a number");
  const std::size_t first = floats.size();
  floats.resize(first + field.payload.size() / sizeof(float));
  if (!field.payload.empty()) std::memcpy(floats.data() + first, field.payload.data(), field.payload.size());
  return {};
}

Result<AttributeParts> split_attribute(Bytes message) {
  using namespace schema::attribute;
  AttributeParts parts;
  PRESS_TRY(wire::for_each_field(message, [&](const Field& field) -> Status {
    if (field.is(kName, Wire::kLength)) {
      parts.name = field.text();
      return {};
    }
    if (field.is(kRefAttrName, Wire::kLength)) parts.reference = field.text();
    if (field.is(kType, Wire::kVarint)) {
      parts.kind = field.integer();
    } else if (field.is(kFloat, Wire::kFixed32)) {
      parts.has_float = true;
      parts.number = std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
    } else if (field.is(kInt, Wire::kVarint)) {
      parts.has_int = true;
      parts.integer = field.integer();
    } else if (field.is(kString, Wire::kLength)) {
      parts.has_string = true;
      parts.text = field.text();
    } else if (field.is(kTensor, Wire::kLength)) {
      parts.tensor.push_back(field.payload);
    } else if (field.is(kGraph, Wire::kLength)) {
      parts.graph.push_back(field.payload);
    } else if (field.number == kFloats) {
      return read_floats(field, parts.floats);
    } else if (field.number == kInts) {
      return wire::for_each_varint(
          field, [&](std::uint64_t value) { parts.integers.push_back(static_cast<std::int64_t>(value)); });
    } else if (field.is(kStrings, Wire::kLength)) {
      parts.texts.emplace_back(field.text());
    } else if (field.is(kTensors, Wire::kLength)) {
      parts.tensors.push_back({field.payload});
    } else if (field.is(kGraphs, Wire::kLength)) {
      parts.graphs.push_back({field.payload});
    } else {
      parts.others.append(wire::as_text(field.whole));
    }
    return {};
  }));
  return parts;
}

/// Files of the first IR versions do not say the kind: it is that of the field that is there.
std::int64_t kind_of(const AttributeParts& parts) {
  using namespace schema::attribute;
  if (parts.kind != kUndefined) return parts.kind;
  if (parts.has_float) return kFloatKind;
  if (parts.has_int) return kIntKind;
  if (parts.has_string) return kStringKind;
  if (!parts.tensor.empty()) return kTensorKind;
  if (!parts.graph.empty()) return kGraphKind;
  if (!parts.floats.empty()) return kFloatsKind;
  if (!parts.integers.empty()) return kIntsKind;
  if (!parts.texts.empty()) return kStringsKind;
  if (!parts.tensors.empty()) return kTensorsKind;
  if (!parts.graphs.empty()) return kGraphsKind;
  return kUndefined;
}

/// Everything but the name.
Result<std::string> opaque_attribute(Bytes message) {
  std::string fields;
  PRESS_TRY(wire::for_each_field(message, [&](const Field& field) -> Status {
    if (!field.is(schema::attribute::kName, Wire::kLength)) fields.append(wire::as_text(field.whole));
    return {};
  }));
  return fields;
}

/// An attribute without the graphs that it may hold; these come out in `graphs`.
Result<AttributeFields> read_attribute(Bytes message, std::vector<Parts>& graphs) {
  using namespace schema::attribute;
  PRESS_ASSIGN(AttributeParts parts, split_attribute(message));
  AttributeFields fields;
  fields.name = parts.name;
  fields.kind = kind_of(parts);
  fields.reference = parts.reference;
  if (fields.kind < kFloatKind || fields.kind > kGraphsKind || !fields.reference.empty()) {
    PRESS_ASSIGN(std::string opaque, opaque_attribute(message));
    fields.value = OpaqueAttribute{std::move(opaque)};
    return fields;
  }
  if (!parts.only_holds(fields.kind)) {
    return malformed(fmt::format("attribute {} holds values of more than one kind", quoted(parts.name)));
  }
  fields.extras = std::move(parts.others);
  switch (fields.kind) {
    case kFloatKind:
      fields.value = parts.number;
      break;
    case kIntKind:
      fields.value = parts.integer;
      break;
    case kStringKind:
      fields.value = std::string(parts.text);
      break;
    case kFloatsKind:
      fields.value = std::move(parts.floats);
      break;
    case kIntsKind:
      fields.value = std::move(parts.integers);
      break;
    case kStringsKind:
      fields.value = std::move(parts.texts);
      break;
    case kTensorKind:
      if (parts.tensor.empty())
        return malformed(fmt::format("attribute {} holds no tensor", quoted(parts.name)));
      fields.tensors = {std::move(parts.tensor)};
      break;
    case kTensorsKind:
      fields.tensors = std::move(parts.tensors);
      break;
    case kGraphKind:
      if (parts.graph.empty())
        return malformed(fmt::format("attribute {} holds no graph", quoted(parts.name)));
      graphs = {std::move(parts.graph)};
      break;
    case kGraphsKind:
      graphs = std::move(parts.graphs);
      break;
  }
  return fields;
}

/// Adds attributes to a node, or defaults to a function's.
Status read_attributes(std::span<const Bytes> attributes, NodeFields& node, int depth) {
  for (const Bytes attribute : attributes) {
    std::vector<Parts> graphs;
    Result<AttributeFields> fields = read_attribute(attribute, graphs);
    if (!fields.ok()) return std::move(fields).error().with_context(fmt::format("node {}", node.label()));
    if (std::ranges::find(node.attributes, fields->name, &AttributeFields::name) != node.attributes.end()) {
      return malformed(fmt::format("node {} has the attribute {} twice", node.label(), quoted(fields->name)));
    }
    // What is wrong in an inner graph names an inner node; the nodes around it would only make the message
    // long.
    for (const Parts& graph : graphs) {
      PRESS_ASSIGN(GraphFields inner, read_graph_at(graph, depth + 1));
      fields->graphs.push_back(std::move(inner));
    }
    node.attributes.push_back(std::move(fields).value());
  }
  return {};
}

Result<NodeFields> read_node(Bytes message, int depth) {
  using namespace schema::node;
  NodeFields node;
  std::vector<Bytes> attributes;
  PRESS_TRY(wire::for_each_field(message, [&](const Field& field) -> Status {
    if (field.type != Wire::kLength) {
      node.extras.append(wire::as_text(field.whole));
      return {};
    }
    switch (field.number) {
      case kInput:
        node.inputs.push_back(field.text());
        break;
      case kOutput:
        node.outputs.push_back(field.text());
        break;
      case kName:
        node.name = field.text();
        break;
      case kOpType:
        node.op_type = field.text();
        break;
      case kDomain:
        node.domain = normalized_domain(field.text());
        break;
      case kAttribute:
        attributes.push_back(field.payload);
        break;
      default:
        node.extras.append(wire::as_text(field.whole));
    }
    return {};
  }));
  if (node.op_type.empty()) return malformed(fmt::format("node {} has no operator", quoted(node.name)));
  PRESS_TRY(read_attributes(attributes, node, depth));
  return node;
}

Result<std::string_view> tensor_name(Bytes message) {
  std::string_view name;
  PRESS_TRY(wire::for_each_field(message, [&](const Field& field) -> Status {
    if (field.is(schema::tensor::kName, Wire::kLength)) name = field.text();
    return {};
  }));
  return name;
}

/// The name of a SparseTensorProto is that of its values.
Result<std::string_view> sparse_tensor_name(Bytes message) {
  std::string_view name;
  PRESS_TRY(wire::for_each_field(message, [&](const Field& field) -> Status {
    if (field.is(schema::sparse::kValues, Wire::kLength)) {
      PRESS_ASSIGN(name, tensor_name(field.payload));
    }
    return {};
  }));
  return name;
}

std::vector<std::string_view> captured_names(const GraphFields& graph) {
  std::unordered_set<std::string_view> known{""};
  for (const auto& [name, message] : graph.initializers) known.insert(name);
  for (const auto& [name, message] : graph.sparse_initializers) known.insert(name);
  for (const ValueInfo& input : graph.inputs) known.insert(input.name);
  for (const NodeFields& node : graph.nodes) known.insert(node.outputs.begin(), node.outputs.end());
  std::vector<std::string_view> captured;
  const auto use = [&](std::string_view name) {
    if (known.insert(name).second) captured.push_back(name);
  };
  for (const NodeFields& node : graph.nodes) {
    for (const std::string_view input : node.inputs) use(input);
    for (const AttributeFields& attribute : node.attributes) {
      for (const GraphFields& inner : attribute.graphs) {
        for (const std::string_view name : inner.captured) use(name);
      }
    }
  }
  for (const ValueInfo& output : graph.outputs) use(output.name);
  return captured;
}

Result<GraphFields> read_graph_at(const Parts& message, int depth) {
  using namespace schema::graph;
  if (depth > kDeepestGraph) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("graphs are nested more than {} levels deep", kDeepestGraph));
  }
  GraphFields graph;
  PRESS_TRY(wire::for_each_field(message, [&](const Field& field) -> Status {
    if (field.type != Wire::kLength) {
      graph.extras.append(wire::as_text(field.whole));
      return {};
    }
    switch (field.number) {
      case kNode: {
        PRESS_ASSIGN(NodeFields node, read_node(field.payload, depth));
        graph.nodes.push_back(std::move(node));
        break;
      }
      case kName:
        graph.name = field.text();
        break;
      case kInitializer: {
        PRESS_ASSIGN(const std::string_view name, tensor_name(field.payload));
        graph.initializers.emplace_back(name, field.payload);
        break;
      }
      case kSparseInitializer: {
        PRESS_ASSIGN(const std::string_view name, sparse_tensor_name(field.payload));
        graph.sparse_initializers.emplace_back(name, field.payload);
        break;
      }
      case kInput:
      case kOutput:
      case kValueInfo: {
        PRESS_ASSIGN(ValueInfo info, read_value_info(field.payload));
        auto& list = field.number == kInput    ? graph.inputs
                     : field.number == kOutput ? graph.outputs
                                               : graph.value_infos;
        list.push_back(std::move(info));
        break;
      }
      default:
        graph.extras.append(wire::as_text(field.whole));
    }
    return {};
  }));
  graph.captured = captured_names(graph);
  return graph;
}

}  // namespace

std::string NodeFields::label() const {
  std::string operation = escaped(op_type);
  if (!name.empty()) return fmt::format("{} ({})", quoted(name), operation);
  for (const std::string_view output : outputs) {
    if (!output.empty()) return fmt::format("{} that makes {}", operation, quoted(output));
  }
  return operation;
}

Result<GraphFields> read_graph(const Parts& message) {
  return read_graph_at(message, 0);
}

Result<FunctionFields> read_function(Bytes message) {
  using namespace schema::function;
  FunctionFields function;
  std::vector<Bytes> defaults;
  GraphFields& body = function.body;
  PRESS_TRY(wire::for_each_field(message, [&](const Field& field) -> Status {
    if (field.type != Wire::kLength) return {};
    switch (field.number) {
      case kName:
        function.name = field.text();
        break;
      case kDomain:
        function.domain = normalized_domain(field.text());
        break;
      case kOverload:
        function.overload = field.text();
        break;
      case kOpsetImport:
        function.opsets.push_back(field.payload);
        break;
      case kAttributeProto:
        defaults.push_back(field.payload);
        break;
      case kInput:
        body.inputs.push_back({.name = field.text(), .type = {}, .extras = {}});
        break;
      case kOutput:
        body.outputs.push_back({.name = field.text(), .type = {}, .extras = {}});
        break;
      case kNode: {
        PRESS_ASSIGN(NodeFields node, read_node(field.payload, 0));
        body.nodes.push_back(std::move(node));
        break;
      }
      case kValueInfo: {
        PRESS_ASSIGN(ValueInfo info, read_value_info(field.payload));
        body.value_infos.push_back(std::move(info));
        break;
      }
      default:
        break;
    }
    return {};
  }));
  function.defaults.op_type = function.name;
  PRESS_TRY(read_attributes(defaults, function.defaults, 0));
  body.captured = captured_names(body);
  return function;
}

}  // namespace press
