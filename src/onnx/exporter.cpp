#include "onnx/exporter.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "onnx/schema.h"
#include "onnx/value_info.h"
#include "press/onnx/model_io.h"
#include "press/support/hash.h"
#include "press/support/hash_set.h"

namespace press {
namespace {

using wire::Field;
using wire::Message;
using Wire = wire::Type;

constexpr std::int64_t kFallbackOpset =
    13;  // where Identity is needed and the model imports no ONNX operators

/// Names that a graph and those around it have given so far, in the order of the nodes.
struct Scope {
  const Scope* outer = nullptr;
  std::unordered_set<std::string> names = {};

  bool sees(const std::string& name) const {
    return names.contains(name) || (outer != nullptr && outer->sees(name));
  }
};

/// Gives a graph the names that its file needs: every value one of its own, also against those of outer
/// graphs that it can see, and every output slot a value that bears its name. Names of the model's interface
/// never change.
class Namer {
 public:
  Namer(Graph& graph, const Scope* outer) : graph_(graph), outer_(outer), scope_{outer} {
    for (const Value* value : graph.values()) own_names_.insert(value->name());
  }

  void run() {
    for (Value* input : graph_.inputs()) {
      give(input, graph_.outer() == nullptr ? input->name() : unique(input->name()));
      scope_.names.insert(input->name());
    }
    name_outputs();
    for (Value* constant : graph_.constants()) {
      if (!named_.contains(constant)) give(constant, unique(constant->name()));
      scope_.names.insert(constant->name());
    }
    // Outputs of nodes become visible one after another: a subgraph avoids the names that come before it
    // only.
    for (Node* node : graph_.nodes()) {
      for (Graph* inner : node->subgraphs()) Namer(*inner, &scope_).run();
      for (Value* output : node->outputs()) {
        if (output == nullptr) continue;
        if (!named_.contains(output)) give(output, unique(output->name()));
        scope_.names.insert(output->name());
      }
    }
  }

 private:
  bool is_free(const std::string& name) const {
    return !name.empty() && !taken_.contains(name) && (outer_ == nullptr || !outer_->sees(name));
  }

  void give(Value* value, std::string name) {
    taken_.insert(name);
    named_.insert(value);
    value->set_name(std::move(name));
  }

  std::string unique(const std::string& wanted) {
    if (is_free(wanted)) return wanted;
    const std::string stem = wanted.empty() ? "value" : wanted;
    std::size_t& next = next_suffix_[stem];
    std::string name;
    do {
      name = fmt::format("{}_{}", stem, ++next);
    } while (!is_free(name) || own_names_.contains(name));
    return name;
  }

  /// A node's output takes the name of the first slot that it fills; whatever else stands in a slot under
  /// another name goes through an Identity.
  void name_outputs() {
    for (std::size_t i = 0; i < graph_.outputs().size(); ++i) {
      GraphOutput& slot = graph_.output_slot(i);
      Value* value = slot.value;
      if (named_.contains(value) && value->name() == slot.name) continue;
      if (graph_.outer() != nullptr) slot.name = unique(slot.name);
      const bool takes_name =
          value->producer() != nullptr || (value->is_constant() && value->name() == slot.name);
      if (takes_name && !named_.contains(value) && is_free(slot.name)) {
        give(value, slot.name);
        continue;
      }
      Node* identity = graph_.add_node({.op_type = "Identity", .inputs = {value}, .outputs = {slot.name}});
      give(identity->output(), slot.name);
      graph_.set_output(i, identity->output());
    }
  }

  Graph& graph_;
  const Scope* outer_;
  Scope scope_;
  std::unordered_set<std::string>
      own_names_;  // as they were: a new name avoids them, so that originals survive
  std::unordered_set<std::string> taken_;
  std::unordered_set<const Value*> named_;
  std::unordered_map<std::string, std::size_t> next_suffix_;
};

Message write_opset(std::string_view domain, std::int64_t version) {
  Message message;
  message.add_text(schema::opset::kDomain, domain);
  message.add_integer(schema::opset::kVersion, version);
  return message;
}

class GraphWriter {
 public:
  GraphWriter(std::int64_t ir_version, TensorSink* sink) : ir_version_(ir_version), sink_(sink) {}

  /// Adds the fields of a graph.
  void write(const Graph& graph, Message& message) {
    for (const Node* node : graph.nodes()) {
      message.add_nested(schema::graph::kNode, [&] { write_node(*node, message); });
    }
    if (!graph.name().empty()) message.add_text(schema::graph::kName, graph.name());
    write_initializers(graph, message);
    for (const Value* input : listed_inputs(graph)) {
      message.add_message(schema::graph::kInput,
                          write_value_info(input->name(), input->type(), input->opaque));
    }
    for (const GraphOutput& output : graph.outputs()) {
      message.add_message(schema::graph::kOutput, write_value_info(output.name, output.type, output.opaque));
    }
    write_value_infos(graph, message);
    message.add_fields(graph.opaque);
  }

  Message write(const Function& function) {
    using namespace schema::function;
    Message message;
    if (!function.bytes.empty()) {
      message.add_fields(function.bytes);
      return message;
    }
    message.add_text(kName, function.name);
    for (const Value* input : function.body->inputs()) message.add_text(kInput, input->name());
    for (const GraphOutput& output : function.body->outputs()) message.add_text(kOutput, output.name);
    for (const Node* node : function.body->nodes()) {
      message.add_nested(kNode, [&] { write_node(*node, message); });
    }
    for (const auto& [domain, version] : function.body->opsets()) {
      message.add_message(kOpsetImport, write_opset(domain, version));
    }
    message.add_text(kDomain, function.domain);
    return message;
  }

 private:
  void write_node(const Node& node, Message& message) {
    using namespace schema::node;
    const auto name_of = [](const Value* value) {
      return value != nullptr ? std::string_view(value->name()) : "";
    };
    for (std::size_t i = 0; i < node.input_count(); ++i) message.add_text(kInput, name_of(node.input(i)));
    for (const Value* output : node.outputs()) message.add_text(kOutput, name_of(output));
    if (!node.name().empty()) message.add_text(kName, node.name());
    message.add_text(kOpType, node.op_type());
    for (const Attribute& attribute : node.attributes()) {
      message.add_nested(kAttribute, [&] { write_attribute(attribute, message); });
    }
    if (!node.domain().empty()) message.add_text(kDomain, node.domain());
    message.add_fields(node.opaque);
  }

  void write_attribute(const Attribute& attribute, Message& message) {
    using namespace schema::attribute;
    message.add_text(kName, attribute.name);
    // What the file said of tensors in the attribute stands in fields of their own in `opaque`.
    std::vector<std::string_view> tensor_extras;
    std::string extras;
    [[maybe_unused]] const Status status =
        wire::for_each_field(wire::as_bytes(attribute.opaque), [&](const Field& field) -> Status {
          if (field.is(kTensor, Wire::kLength) || field.is(kTensors, Wire::kLength)) {
            tensor_extras.push_back(field.text());
          } else {
            extras.append(wire::as_text(field.whole));
          }
          return {};
        });
    const auto extras_of = [&](std::size_t i) { return i < tensor_extras.size() ? tensor_extras[i] : ""; };
    std::visit(
        [&](const auto& held) {
          using T = std::decay_t<decltype(held)>;
          if constexpr (std::is_same_v<T, float>) {
            message.add_float(kFloat, held);
            message.add_varint(kType, kFloatKind);
          } else if constexpr (std::is_same_v<T, std::int64_t>) {
            message.add_integer(kInt, held);
            message.add_varint(kType, kIntKind);
          } else if constexpr (std::is_same_v<T, std::string>) {
            message.add_text(kString, held);
            message.add_varint(kType, kStringKind);
          } else if constexpr (std::is_same_v<T, Tensor>) {
            message.add_message(kTensor, write_tensor(held, {}, extras_of(0), nullptr));
            message.add_varint(kType, kTensorKind);
          } else if constexpr (std::is_same_v<T, std::shared_ptr<Graph>>) {
            message.add_nested(kGraph, [&] { write(*held, message); });
            message.add_varint(kType, kGraphKind);
          } else if constexpr (std::is_same_v<T, std::vector<float>>) {
            for (const float value : held) message.add_float(kFloats, value);
            message.add_varint(kType, kFloatsKind);
          } else if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
            for (const std::int64_t value : held) message.add_integer(kInts, value);
            message.add_varint(kType, kIntsKind);
          } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
            for (const std::string& value : held) message.add_text(kStrings, value);
            message.add_varint(kType, kStringsKind);
          } else if constexpr (std::is_same_v<T, std::vector<Tensor>>) {
            for (std::size_t i = 0; i < held.size(); ++i) {
              message.add_message(kTensors, write_tensor(held[i], {}, extras_of(i), nullptr));
            }
            message.add_varint(kType, kTensorsKind);
          } else if constexpr (std::is_same_v<T, std::vector<std::shared_ptr<Graph>>>) {
            for (const std::shared_ptr<Graph>& graph : held) {
              message.add_nested(kGraphs, [&] { write(*graph, message); });
            }
            message.add_varint(kType, kGraphsKind);
          } else {
            message.add_fields(held.bytes);
          }
        },
        attribute.value);
    message.add_fields(extras);
  }

  void write_initializers(const Graph& graph, Message& message) {
    for (const Value* value : graph.values()) {
      if (value->tensor() == nullptr) continue;
      if (value->sparse.empty()) {
        message.add_message(schema::graph::kInitializer,
                            write_tensor(*value->tensor(), value->name(), value->tensor_opaque, sink_));
      } else {
        message.add_message(schema::graph::kSparseInitializer,
                            write_sparse_tensor(value->sparse, value->name()));
      }
    }
  }

  /// Before IR version 4 the list of inputs holds the constants too, at the places where they stood in the
  /// file that was read; new ones come last. Subgraphs list only those that were listed.
  std::vector<const Value*> listed_inputs(const Graph& graph) const {
    const std::vector<Value*>& inputs = graph.inputs();
    if (ir_version_ >= 4) return {inputs.begin(), inputs.end()};
    std::vector<const Value*> known, added;
    for (const Value* constant : graph.constants()) {
      if (constant->legacy_input_position >= 0) {
        known.push_back(constant);
      } else if (graph.outer() == nullptr) {
        added.push_back(constant);
      }
    }
    std::ranges::stable_sort(known, {}, [](const Value* value) { return value->legacy_input_position; });
    std::vector<const Value*> list;
    auto next = inputs.begin();
    for (const Value* constant : known) {
      const auto position = static_cast<std::size_t>(constant->legacy_input_position);
      while (list.size() < position && next != inputs.end()) list.push_back(*next++);
      list.push_back(constant);
    }
    list.insert(list.end(), next, inputs.end());
    list.insert(list.end(), added.begin(), added.end());
    return list;
  }

  static void write_value_infos(const Graph& graph, Message& message) {
    for (const Node* node : graph.nodes()) {
      for (const Value* value : node->outputs()) {
        if (value == nullptr || graph.is_output(value)) continue;
        const Type& type = value->type();
        if (type.is_tensor() && type.element == DataType::kUndefined && value->opaque.empty()) continue;
        message.add_message(schema::graph::kValueInfo, write_value_info(value->name(), type, value->opaque));
      }
    }
  }

  std::int64_t ir_version_;
  TensorSink* sink_;
};

Message write_entry(std::string_view key, std::string_view value) {
  Message message;
  message.add_text(schema::entry::kKey, key);
  message.add_text(schema::entry::kValue, value);
  return message;
}

bool uses_onnx_domain(const Graph& graph) {
  bool found = false;
  for_each_node(graph, [&](const Node* node) { found = found || node->domain().empty(); });
  return found;
}

/// The model's other fields, without the metadata that is replaced.
std::string kept_fields(const Model& model) {
  std::string kept;
  [[maybe_unused]] const Status status =
      wire::for_each_field(wire::as_bytes(model.opaque), [&](const Field& field) -> Status {
        std::string_view key;
        if (field.is(schema::model::kMetadataProps, Wire::kLength)) {
          PRESS_TRY(wire::for_each_field(field.payload, [&](const Field& inner) -> Status {
            if (inner.is(schema::entry::kKey, Wire::kLength)) key = inner.text();
            return {};
          }));
          const auto replaced = [&](const auto& entry) { return entry.first == key; };
          if (std::ranges::any_of(model.metadata, replaced)) return {};
        }
        kept.append(wire::as_text(field.whole));
        return {};
      });
  return kept;
}

/// True where no two values of the model bear the same name (for which names of the same hash are taken), and
/// outputs are filled under theirs.
bool has_names_of_a_file(const Graph& graph, HashSet& names) {
  for (const Value* value : graph.values()) {
    if (value->name().empty() || !names.insert(hash_bytes(value->name()))) return false;
  }
  for (const GraphOutput& slot : graph.outputs()) {
    if (slot.value->name() != slot.name) return false;
  }
  if (!graph.has_subgraphs()) return true;
  for (const Node* node : graph.nodes()) {
    for (const Graph* inner : node->subgraphs()) {
      if (!has_names_of_a_file(*inner, names)) return false;
    }
  }
  return true;
}

bool is_prepared(const Model& model) {
  HashSet names(model.graph->value_bound());
  return has_names_of_a_file(*model.graph, names) &&
         (model.graph->opset() != 0 || !uses_onnx_domain(*model.graph));
}

}  // namespace

void prepare_for_export(Model& model) {
  if (is_prepared(model)) return;
  Namer(*model.graph, nullptr).run();
  if (model.graph->opset() == 0 && uses_onnx_domain(*model.graph)) {
    model.graph->set_opset("", kFallbackOpset);
  }
}

const Model& prepared_for_export(const Model& model, Model& storage) {
  if (is_prepared(model)) return model;
  storage = clone(model);
  prepare_for_export(storage);
  return storage;
}

Message export_model(const Model& prepared, TensorSink* sink) {
  Message message;
  message.add_integer(schema::model::kIrVersion, prepared.ir_version);
  message.add_fields(kept_fields(prepared));
  for (const auto& [key, value] : prepared.metadata) {
    message.add_message(schema::model::kMetadataProps, write_entry(key, value));
  }
  GraphWriter writer(prepared.ir_version, sink);
  message.add_nested(schema::model::kGraph, [&] { writer.write(*prepared.graph, message); });
  for (const std::shared_ptr<const Function>& function : prepared.graph->functions()) {
    message.add_message(schema::model::kFunctions, writer.write(*function));
  }
  for (const auto& [domain, version] : prepared.graph->opsets()) {
    message.add_message(schema::model::kOpsetImport, write_opset(domain, version));
  }
  return message;
}

}  // namespace press
