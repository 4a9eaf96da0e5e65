// What goes in comes out: each feature of ONNX's format through the importer and the exporter, compared field
// by field with ONNX's own protos.
#include <gtest/gtest.h>

#include "onnx/protos.h"

namespace press::test {
namespace {

/// The proto after import and export is the same message, whatever the order of its fields.
void expect_same(const onnx::ModelProto& made) {
  onnx::ModelProto
      proto;  // as this version of ONNX reads it: what was made as unknown fields may be known to it
  ASSERT_TRUE(proto.ParseFromString(made.SerializeAsString()));
  const onnx::ModelProto written = export_proto(import(proto));
  EXPECT_EQ(written.SerializeAsString(), proto.SerializeAsString()) << "before\n"
                                                                    << proto.ShortDebugString() << "\nafter\n"
                                                                    << written.ShortDebugString();
}

/// Unknown fields, as a newer version of ONNX would write them.
void add_unknown(google::protobuf::Message* message, int number, const std::string& text) {
  message->GetReflection()->MutableUnknownFields(message)->AddLengthDelimited(number, text);
}

/// The bytes of a message whose first field is a string, as metadata and device configurations are.
std::string message_of(const std::string& text) {
  onnx::StringStringEntryProto entry;
  entry.set_key(text);
  return entry.SerializeAsString();
}

TEST(RoundTrip, KeepsASmallModel) {
  expect_same(relu_proto());
}

TEST(RoundTrip, KeepsEveryIrVersionAndOpset) {
  for (std::int64_t ir = 4; ir <= 13; ++ir) {
    for (std::int64_t opset = 7; opset <= 25; ++opset) {
      onnx::ModelProto proto = relu_proto(ir);
      proto.mutable_opset_import(0)->set_version(opset);
      expect_same(proto);
    }
  }
}

TEST(RoundTrip, KeepsProducerMetadataAndDocStrings) {
  onnx::ModelProto proto = relu_proto();
  proto.set_producer_name("maker");
  proto.set_producer_version("1.2");
  proto.set_domain("org.example");
  proto.set_model_version(7);
  proto.set_doc_string("a model");
  onnx::StringStringEntryProto* entry = proto.add_metadata_props();
  entry->set_key("labels");
  entry->set_value("cat,dog");
  proto.mutable_graph()->set_doc_string("a graph");
  proto.mutable_graph()->mutable_node(0)->set_doc_string("a node");
  proto.mutable_graph()->mutable_node(0)->set_name("relu");
  proto.mutable_graph()->mutable_input(0)->set_doc_string("an input");
  proto.mutable_graph()->mutable_output(0)->set_doc_string("an output");
  add_weight(proto.mutable_graph(), "w")->set_doc_string("a weight");
  expect_same(proto);
}

TEST(RoundTrip, ReplacesMetadataOnRequestOnly) {
  onnx::ModelProto proto = relu_proto();
  for (const char* key : {"keep", "replace"}) {
    onnx::StringStringEntryProto* entry = proto.add_metadata_props();
    entry->set_key(key);
    entry->set_value("old");
  }
  Model model = import(proto);
  model.metadata = {{"replace", "new"}, {"add", "too"}};
  const onnx::ModelProto written = export_proto(model);
  ASSERT_EQ(written.metadata_props_size(), 3);
  EXPECT_EQ(written.metadata_props(0).value(), "old");
  EXPECT_EQ(written.metadata_props(1).value(), "new");
  EXPECT_EQ(written.metadata_props(2).key(), "add");
}

TEST(RoundTrip, KeepsUnknownOperatorsAndDomains) {
  onnx::ModelProto proto = relu_proto();
  onnx::OperatorSetIdProto* opset = proto.add_opset_import();
  opset->set_domain("com.example");
  opset->set_version(3);
  onnx::NodeProto* node = proto.mutable_graph()->mutable_node(0);
  node->set_op_type("Frobnicate");
  node->set_domain("com.example");
  expect_same(proto);
}

TEST(RoundTrip, KeepsFieldsOfNewerVersions) {
  onnx::ModelProto proto = relu_proto();
  onnx::GraphProto* graph = proto.mutable_graph();
  add_unknown(&proto, 26, message_of("device configuration"));
  add_unknown(graph, 16, message_of("metadata of the graph"));
  add_unknown(graph->mutable_node(0), 8, "overload");
  add_unknown(graph->mutable_node(0), 9, message_of("metadata of the node"));
  add_unknown(graph->mutable_node(0), 10, message_of("device configuration of the node"));
  add_unknown(graph->mutable_input(0), 4, message_of("metadata of the input"));
  add_unknown(graph->mutable_output(0), 4, message_of("metadata of the output"));
  add_unknown(add_weight(graph, "w"), 16, message_of("metadata of the weight"));
  onnx::AttributeProto* attribute = graph->mutable_node(0)->add_attribute();
  attribute->set_name("a");
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(-5);
  add_unknown(attribute, 30, "of the attribute");
  expect_same(proto);
}

TEST(RoundTrip, KeepsDenotations) {
  onnx::ModelProto proto = relu_proto();
  onnx::TypeProto* type = proto.mutable_graph()->mutable_input(0)->mutable_type();
  type->set_denotation("IMAGE");
  type->mutable_tensor_type()->mutable_shape()->mutable_dim(0)->set_denotation("DATA_BATCH");
  type->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(3);
  proto.mutable_graph()->mutable_output(0)->mutable_type()->set_denotation("IMAGE");
  expect_same(proto);
}

TEST(RoundTrip, KeepsTypesThatAreNoTensors) {
  onnx::ModelProto proto = relu_proto();
  onnx::TypeProto sequence;
  sequence.mutable_sequence_type()->mutable_elem_type()->mutable_tensor_type()->set_elem_type(1);
  *proto.mutable_graph()->mutable_input(0)->mutable_type() = sequence;
  proto.mutable_graph()->mutable_output(0)->clear_type();
  expect_same(proto);
  proto.mutable_graph()->mutable_output(0)->mutable_type();
  expect_same(proto);
}

TEST(RoundTrip, KeepsEveryKindOfAttribute) {
  onnx::ModelProto proto = relu_proto();
  onnx::NodeProto* node = proto.mutable_graph()->mutable_node(0);
  const auto add = [&](const char* name, onnx::AttributeProto::AttributeType type) {
    onnx::AttributeProto* attribute = node->add_attribute();
    attribute->set_name(name);
    attribute->set_type(type);
    attribute->set_doc_string("doc");
    return attribute;
  };
  add("f", onnx::AttributeProto::FLOAT)->set_f(-0.0F);
  add("i", onnx::AttributeProto::INT)->set_i(-1);
  add("s", onnx::AttributeProto::STRING)->set_s(std::string("\0\xff text", 7));
  onnx::AttributeProto* floats = add("floats", onnx::AttributeProto::FLOATS);
  floats->add_floats(1.5F);
  floats->add_floats(-2);
  onnx::AttributeProto* ints = add("ints", onnx::AttributeProto::INTS);
  ints->add_ints(std::numeric_limits<std::int64_t>::min());
  ints->add_ints(3);
  add("no_ints", onnx::AttributeProto::INTS);
  add("strings", onnx::AttributeProto::STRINGS)->add_strings("one");
  onnx::TensorProto tensor;
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.set_name("inner name");
  tensor.set_raw_data(std::string(8, '\1'));
  *add("t", onnx::AttributeProto::TENSOR)->mutable_t() = tensor;
  onnx::AttributeProto* tensors = add("tensors", onnx::AttributeProto::TENSORS);
  *tensors->add_tensors() = tensor;
  tensor.clear_name();
  *tensors->add_tensors() = tensor;
  tensor.set_doc_string("third");
  *tensors->add_tensors() = tensor;
  add("type", onnx::AttributeProto::TYPE_PROTO)->mutable_tp()->mutable_tensor_type()->set_elem_type(1);
  onnx::SparseTensorProto* sparse =
      add("sparse", onnx::AttributeProto::SPARSE_TENSOR)->mutable_sparse_tensor();
  sparse->mutable_values()->set_data_type(1);
  sparse->add_dims(4);
  expect_same(proto);
}

TEST(RoundTrip, FindsTheKindWhereOldFilesDoNotSayIt) {
  onnx::ModelProto proto = relu_proto();
  onnx::AttributeProto* attribute = proto.mutable_graph()->mutable_node(0)->add_attribute();
  attribute->set_name("axis");
  attribute->set_i(3);
  const Model model = import(proto);
  EXPECT_EQ((*model.graph->nodes().begin())->int_attribute("axis", 0), 3);
}

TEST(RoundTrip, WritesFunctionsThatWereAdded) {
  Model model = import(relu_proto());
  const auto function = std::make_shared<Function>();
  function->domain = "local";
  function->name = "Double";
  function->body->set_opset("", 17);
  Value* input = function->body->add_input("a", {});
  Node* sum = function->body->add_node({.op_type = "Add", .inputs = {input, input}, .outputs = {"b"}});
  function->body->add_output("b", sum->output(), {});
  model.graph->add_function(function);
  const onnx::ModelProto written = export_proto(model);
  ASSERT_EQ(written.functions_size(), 1);
  EXPECT_EQ(written.functions(0).name(), "Double");
  EXPECT_EQ(written.functions(0).input(0), "a");
  EXPECT_EQ(written.functions(0).output(0), "b");
  EXPECT_EQ(written.functions(0).node(0).op_type(), "Add");
  EXPECT_EQ(fingerprint(*import(written).graph), fingerprint(*model.graph));
}

TEST(RoundTrip, KeepsFunctionsTrainingAndQuantizationAnnotations) {
  onnx::ModelProto proto = relu_proto();
  onnx::FunctionProto* function = proto.add_functions();
  function->set_name("F");
  function->set_domain("local");
  add_unknown(function, 13, "overload");
  onnx::TrainingInfoProto* training = proto.add_training_info();
  training->mutable_algorithm()->set_name("step");
  onnx::TensorAnnotation* annotation = proto.mutable_graph()->add_quantization_annotation();
  annotation->set_tensor_name("x");
  expect_same(proto);
}

TEST(RoundTrip, KeepsSubgraphsAndCapturedValues) {
  onnx::ModelProto proto = relu_proto();
  onnx::GraphProto* graph = proto.mutable_graph();
  add_weight(graph, "w");
  onnx::ValueInfoProto* condition = graph->add_input();
  condition->set_name("condition");
  onnx::NodeProto* branch = add_node(graph, "If", {"condition"}, {"chosen"});
  for (const char* name : {"then_branch", "else_branch"}) {
    onnx::AttributeProto* attribute = branch->add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::GRAPH);
    onnx::GraphProto* inner = attribute->mutable_g();
    inner->set_name(name);
    inner->set_doc_string("inner");
    add_weight(inner, "v");
    add_node(inner, "Add", {"y", "w"}, {"sum"});
    add_node(inner, "Mul", {"sum", "v"}, {"chosen_inside"});
    inner->add_output()->set_name("chosen_inside");
  }
  graph->add_output()->set_name("chosen");
  const Model model = import(proto);
  const Graph* inner = find_value(*model.graph, "chosen")->producer()->graph_attribute("then_branch");
  EXPECT_EQ((*inner->nodes().begin())->input(0), find_value(*model.graph, "y"));
  EXPECT_EQ((*inner->nodes().begin())->input(1), find_value(*model.graph, "w"));
  expect_same(proto);
}

TEST(RoundTrip, PutsAnIdentityWhereASubgraphReturnsAnOuterValue) {
  onnx::ModelProto proto = relu_proto();
  onnx::GraphProto* graph = proto.mutable_graph();
  onnx::AttributeProto* attribute = add_node(graph, "If", {"x"}, {"z"})->add_attribute();
  attribute->set_name("then_branch");
  attribute->set_type(onnx::AttributeProto::GRAPH);
  attribute->mutable_g()->add_output()->set_name("y");
  const Model model = import(proto);
  const Graph* inner = find_value(*model.graph, "z")->producer()->graph_attribute("then_branch");
  ASSERT_EQ(inner->node_count(), 1u);
  EXPECT_EQ((*inner->nodes().begin())->op_type(), "Identity");
  const onnx::GraphProto written = export_proto(model).graph().node(1).attribute(0).g();
  EXPECT_EQ(written.node(0).input(0), "y");
  EXPECT_EQ(written.node(0).output(0), written.output(0).name());
  EXPECT_NE(written.output(0).name(), "y");
}

TEST(RoundTrip, KeepsOmittedInputsAndOutputs) {
  onnx::ModelProto proto = relu_proto();
  onnx::GraphProto* graph = proto.mutable_graph();
  add_node(graph, "Many", {"", "x", "", "y", ""}, {"", "a", "", "-"});
  add_node(graph, "One", {"-"}, {"b"});
  expect_same(proto);
}

TEST(RoundTrip, KeepsValueInfosOfInnerValues) {
  onnx::ModelProto proto = relu_proto();
  onnx::GraphProto* graph = proto.mutable_graph();
  add_node(graph, "Neg", {"y"}, {"n"});
  onnx::ValueInfoProto* info = graph->add_value_info();
  info->set_name("n");
  info->set_doc_string("inner");
  info->mutable_type()->mutable_tensor_type()->set_elem_type(1);
  expect_same(proto);
  Model model = import(proto);
  model.graph->erase(find_value(*model.graph, "n")->producer());
  EXPECT_EQ(export_proto(model).graph().value_info_size(), 0);
}

TEST(RoundTrip, KeepsOverridableDefaults) {
  onnx::ModelProto proto = relu_proto(4);
  onnx::GraphProto* graph = proto.mutable_graph();
  add_weight(graph, "w")->set_doc_string("of the tensor");
  onnx::ValueInfoProto* input = graph->add_input();
  input->set_name("w");
  input->set_doc_string("of the input");
  input->mutable_type()->mutable_tensor_type()->set_elem_type(1);
  const Model model = import(proto);
  const Value* value = find_value(*model.graph, "w");
  EXPECT_TRUE(value->is_graph_input());
  EXPECT_NE(value->tensor(), nullptr);
  EXPECT_EQ(value->constant(), nullptr);
  expect_same(proto);
}

TEST(RoundTrip, ListsConstantsAsInputsBeforeIrVersionFour) {
  onnx::ModelProto proto = relu_proto(3);
  onnx::GraphProto* graph = proto.mutable_graph();
  graph->clear_input();
  for (const char* name : {"w1", "x", "w2", "x2", "w3"}) {
    onnx::ValueInfoProto* input = graph->add_input();
    input->set_name(name);
    onnx::TypeProto::Tensor* type = input->mutable_type()->mutable_tensor_type();
    type->set_elem_type(1);
    type->mutable_shape()->add_dim()->set_dim_value(2);
  }
  for (const char* name : {"w3", "w2", "w1"}) add_weight(graph, name);
  Model model = import(proto);
  ASSERT_EQ(model.graph->inputs().size(), 2u);
  EXPECT_EQ(model.graph->inputs()[0]->name(), "x");
  EXPECT_EQ(model.graph->inputs()[1]->name(), "x2");
  EXPECT_EQ(find_value(*model.graph, "w2")->legacy_input_position, 2);
  expect_same(proto);

  model.graph->erase(find_value(*model.graph, "w1"));
  model.graph->add_constant(Tensor::scalar(1.0F), "added");
  std::string order;
  const onnx::ModelProto written = export_proto(model);
  for (const onnx::ValueInfoProto& input : written.graph().input()) order += input.name() + " ";
  EXPECT_EQ(order, "x x2 w2 w3 added ");
}

TEST(RoundTrip, KeepsSparseInitializers) {
  onnx::ModelProto proto = relu_proto();
  onnx::SparseTensorProto* sparse = proto.mutable_graph()->add_sparse_initializer();
  const std::array<float, 2> values = {7, 8};
  const std::array<std::int64_t, 4> indices = {0, 2, 1, 0};
  sparse->mutable_values()->set_name("s");
  sparse->mutable_values()->set_data_type(1);
  sparse->mutable_values()->add_dims(2);
  sparse->mutable_values()->set_raw_data(values.data(), sizeof values);
  sparse->mutable_indices()->set_data_type(7);
  sparse->mutable_indices()->add_dims(2);
  sparse->mutable_indices()->add_dims(2);
  sparse->mutable_indices()->set_raw_data(indices.data(), sizeof indices);
  sparse->add_dims(2);
  sparse->add_dims(3);
  Model model = import(proto);
  Value* value = find_value(*model.graph, "s");
  EXPECT_EQ(*value->constant(), Tensor::of<float>({2, 3}, std::vector<float>{0, 0, 7, 8, 0, 0}));
  expect_same(proto);
  value->set_constant(Tensor::scalar(1.0F));
  const onnx::ModelProto written = export_proto(model);
  EXPECT_EQ(written.graph().sparse_initializer_size(), 0);
  EXPECT_EQ(written.graph().initializer_size(), 1);
}

TEST(RoundTrip, OrdersNodesAndKeepsFreeOnesInPlace) {
  onnx::ModelProto proto = relu_proto();
  onnx::GraphProto* graph = proto.mutable_graph();
  graph->clear_node();
  add_node(graph, "Neg", {"b"}, {"y"});
  add_node(graph, "Abs", {"x"}, {"a"});
  add_node(graph, "Exp", {"a"}, {"b"});
  add_node(graph, "Log", {"x"}, {"c"});
  std::string order;
  const Model model = import(proto);
  for (const Node* node : model.graph->nodes()) order += node->op_type() + " ";
  EXPECT_EQ(order, "Abs Exp Neg Log ");
}

TEST(RoundTrip, OrdersNodesByWhatTheirSubgraphsCapture) {
  onnx::ModelProto proto = relu_proto();
  onnx::GraphProto* graph = proto.mutable_graph();
  graph->clear_node();
  onnx::AttributeProto* attribute = add_node(graph, "If", {"x"}, {"y"})->add_attribute();
  attribute->set_name("then_branch");
  attribute->set_type(onnx::AttributeProto::GRAPH);
  add_node(attribute->mutable_g(), "Neg", {"late"}, {"inner"});
  attribute->mutable_g()->add_output()->set_name("inner");
  add_node(graph, "Abs", {"x"}, {"late"});
  const Model model = import(proto);
  EXPECT_EQ((*model.graph->nodes().begin())->op_type(), "Abs");
}

TEST(RoundTrip, ReadsAiOnnxAsTheOnnxDomain) {
  onnx::ModelProto proto = relu_proto();
  proto.mutable_opset_import(0)->set_domain("ai.onnx");
  proto.mutable_graph()->mutable_node(0)->set_domain("ai.onnx");
  const Model model = import(proto);
  EXPECT_EQ(model.graph->opset(), 17);
  EXPECT_TRUE((*model.graph->nodes().begin())->is("Relu"));
}

TEST(RoundTrip, JoinsMessagesThatComeInParts) {
  const onnx::ModelProto proto = relu_proto();
  onnx::ModelProto first = proto, second;
  first.mutable_graph()->clear_node();
  *second.mutable_graph()->add_node() = proto.graph().node(0);
  const Result<Model> model = model_from_bytes(first.SerializeAsString() + second.SerializeAsString());
  ASSERT_TRUE(model.ok()) << model.error().message();
  EXPECT_EQ(fingerprint(*model->graph), fingerprint(*import(proto).graph));
}

// -- names on export
// -----------------------------------------------------------------------------------------------

TEST(ExportNames, GivesAnOutputTheNameOfItsSlot) {
  Model model = import(relu_proto());
  model.graph->outputs()[0].value->set_name("inner");
  const onnx::ModelProto written = export_proto(model);
  EXPECT_EQ(written.graph().node_size(), 1);
  EXPECT_EQ(written.graph().node(0).output(0), "y");
}

TEST(ExportNames, PutsAnIdentityBetweenAnInputAndAnOutputOfAnotherName) {
  Model model = import(relu_proto());
  Node* relu = *model.graph->nodes().begin();
  model.graph->replace_all_uses(relu->output(), model.graph->inputs()[0]);
  model.graph->erase(relu);
  const onnx::ModelProto written = export_proto(model);
  ASSERT_EQ(written.graph().node_size(), 1);
  EXPECT_EQ(written.graph().node(0).op_type(), "Identity");
  EXPECT_EQ(written.graph().node(0).input(0), "x");
  EXPECT_EQ(written.graph().node(0).output(0), "y");
  EXPECT_EQ(model.graph->node_count(), 0u) << "writing must not change the model";
}

TEST(ExportNames, PutsAnIdentityBetweenAValueAndItsSecondOutput) {
  onnx::ModelProto proto = relu_proto();
  Model model = import(proto);
  model.graph->add_output("z", model.graph->outputs()[0].value, {});
  const onnx::ModelProto written = export_proto(model);
  ASSERT_EQ(written.graph().node_size(), 2);
  EXPECT_EQ(written.graph().node(1).input(0), "y");
  EXPECT_EQ(written.graph().node(1).output(0), "z");
}

TEST(ExportNames, KeepsAnInputThatIsAnOutputOfTheSameName) {
  onnx::ModelProto proto = relu_proto();
  *proto.mutable_graph()->add_output() = proto.graph().input(0);
  EXPECT_EQ(export_proto(import(proto)).graph().node_size(), 1);
  expect_same(proto);
}

TEST(ExportNames, RenamesDuplicatesButNeverTheInterface) {
  Model model = import(relu_proto());
  Graph& graph = *model.graph;
  Node* relu = *graph.nodes().begin();
  Node* first = graph.add_node({.op_type = "Neg", .inputs = {graph.inputs()[0]}}, relu);
  Node* second = graph.add_node({.op_type = "Abs", .inputs = {first->output()}}, relu);
  first->output()->set_name("x");
  second->output()->set_name("y");
  graph.set_input(relu, 0, second->output());
  const onnx::GraphProto written = export_proto(model).graph();
  EXPECT_EQ(written.input(0).name(), "x");
  EXPECT_EQ(written.node(0).output(0), "x_1");
  EXPECT_EQ(written.node(1).output(0), "y_1");
  EXPECT_EQ(written.node(2).output(0), "y");
}

TEST(ExportNames, IsDeterministic) {
  const Model model = model_of(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N] x) => (float[N] y) <float[1] w = {1}> { t = Add(x, w) y = Relu(t) })");
  const Result<std::string> bytes = model_to_bytes(model);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(*bytes, *model_to_bytes(clone(model)));
  EXPECT_EQ(serialized_size(model), static_cast<std::int64_t>(bytes->size()));
  EXPECT_EQ(*bytes, *model_to_bytes(*model_from_bytes(*bytes)));
}

}  // namespace
}  // namespace press::test
