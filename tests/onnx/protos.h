// What tests of the importer and exporter share: protos of ONNX's own library beside models of ours.
#pragma once

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "press/ir/graph.h"
#include "press/onnx/model_io.h"
#include "press/onnx/text.h"

namespace press::test {

inline Model model_of(const std::string& text) {
  Result<Model> model = parse_model_text(text);
  EXPECT_TRUE(model.ok()) << (model.ok() ? "" : model.error().message());
  return model.ok() ? std::move(model).value() : Model{};
}

/// Imports a proto; a failure is a failure of the test.
inline Model import(const onnx::ModelProto& proto) {
  Result<Model> model = model_from_bytes(proto.SerializeAsString());
  EXPECT_TRUE(model.ok()) << (model.ok() ? "" : model.error().message());
  if (!model.ok()) return {};
  const Status sound = verify(*model->graph);
  EXPECT_TRUE(sound.ok()) << (sound.ok() ? "" : sound.error().message());
  return std::move(model).value();
}

/// The message of the error that importing must end in.
inline std::string import_error(const std::string& bytes) {
  const Result<Model> model = model_from_bytes(bytes);
  EXPECT_FALSE(model.ok());
  return model.ok() ? "" : model.error().message();
}
inline std::string import_error(const onnx::ModelProto& proto) {
  return import_error(proto.SerializeAsString());
}

inline onnx::ModelProto export_proto(const Model& model) {
  const Result<std::string> bytes = model_to_bytes(model);
  EXPECT_TRUE(bytes.ok());
  onnx::ModelProto proto;
  EXPECT_TRUE(bytes.ok() && proto.ParseFromString(*bytes));
  return proto;
}

/// A model of one Relu from x to y.
inline onnx::ModelProto relu_proto(std::int64_t ir_version = 8) {
  onnx::ModelProto proto;
  proto.set_ir_version(ir_version);
  onnx::OperatorSetIdProto* opset = proto.add_opset_import();
  opset->set_domain("");
  opset->set_version(17);
  onnx::GraphProto* graph = proto.mutable_graph();
  graph->set_name("g");
  for (onnx::ValueInfoProto* info : {graph->add_input(), graph->add_output()}) {
    info->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
    info->mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_param("N");
  }
  graph->mutable_input(0)->set_name("x");
  graph->mutable_output(0)->set_name("y");
  onnx::NodeProto* node = graph->add_node();
  node->set_op_type("Relu");
  node->add_input("x");
  node->add_output("y");
  return proto;
}

inline onnx::NodeProto* add_node(onnx::GraphProto* graph, const std::string& op_type,
                                 const std::vector<std::string>& inputs,
                                 const std::vector<std::string>& outputs) {
  onnx::NodeProto* node = graph->add_node();
  node->set_op_type(op_type);
  for (const std::string& input : inputs) node->add_input(input);
  for (const std::string& output : outputs) node->add_output(output);
  return node;
}

/// A float initializer [2] with the values 1 and 2 in raw_data.
inline onnx::TensorProto* add_weight(onnx::GraphProto* graph, const std::string& name) {
  const std::array<float, 2> values = {1, 2};
  onnx::TensorProto* tensor = graph->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(onnx::TensorProto::FLOAT);
  tensor->add_dims(2);
  tensor->set_raw_data(values.data(), sizeof values);
  return tensor;
}

inline Value* find_value(const Graph& graph, const std::string& name) {
  for (Value* value : graph.values()) {
    if (value->name() == name) return value;
  }
  ADD_FAILURE() << "no value " << name;
  return nullptr;
}

}  // namespace press::test
