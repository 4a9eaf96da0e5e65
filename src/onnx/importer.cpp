#include "onnx/importer.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <queue>

#include "onnx/external_data.h"
#include "onnx/graph_proto.h"
#include "onnx/name_table.h"
#include "onnx/schema.h"
#include "press/support/text.h"

namespace press {
namespace {

using wire::Bytes;
using wire::Field;
using Wire = wire::Type;

Error malformed(std::string message) {
  return {ErrorCode::kInput, std::move(message)};
}

using NodeIndices = NameTable<std::size_t>;

/// Names of a graph and of the graphs around it.
struct Scope {
  const Scope* outer = nullptr;
  NameTable<Value*> values = {};

  Value* find(std::string_view name) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->outer) {
      if (Value* const* found = scope->values.find(name)) return *found;
    }
    return nullptr;
  }
};

// -- order
// -----------------------------------------------------------------------------------------------------------

/// Calls `visit(name)` for every value that a node needs, its subgraphs' captured ones included.
template <typename Visit>
void for_each_needed(const NodeFields& node, Visit&& visit) {
  for (const std::string_view input : node.inputs) visit(input);
  for (const AttributeFields& attribute : node.attributes) {
    for (const GraphFields& graph : attribute.graphs) {
      for (const std::string_view name : graph.captured) visit(name);
    }
  }
}

/// A node on a cycle, given the nodes that could not be ordered: walking back along unordered producers ends
/// on one.
std::size_t find_node_on_cycle(const GraphFields& graph, const NodeIndices& producers,
                               const std::vector<std::size_t>& waiting) {
  std::size_t node = 0;
  while (waiting[node] == 0) ++node;
  for (std::size_t step = 0; step < graph.nodes.size(); ++step) {
    for_each_needed(graph.nodes[node], [&, before = node](std::string_view name) {
      const std::size_t* producer = producers.find(name);
      if (node == before && producer != nullptr && waiting[*producer] != 0) node = *producer;
    });
  }
  return node;
}

bool is_ordered(const GraphFields& graph, const NodeIndices& producers) {
  bool ordered = true;
  for (std::size_t i = 0; i < graph.nodes.size() && ordered; ++i) {
    for_each_needed(graph.nodes[i], [&](std::string_view name) {
      const std::size_t* producer = producers.find(name);
      ordered = ordered && (producer == nullptr || *producer < i);
    });
  }
  return ordered;
}

/// The nodes in topological order; the file's own order wherever that is free. Errors: a cycle.
Result<std::vector<std::size_t>> ordered_nodes(const GraphFields& graph, const NodeIndices& producers) {
  const std::size_t count = graph.nodes.size();
  if (is_ordered(graph, producers)) {
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    return order;
  }
  std::vector<std::size_t> waiting(count, 0);  // producers that are still to come
  std::vector<std::vector<std::size_t>> consumers(count);
  for (std::size_t i = 0; i < count; ++i) {
    for_each_needed(graph.nodes[i], [&](std::string_view name) {
      const std::size_t* producer = producers.find(name);
      if (producer == nullptr) return;
      consumers[*producer].push_back(i);
      ++waiting[i];
    });
  }
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < count; ++i) {
    if (waiting[i] == 0) ready.push(i);
  }
  std::vector<std::size_t> order;
  order.reserve(count);
  while (!ready.empty()) {
    const std::size_t node = ready.top();
    ready.pop();
    order.push_back(node);
    for (const std::size_t consumer : consumers[node]) {
      if (--waiting[consumer] == 0) ready.push(consumer);
    }
  }
  if (order.size() == count) return order;
  const std::size_t culprit = find_node_on_cycle(graph, producers, waiting);
  return malformed(
      fmt::format("node {} depends on its own output: the graph has a cycle", graph.nodes[culprit].label()));
}

/// Who makes which value. Errors: a value that is made twice, or is an input or constant (in `scope`) too.
Result<NodeIndices> find_producers(const GraphFields& graph, const Scope& scope) {
  NodeIndices producers(graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const std::string_view name : graph.nodes[i].outputs) {
      if (name.empty()) continue;
      if (scope.values.contains(name)) {
        return malformed(fmt::format(
            "{} is a graph input or initializer, but node {} makes it too; every value needs one origin",
            quoted(name), graph.nodes[i].label()));
      }
      const auto [earlier, is_new] = producers.emplace(name, i);
      if (!is_new) {
        return malformed(
            fmt::format("{} is made twice, by node {} and by node {}; every value needs one origin",
                        quoted(name), graph.nodes[*earlier].label(), graph.nodes[i].label()));
      }
    }
  }
  return producers;
}

// -- graphs
// ----------------------------------------------------------------------------------------------------------

struct Initializer {
  std::string_view name;
  Tensor tensor;
  std::string extras;
  std::string sparse = {};
};

/// The element type or a dim that a declared type and a tensor do not agree on is a conflict.
bool conflict(const Type& declared, const Tensor& tensor) {
  if (!declared.is_tensor()) return true;
  if (declared.element != DataType::kUndefined && declared.element != tensor.type()) return true;
  if (!declared.shape) return false;
  return !std::ranges::equal(*declared.shape, tensor.dims(), [](const Dim& dim, std::int64_t extent) {
    return !dim.known() || dim.value() == extent;
  });
}

Status read_opset(Bytes message, Graph& graph) {
  std::string_view domain;
  std::int64_t version = 0;
  PRESS_TRY(wire::for_each_field(message, [&](const Field& field) -> Status {
    if (field.is(schema::opset::kDomain, Wire::kLength)) domain = normalized_domain(field.text());
    if (field.is(schema::opset::kVersion, Wire::kVarint)) version = field.integer();
    return {};
  }));
  if (version < 1 || version > std::numeric_limits<std::int32_t>::max()) {
    return malformed(fmt::format("operator set {} has version {}, which does not exist",
                                 quoted(domain.empty() ? "ai.onnx" : domain), version));
  }
  const std::int64_t earlier = graph.opset(domain);
  if (earlier != 0 && earlier != version) {
    return malformed(fmt::format("operator set {} is imported twice, in versions {} and {}",
                                 quoted(domain.empty() ? "ai.onnx" : domain), earlier, version));
  }
  graph.set_opset(std::string(domain), version);
  return {};
}

class GraphBuilder {
 public:
  GraphBuilder(std::int64_t ir_version, TensorSource& source, bool freeze = false)
      : ir_version_(ir_version), source_(source), overridable_(ir_version >= 4 && !freeze) {}

  /// Fills `graph`; names that are not found in it are looked for in `outer`.
  Status build(const GraphFields& fields, Graph& graph, const Scope* outer = nullptr) {
    graph.set_name(std::string(fields.name));
    graph.opaque = fields.extras;
    Scope scope{outer,
                NameTable<Value*>(fields.inputs.size() + fields.initializers.size() + fields.nodes.size())};
    PRESS_TRY(add_inputs_and_constants(fields, graph, scope));
    PRESS_TRY(add_nodes(fields, graph, scope));
    return add_outputs(fields, graph, scope);
  }

  /// Fills the body of `function` and what its attributes are where calls do not say.
  Status build(const FunctionFields& fields, Function& function) {
    for (const Bytes opset : fields.opsets) PRESS_TRY(read_opset(opset, *function.body));
    PRESS_TRY(build(fields.body, *function.body));
    for (const AttributeFields& attribute : fields.defaults.attributes) {
      PRESS_ASSIGN(Attribute made, make_attribute(fields.defaults, attribute, *function.body, {}));
      function.defaults.push_back(std::move(made));
    }
    return {};
  }

 private:
  static Status define(std::string_view name, Value* value, Scope& scope) {
    if (scope.values.emplace(name, value).second) return {};
    return malformed(fmt::format("{} is defined twice; every value needs one origin", quoted(name)));
  }

  // Before IR version 4 every initializer is listed among the inputs too, and is no input at all; since then
  // an input with an initializer has a default that callers may override, unless it is to be frozen.
  Status add_inputs_and_constants(const GraphFields& fields, Graph& graph, Scope& scope) {
    PRESS_ASSIGN(std::vector<Initializer> initializers, read_initializers(fields));
    NameTable<Initializer*> by_name(initializers.size());
    for (Initializer& initializer : initializers) {
      const auto [earlier, is_new] = by_name.emplace(initializer.name, &initializer);
      if (!is_new && (*earlier)->tensor != initializer.tensor) {
        return malformed(
            fmt::format("initializer {} is listed twice, with different values", quoted(initializer.name)));
      }
    }
    NameTable<std::size_t> positions(fields.inputs.size());
    for (std::size_t i = 0; i < fields.inputs.size(); ++i) {
      const ValueInfo& info = fields.inputs[i];
      PRESS_TRY(check_input(info, i, graph));
      if (!positions.emplace(info.name, i).second) {
        return malformed(fmt::format("{} is listed twice among the graph inputs", quoted(info.name)));
      }
      Initializer* const* found = by_name.find(info.name);
      Initializer* initializer = found != nullptr ? *found : nullptr;
      if (initializer != nullptr && conflict(info.type, initializer->tensor)) {
        return malformed(
            fmt::format("graph input {} is declared as {}, but its initializer is {} of shape {}",
                        quoted(info.name), escaped(to_string(info.type)), name(initializer->tensor.type()),
                        to_string(initializer->tensor.dims())));
      }
      if (initializer != nullptr && !overridable_) continue;
      Value* input = graph.add_input(std::string(info.name), info.type,
                                     initializer != nullptr ? std::move(initializer->tensor) : Tensor());
      input->opaque = info.extras;
      if (initializer != nullptr) {
        input->tensor_opaque = std::move(initializer->extras);
        input->sparse = std::move(initializer->sparse);
      }
      PRESS_TRY(define(info.name, input, scope));
    }
    for (Initializer& initializer : initializers) {
      if (*by_name.find(initializer.name) != &initializer) continue;  // the same once more
      const std::size_t* position = positions.find(initializer.name);
      if (position != nullptr && overridable_) continue;
      Value* constant = graph.add_constant(std::move(initializer.tensor), std::string(initializer.name));
      constant->tensor_opaque = std::move(initializer.extras);
      constant->sparse = std::move(initializer.sparse);
      if (position != nullptr && ir_version_ < 4) {
        constant->legacy_input_position = static_cast<std::int64_t>(*position);
        constant->opaque = fields.inputs[*position].extras;
      }
      PRESS_TRY(define(initializer.name, constant, scope));
    }
    return {};
  }

  static Status check_input(const ValueInfo& info, std::size_t position, const Graph& graph) {
    if (info.name.empty()) return malformed(fmt::format("graph input {} has no name", position));
    if (graph.outer() == nullptr && info.type.is_tensor() && info.type.shape &&
        info.type.element == DataType::kUndefined) {
      return malformed(fmt::format("graph input {} has no element type", quoted(info.name)));
    }
    return {};
  }

  Result<std::vector<Initializer>> read_initializers(const GraphFields& fields) {
    std::vector<Initializer> initializers;
    initializers.reserve(fields.initializers.size() + fields.sparse_initializers.size());
    for (std::size_t i = 0; i < fields.initializers.size(); ++i) {
      const auto& [name, message] = fields.initializers[i];
      if (name.empty()) return malformed(fmt::format("initializer {} has no name", i));
      PRESS_ASSIGN(NamedTensor read,
                   read_tensor({message}, source_).with_context(fmt::format("initializer {}", quoted(name))));
      initializers.push_back({name, std::move(read.tensor), std::move(read.extras)});
    }
    for (std::size_t i = 0; i < fields.sparse_initializers.size(); ++i) {
      const auto& [name, message] = fields.sparse_initializers[i];
      if (name.empty()) return malformed(fmt::format("sparse initializer {} has no name", i));
      PRESS_ASSIGN(SparseInitializer read,
                   read_sparse_tensor(message, source_)
                       .with_context(fmt::format("sparse initializer {}", quoted(name))));
      initializers.push_back({name, std::move(read.dense), {}, std::move(read.encoded)});
    }
    return initializers;
  }

  Status add_nodes(const GraphFields& fields, Graph& graph, Scope& scope) {
    NameTable<const ValueInfo*> infos(fields.value_infos.size());
    for (const ValueInfo& info : fields.value_infos) infos.emplace(info.name, &info);
    PRESS_ASSIGN(const NodeIndices producers, find_producers(fields, scope));
    PRESS_ASSIGN(const std::vector<std::size_t> order, ordered_nodes(fields, producers));
    for (const std::size_t index : order) {
      const NodeFields& node = fields.nodes[index];
      PRESS_ASSIGN(Node * made, add_node(node, graph, scope));
      for (std::size_t i = 0; i < node.outputs.size(); ++i) {
        const std::string_view name = node.outputs[i];
        if (name.empty()) continue;
        Value* output = made->output(i);
        PRESS_TRY(define(name, output, scope));
        const ValueInfo* const* info = infos.find(name);
        if (info == nullptr) continue;
        output->set_type((*info)->type);
        output->opaque = (*info)->extras;
      }
    }
    return {};
  }

  Result<Node*> add_node(const NodeFields& fields, Graph& graph, const Scope& scope) {
    NodeSpec spec{.op_type = std::string(fields.op_type),
                  .inputs = {},
                  .outputs = {},
                  .name = std::string(fields.name),
                  .domain = std::string(fields.domain)};
    for (const std::string_view name : fields.inputs) {
      Value* value = name.empty() ? nullptr : scope.find(name);
      if (value == nullptr && !name.empty()) {
        return malformed(
            fmt::format("node {} reads {}, which is no graph input, initializer or output of a node",
                        fields.label(), quoted(name)));
      }
      spec.inputs.push_back(value);
    }
    for (const AttributeFields& attribute : fields.attributes) {
      PRESS_ASSIGN(Attribute made, make_attribute(fields, attribute, graph, scope));
      spec.attributes.push_back(std::move(made));
    }
    for (const std::string_view name : fields.outputs) {
      if (name == kOmittedOutput)
        return malformed(fmt::format("node {} has an output without a name", fields.label()));
      spec.outputs.emplace_back(name.empty() ? kOmittedOutput : name);
    }
    Node* node = graph.add_node(std::move(spec));
    node->opaque = fields.extras;
    return node;
  }

  Result<Attribute> make_attribute(const NodeFields& node, const AttributeFields& fields, Graph& graph,
                                   const Scope& scope) {
    using namespace schema::attribute;
    Attribute attribute{std::string(fields.name), fields.value, fields.extras, std::string(fields.reference)};
    if (const auto* opaque = std::get_if<OpaqueAttribute>(&fields.value)) {
      PRESS_TRY(refuse_external_data(wire::as_bytes(opaque->bytes), MessageKind::kAttribute)
                    .with_context(fmt::format("node {}", node.label())));
    }
    if (fields.kind == kTensorKind || fields.kind == kTensorsKind) {
      std::vector<Tensor> tensors;
      wire::Message extras;
      extras.add_fields(attribute.opaque);
      for (const wire::Parts& message : fields.tensors) {
        PRESS_ASSIGN(NamedTensor read, read_tensor(message, source_)
                                           .with_context(fmt::format("node {}: attribute {}", node.label(),
                                                                     quoted(fields.name))));
        tensors.push_back(std::move(read.tensor));
        wire::Message rest;
        if (!read.name.empty()) rest.add_text(schema::tensor::kName, read.name);
        rest.add_fields(read.extras);
        if (!rest.empty() || fields.kind == kTensorsKind) {
          extras.add_message(fields.kind == kTensorKind ? kTensor : kTensors, rest);
        }
      }
      attribute.opaque = extras.to_string();
      if (fields.kind == kTensorKind) {
        attribute.value = std::move(tensors.front());
      } else {
        attribute.value = std::move(tensors);
      }
    }
    if (fields.kind == kGraphKind || fields.kind == kGraphsKind) {
      std::vector<std::shared_ptr<Graph>> graphs;
      for (const GraphFields& inner : fields.graphs) {
        graphs.push_back(std::make_shared<Graph>(&graph));
        PRESS_TRY(build(inner, *graphs.back(), &scope));
      }
      if (fields.kind == kGraphKind) {
        attribute.value = std::move(graphs.front());
      } else {
        attribute.value = std::move(graphs);
      }
    }
    return attribute;
  }

  static Status add_outputs(const GraphFields& fields, Graph& graph, const Scope& scope) {
    for (const ValueInfo& info : fields.outputs) {
      Value* value = scope.find(info.name);
      if (value == nullptr) {
        return malformed(fmt::format("graph output {} is made by no node", quoted(info.name)));
      }
      if (value->graph() != &graph) {
        value =
            graph.add_node({.op_type = "Identity", .inputs = {value}, .outputs = {std::string(info.name)}})
                ->output();
      }
      const Type& known = value->type();
      if (value->producer() != nullptr && known.is_tensor() && known.element == DataType::kUndefined) {
        value->set_type(info.type);
      }
      graph.add_output(std::string(info.name), value, info.type);
      graph.output_slot(graph.outputs().size() - 1).opaque = info.extras;
    }
    return {};
  }

  std::int64_t ir_version_;
  TensorSource& source_;
  bool overridable_;  // inputs with an initializer
};

// -- models
// ----------------------------------------------------------------------------------------------------------

bool needs_onnx_domain(const GraphFields& graph) {
  return std::ranges::any_of(graph.nodes, [](const NodeFields& node) {
    return node.domain.empty() || std::ranges::any_of(node.attributes, [](const AttributeFields& attribute) {
             return std::ranges::any_of(attribute.graphs, needs_onnx_domain);
           });
  });
}

/// Overloads of functions, which calls choose by a name of their own, are carried and not looked into.
Status add_function(Bytes message, TensorSource& source, Model& model) {
  PRESS_ASSIGN(const FunctionFields fields, read_function(message));
  if (!fields.overload.empty()) {
    wire::Message opaque;
    opaque.add_bytes(schema::model::kFunctions, message);
    model.opaque += opaque.to_string();
    return {};
  }
  auto function = std::make_shared<Function>();
  function->domain = std::string(fields.domain);
  function->name = std::string(fields.name);
  function->bytes = std::string(wire::as_text(message));
  PRESS_TRY(GraphBuilder(model.ir_version, source)
                .build(fields, *function)
                .with_context(fmt::format("function {}", quoted(fields.name))));
  model.graph->add_function(std::move(function));
  return {};
}

}  // namespace

Result<Model> import_model(Bytes bytes, TensorSource& source, const LoadOptions& options) {
  Model model;
  model.ir_version = 0;
  wire::Parts graph;
  std::vector<Bytes> functions;
  PRESS_TRY(wire::for_each_field(bytes, [&](const Field& field) -> Status {
    if (field.is(schema::model::kIrVersion, Wire::kVarint)) {
      model.ir_version = field.integer();
    } else if (field.is(schema::model::kGraph, Wire::kLength)) {
      graph.push_back(field.payload);
    } else if (field.is(schema::model::kOpsetImport, Wire::kLength)) {
      return read_opset(field.payload, *model.graph);
    } else if (field.is(schema::model::kFunctions, Wire::kLength)) {
      functions.push_back(field.payload);
      return refuse_external_data(field.whole, MessageKind::kModel);
    } else {
      model.opaque.append(wire::as_text(field.whole));
    }
    return {};
  }));
  if (graph.empty()) return malformed("the model has no graph");
  if (model.ir_version < 0 || model.ir_version > std::numeric_limits<std::int32_t>::max()) {
    return malformed(fmt::format("the model has IR version {}, which does not exist", model.ir_version));
  }
  PRESS_TRY(refuse_external_data(wire::as_bytes(model.opaque), MessageKind::kModel));
  PRESS_ASSIGN(const GraphFields fields, read_graph(graph));
  if (model.graph->opset() == 0 && needs_onnx_domain(fields)) {
    // The first two IR versions knew one operator set only.
    if (model.ir_version < 1 || model.ir_version > 2) {
      return malformed("the model does not say which version of ONNX's operator set it uses (opset_import)");
    }
    model.graph->set_opset("", 1);
  }
  PRESS_TRY(GraphBuilder(model.ir_version, source, options.freeze_initializers).build(fields, *model.graph));
  for (const Bytes function : functions) PRESS_TRY(add_function(function, source, model));
  return model;
}

}  // namespace press
