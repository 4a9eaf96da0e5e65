#include <gtest/gtest.h>

#include "press/ir/graph.h"
#include "press/onnx/text.h"

namespace press {
namespace {

/// y = (scaled x) + x, by a function that calls another one and reads an attribute of the call.
constexpr const char* kModel = R"(
<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
g (float[3] x) => (float[3] y) {
  scaled = local.Scale<factor = 2.0>(x)
  y = local.AddTo(scaled, x)
}
<domain: "local", opset_import: ["" : 17]>
Scale <factor> (a) => (b) {
  f = Constant<value_float: float = @factor>()
  b = Mul(a, f)
}
<domain: "local", opset_import: ["" : 17, "local" : 1]>
AddTo (a, b) => (c) {
  d = local.Scale<factor = 3.0>(b)
  c = Add(a, d)
}
)";

Model parsed(const char* text) {
  Result<Model> model = parse_model_text(text);
  EXPECT_TRUE(model.ok()) << (model.ok() ? "" : model.error().message());
  return std::move(model).value();
}

TEST(InlineCall, PutsTheBodyInPlaceOfTheCall) {
  Model model = parsed(kModel);
  Graph& graph = *model.graph;
  ASSERT_EQ(graph.functions().size(), 2U);
  for (Node* node : graph.nodes_snapshot()) ASSERT_TRUE(inline_call(node).ok());
  ASSERT_EQ(graph.node_count(), 4U);  // Constant, Mul, the inner call, Add
  EXPECT_EQ(graph.outputs()[0].value->producer()->op_type(), "Add");
  EXPECT_EQ(graph.outputs()[0].value->name(), "y");
  EXPECT_EQ((*graph.nodes().begin())->float_attribute("value_float", 0), 2.0F);
  EXPECT_TRUE(verify(graph).ok());

  EXPECT_EQ(graph.erase_unused_functions(), 1U);  // AddTo; Scale is called still
  for (Node* node : graph.nodes_snapshot()) {
    if (graph.called_function(*node) == nullptr) continue;
    ASSERT_TRUE(inline_call(node).ok());
  }
  EXPECT_EQ(graph.erase_unused_functions(), 1U);
  EXPECT_EQ(graph.node_count(), 5U);
  EXPECT_TRUE(verify(graph).ok());
}

TEST(InlineCall, DeclinesWhatIsWrittenForAnotherOpset) {
  Model model = parsed(kModel);
  model.graph->set_opset("", 13);
  const Status status = inline_call(*model.graph->nodes().begin());
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kUnsupported);
}

TEST(InlineCall, RefusesTooManyInputs) {
  Model model = parsed(kModel);
  Node* call = *model.graph->nodes().begin();
  model.graph->set_input(call, 1, model.graph->inputs()[0]);
  EXPECT_FALSE(inline_call(call).ok());
  EXPECT_EQ(model.graph->node_count(), 2U);
}

TEST(Clone, KeepsFunctions) {
  const Model model = parsed(kModel);
  const Model copy = clone(model);
  EXPECT_EQ(copy.graph->functions().size(), 2U);
  EXPECT_EQ(fingerprint(*copy.graph), fingerprint(*model.graph));
}

}  // namespace
}  // namespace press
