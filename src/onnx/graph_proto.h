// GraphProto taken apart: names and fields as they stand in the file, nothing resolved yet.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "onnx/value_info.h"
#include "onnx/wire.h"
#include "press/ir/graph.h"

namespace press {

struct GraphFields;

struct AttributeFields {
  std::string_view name;
  std::int64_t kind = 0;
  AttributeValue value;              // of numbers, strings and what we do not look into
  std::vector<wire::Parts> tensors;  // of tensor kinds
  std::vector<GraphFields> graphs;   // of graph kinds
  std::string extras;
  std::string_view reference;  // of a function's body: the attribute of the call that gives the value
};

struct NodeFields {
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> outputs;
  std::string_view op_type;
  std::string_view domain;
  std::string_view name;
  std::vector<AttributeFields> attributes;
  std::string extras;

  /// For messages: the name, else the operator and the first output.
  std::string label() const;
};

struct GraphFields {
  std::string_view name;
  std::vector<NodeFields> nodes;
  std::vector<std::pair<std::string_view, wire::Bytes>> initializers;
  std::vector<std::pair<std::string_view, wire::Bytes>> sparse_initializers;
  std::vector<ValueInfo> inputs;
  std::vector<ValueInfo> outputs;
  std::vector<ValueInfo> value_infos;
  std::vector<std::string_view> captured;  // names that are used inside, but come from outside
  std::string extras;
};

/// Errors (kInput): damaged fields, nodes without operator, attributes that are listed twice or hold nothing,
/// graphs nested too deeply.
Result<GraphFields> read_graph(const wire::Parts& message);

/// FunctionProto taken apart: its nodes, inputs and outputs are those of a graph.
struct FunctionFields {
  std::string_view name;
  std::string_view domain;
  std::string_view overload;
  NodeFields defaults;  // attributes only
  std::vector<wire::Bytes> opsets;
  GraphFields body;
};

/// Errors (kInput): as read_graph().
Result<FunctionFields> read_function(wire::Bytes message);

/// "ai.onnx" is another name of the ONNX domain, "".
inline std::string_view normalized_domain(std::string_view domain) {
  return domain == "ai.onnx" ? "" : domain;
}

}  // namespace press
