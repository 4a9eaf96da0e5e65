#include "press/ir/graph.h"

#include <gtest/gtest.h>

#include "press/onnx/text.h"

namespace press {
namespace {

Model parse(const char* body, const char* signature = "g (float[N] x) => (float[N] y)") {
  Result<Model> model = parse_model_text(std::string("<ir_version: 8, opset_import: [\"\" : 17]> ") +
                                         signature + " {" + body + "}");
  EXPECT_TRUE(model.ok()) << (model.ok() ? "" : model.error().message());
  return model.ok() ? std::move(model).value() : Model{};
}

Node* node(const Model& model, std::string_view op_type) {
  for (Node* node : model.graph->nodes()) {
    if (node->op_type() == op_type) return node;
  }
  ADD_FAILURE() << "no node " << op_type;
  return nullptr;
}

void expect_sound(const Model& model) {
  const Status status = verify(*model.graph);
  EXPECT_TRUE(status.ok()) << (status.ok() ? "" : status.error().message());
}

TEST(Graph, ReplaceAllUsesReachesNodesSubgraphsAndOutputs) {
  const Model model = parse(R"(a = Abs(x) b = Neg(x)
    y = If(a) <then_branch = t () => (float[N] o) { o = Mul(a, a) }>)",
                            "g (float[N] x) => (float[N] y, float[N] a)");
  Value* a = node(model, "Abs")->output();
  Value* b = node(model, "Neg")->output();
  EXPECT_EQ(a->uses().size(), 4u);
  model.graph->replace_all_uses(a, b);
  EXPECT_TRUE(a->uses().empty());
  EXPECT_EQ(b->uses().size(), 4u);
  EXPECT_EQ(model.graph->outputs()[1].value, b);
  EXPECT_EQ(model.graph->outputs()[1].name, "a") << "the interface keeps its name";
  model.graph->erase(node(model, "Abs"));
  expect_sound(model);
}

TEST(Graph, EraseDropsUsesOfInputsAndOfWhatSubgraphsCapture) {
  const Model model =
      parse(R"(c = Abs(x) d = If(x) <then_branch = t () => (float[N] o) { o = Neg(c) }> y = Relu(x))");
  Value* captured = node(model, "Abs")->output();
  EXPECT_TRUE(captured->has_one_use());
  model.graph->erase(node(model, "If"));
  EXPECT_TRUE(captured->uses().empty());
  expect_sound(model);
}

TEST(Graph, SetInputGrowsAndOmits) {
  const Model model = parse("y = Clip(x)");
  Node* clip = node(model, "Clip");
  Value* high = model.graph->add_constant(Tensor::scalar(6.0F), "high");
  model.graph->set_input(clip, 2, high);
  EXPECT_EQ(clip->input_count(), 3u);
  EXPECT_EQ(clip->input(1), nullptr);
  expect_sound(model);
  model.graph->set_input(clip, 2, nullptr);
  EXPECT_TRUE(high->uses().empty());
  model.graph->truncate_inputs(clip, 1);
  EXPECT_EQ(clip->input_count(), 1u);
  model.graph->erase(high);
  expect_sound(model);
}

TEST(Graph, UsesStayCurrentWhenOneOfManyGoes) {
  const Model model = parse("a = Abs(x) b = Neg(x) c = Exp(x) y = Relu(x)");
  model.graph->erase(node(model, "Abs"));
  model.graph->erase(node(model, "Exp"));
  expect_sound(model);
  EXPECT_EQ(model.graph->inputs()[0]->uses().size(), 2u);
}

TEST(Graph, NodesGoWhereTheyAreToldTo) {
  const Model model = parse("y = Relu(x)");
  Node* relu = node(model, "Relu");
  Node* abs = model.graph->add_node({.op_type = "Abs", .inputs = {model.graph->inputs()[0]}}, relu);
  model.graph->set_input(relu, 0, abs->output());
  EXPECT_EQ(abs->next(), relu);
  EXPECT_EQ(relu->previous(), abs);
  EXPECT_EQ(relu->next(), nullptr);
  expect_sound(model);
  Node* neg = model.graph->add_node({.op_type = "Neg", .inputs = {model.graph->inputs()[0]}});
  model.graph->move_before(neg, abs);
  EXPECT_EQ(*model.graph->nodes().begin(), neg);
  expect_sound(model);
}

TEST(Graph, OmittedOutputsHaveNoValue) {
  const Model model = parse("y = Relu(x)");
  Node* many = model.graph->add_node({.op_type = "Many",
                                      .inputs = {nullptr, model.graph->inputs()[0], nullptr},
                                      .outputs = {std::string(kOmittedOutput), "-", ""}});
  EXPECT_EQ(many->input_count(), 3u);
  EXPECT_EQ(many->output(0), nullptr);
  EXPECT_EQ(many->output(1)->name(), "-");
  EXPECT_NE(many->output(2)->name(), "");
  expect_sound(model);
}

TEST(Graph, SetOutputMovesTheUse) {
  const Model model = parse("y = Relu(x)");
  Value* x = model.graph->inputs()[0];
  Value* y = model.graph->outputs()[0].value;
  model.graph->set_output(0, x);
  EXPECT_TRUE(y->uses().empty());
  EXPECT_TRUE(model.graph->is_output(x));
  model.graph->set_output(0, x);
  EXPECT_EQ(x->uses().size(), 2u) << "the Relu and the output, once each";
  expect_sound(model);
}

TEST(Graph, KnowsHowManyConstantsAndWhetherSubgraphsThereAre) {
  const Model model = parse(R"(d = If(x) <then_branch = t () => (float[N] o) { o = Neg(x) }> y = Relu(x))");
  Graph& graph = *model.graph;
  EXPECT_TRUE(graph.has_subgraphs());
  Node* condition = node(model, "If");
  const AttributeValue branch = condition->attribute("then_branch")->value;
  condition->remove_attribute("then_branch");
  EXPECT_FALSE(graph.has_subgraphs());
  condition->set_attribute("then_branch", branch);
  EXPECT_TRUE(condition->has_subgraphs());
  EXPECT_TRUE(graph.has_subgraphs());
  graph.erase(condition);
  EXPECT_FALSE(graph.has_subgraphs());

  Value* constant = graph.add_constant(Tensor::scalar(1.0F));
  EXPECT_EQ(graph.constant_count(), 1u);
  graph.erase(constant);
  EXPECT_EQ(graph.constant_count(), 0u);
}

TEST(Graph, FreshNamesAreNew) {
  Graph graph;
  EXPECT_EQ(graph.fresh_name("a"), "a");
  EXPECT_EQ(graph.fresh_name("a"), "a_1");
  graph.add_constant(Tensor::scalar(1.0F), "a_2");
  EXPECT_EQ(graph.fresh_name("a"), "a_3");
}

TEST(Graph, SetConstantChangesTypeAndForgetsTheSparseForm) {
  Graph graph;
  Value* constant = graph.add_constant(Tensor::scalar(1.0F), "c");
  constant->sparse = "encoded";
  constant->set_constant(Tensor::of<std::int64_t>({2}, std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(to_string(constant->type()), "int64[2]");
  EXPECT_TRUE(constant->sparse.empty());
}

TEST(Graph, AttributesAnswerWithAFallbackForOtherKinds) {
  const Model model = parse("y = Foo <i = 3, f = 0.5, s = \"text\", ints = [1, 2]> (x)");
  Node* foo = node(model, "Foo");
  EXPECT_EQ(foo->int_attribute("i", 0), 3);
  EXPECT_EQ(foo->int_attribute("f", 7), 7);
  EXPECT_EQ(foo->float_attribute("f", 0), 0.5F);
  EXPECT_EQ(foo->string_attribute("s", ""), "text");
  EXPECT_EQ(foo->ints_attribute("ints"), (std::vector<std::int64_t>{1, 2}));
  foo->set_attribute("i", std::int64_t{4});
  foo->remove_attribute("f");
  EXPECT_EQ(foo->int_attribute("i", 0), 4);
  EXPECT_FALSE(foo->has_attribute("f"));
}

TEST(Clone, IsDeepButSharesWeights) {
  const Model model =
      parse(R"(a = Add(x, w) y = If(a) <then_branch = t () => (float[N] o) { o = Mul(a, w) }>)",
            "g (float[N] x) => (float[N] y) <float[2] w = {1, 2}>");
  const Model copy = clone(model);
  expect_sound(copy);
  EXPECT_EQ(to_text(*copy.graph), to_text(*model.graph));
  EXPECT_EQ(fingerprint(*copy.graph), fingerprint(*model.graph));
  EXPECT_EQ(copy.graph->constants()[0]->constant()->bytes().data(),
            model.graph->constants()[0]->constant()->bytes().data());
  copy.graph->replace_all_uses(node(copy, "If")->output(), copy.graph->inputs()[0]);
  copy.graph->erase(node(copy, "If"));
  EXPECT_EQ(model.graph->node_count(), 2u);
  expect_sound(model);
}

TEST(Fingerprint, SeesMeaningAndIgnoresNamesOfInnerValues) {
  const std::uint64_t original = fingerprint(*parse("a = Abs(x) y = Relu(a)").graph);
  EXPECT_EQ(original, fingerprint(*parse("other = Abs(x) y = Relu(other)").graph));
  EXPECT_NE(original, fingerprint(*parse("a = Neg(x) y = Relu(a)").graph));
  EXPECT_NE(original, fingerprint(*parse("a = Abs(x) y = Relu(x)").graph));
  EXPECT_NE(original, fingerprint(*parse("a = Abs <i = 1> (x) y = Relu(a)").graph));
  EXPECT_NE(fingerprint(*parse("y = Abs <i = 1> (x)").graph),
            fingerprint(*parse("y = Abs <i = 2> (x)").graph));
}

TEST(Graph, CountsItsEdits) {
  const Model model = parse("a = Abs(x) y = Relu(a)");
  Graph& graph = *model.graph;
  std::uint64_t revision = graph.revision();
  const auto expect_edit = [&](const char* what) {
    EXPECT_GT(graph.revision(), revision) << what;
    revision = graph.revision();
  };
  Node* relu = node(model, "Relu");
  relu->set_attribute("i", std::int64_t{1});
  expect_edit("set_attribute");
  relu->remove_attribute("none");
  EXPECT_EQ(graph.revision(), revision);
  relu->remove_attribute("i");
  expect_edit("remove_attribute");
  graph.set_input(relu, 0, graph.inputs()[0]);
  expect_edit("set_input");
  Graph inner(&graph);
  inner.add_constant(Tensor::scalar(1.0F));
  expect_edit("an edit of a subgraph");
  graph.erase(node(model, "Abs"));
  expect_edit("erase");
  EXPECT_EQ(model.graph->nodes_snapshot().size(), 1U);
  EXPECT_EQ(graph.revision(), revision);
}

TEST(Graph, NumbersTheValuesOfAModel) {
  const Model model = parse("a = Abs(x) y = Relu(a)");
  std::vector<bool> seen(model.graph->value_bound());
  for (const Value* value : model.graph->values()) {
    ASSERT_LT(value->number(), seen.size());
    EXPECT_FALSE(seen[value->number()]);
    seen[value->number()] = true;
  }
  Graph inner(model.graph.get());
  EXPECT_EQ(inner.add_constant(Tensor::scalar(1.0F))->number(), seen.size());
  EXPECT_EQ(model.graph->value_bound(), seen.size() + 1);
}

TEST(Verify, FindsAUseBeforeItsDefinition) {
  const Model model = parse("a = Abs(x) y = Relu(a)");
  EXPECT_TRUE(verify(*model.graph).ok());
  model.graph->move_before(node(model, "Relu"), node(model, "Abs"));
  const Status status = verify(*model.graph);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kInternal);
  EXPECT_NE(status.error().message().find("before it is made"), std::string::npos);
}

}  // namespace
}  // namespace press
