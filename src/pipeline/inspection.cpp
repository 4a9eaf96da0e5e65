#include "press/pipeline/inspection.h"

#include <nlohmann/json.hpp>
#include <set>

#include "facts.h"
#include "press/runtime/session.h"

namespace press {
namespace {

using nlohmann::ordered_json;

ordered_json json_of(const Type& type) {
  ordered_json json{{"element", type.is_tensor() ? name(type.element) : "other"}};
  if (!type.shape) {
    json["shape"] = nullptr;
    return json;
  }
  json["shape"] = ordered_json::array();
  for (const Dim& dim : *type.shape) {
    if (dim.known()) {
      json["shape"].push_back(dim.value());
    } else {
      json["shape"].push_back(dim.named() ? ordered_json(dim.symbol()) : ordered_json(nullptr));
    }
  }
  return json;
}

ordered_json json_of(const std::vector<Inspection::Slot>& slots) {
  ordered_json list = ordered_json::array();
  for (const Inspection::Slot& slot : slots) {
    ordered_json json = json_of(slot.type);
    json["name"] = slot.name;
    list.push_back(json);
  }
  return list;
}

ordered_json json_of(const LayerFacts& layer) {
  ordered_json json{{"name", layer.name},
                    {"operator", layer.op_type},
                    {"output", json_of(layer.output)},
                    {"parameters", layer.parameters},
                    {"weights", layer.weights},
                    {"zero_weights", layer.zero_weights}};
  json["multiply_accumulates"] = layer.macs ? ordered_json(*layer.macs) : ordered_json(nullptr);
  return json;
}

}  // namespace

Inspection inspect(const Model& model, const std::string& name, std::int64_t bytes) {
  Inspection inspection{.name = name, .bytes = bytes, .ir_version = model.ir_version};
  const Graph& graph = *model.graph;
  inspection.opsets = graph.opsets();
  for (const Value* input : graph.inputs()) inspection.inputs.push_back({input->name(), input->type()});
  for (const GraphOutput& output : graph.outputs()) inspection.outputs.push_back({output.name, output.type});
  inspection.header = model_header(model);
  inspection.facts = facts_of(model);
  std::set<std::string> missing;
  for_each_node(graph, [&](const Node* node) {
    if (!can_execute(*node))
      missing.insert((node->domain().empty() ? "" : node->domain() + ".") + node->op_type());
  });
  inspection.not_executable.assign(missing.begin(), missing.end());
  return inspection;
}

std::string to_json(const Inspection& inspection) {
  const ModelFacts& facts = inspection.facts;
  ordered_json json{{"schema", 1},
                    {"name", inspection.name},
                    {"bytes", inspection.bytes},
                    {"ir_version", inspection.ir_version},
                    {"producer_name", inspection.header.producer_name},
                    {"producer_version", inspection.header.producer_version},
                    {"domain", inspection.header.domain},
                    {"model_version", inspection.header.model_version},
                    {"doc", inspection.header.doc},
                    {"functions", inspection.header.functions}};
  json["metadata"] = ordered_json::object();
  for (const auto& [key, value] : inspection.header.metadata) json["metadata"][key] = value;
  json["opsets"] = ordered_json::object();
  for (const auto& [domain, version] : inspection.opsets) json["opsets"][domain] = version;
  json["inputs"] = json_of(inspection.inputs);
  json["outputs"] = json_of(inspection.outputs);
  json["parameters"] = facts.parameters;
  json["weights"] = facts.weights;
  json["sparsity"] = facts.sparsity();
  json["multiply_accumulates"] = facts.macs;
  json["layers_without_multiply_accumulates"] = facts.layers_without_macs;
  json["shape_note"] = facts.shape_note;
  json["not_executable"] = inspection.not_executable;
  json["operators"] = facts.operators;
  json["constants"] = ordered_json::array();
  for (const auto& [type, share] : facts.constants) {
    json["constants"].push_back({{"type", name(type)},
                                 {"tensors", share.tensors},
                                 {"elements", share.elements},
                                 {"bytes", share.bytes}});
  }
  json["layers"] = ordered_json::array();
  for (const LayerFacts& layer : facts.layers) json["layers"].push_back(json_of(layer));
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace press
