#include "press/ops/operator.h"

#include <gtest/gtest.h>

#include "press/onnx/text.h"

namespace press {
namespace {

Model parsed(const char* text) {
  Result<Model> model = parse_model_text(text);
  EXPECT_TRUE(model.ok()) << (model.ok() ? "" : model.error().message());
  return model.ok() ? std::move(*model) : Model{};
}

const Node& first_node(const Model& model) {
  return **model.graph->nodes().begin();
}

/// Multiply-accumulates of the first node.
std::optional<std::int64_t> counted(const Model& model) {
  const Result<ShapeTable> table = infer_shapes(*model.graph);
  EXPECT_TRUE(table.ok()) << (table.ok() ? "" : table.error().message());
  const Node& node = first_node(model);
  return multiply_accumulates(node, &table->at(node.input(0)), &table->at(node.output()));
}

TEST(Operators, AreFoundByDomainAndType) {
  ASSERT_NE(find_operator("", "Conv"), nullptr);
  EXPECT_EQ(find_operator("", "Conv")->traits.weight_input, 1);
  EXPECT_NE(find_operator("com.microsoft", "FusedConv"), nullptr);
  EXPECT_EQ(find_operator("", "FusedConv"), nullptr);
  EXPECT_EQ(find_operator("custom", "Conv"), nullptr);
}

TEST(Operators, UnknownOnesPromiseNothing) {
  const Model model = parsed(R"(<ir_version: 8, opset_import: ["" : 17, "custom" : 1]>
    g (float[N] x) => (float[N] y) { y = custom.Thing(x) })");
  EXPECT_FALSE(traits(first_node(model)).pure);
  EXPECT_FALSE(traits(first_node(model)).quantizable);
}

TEST(Operators, RandomOnesAreNotPure) {
  EXPECT_FALSE(find_operator("", "RandomNormal")->traits.pure);
  EXPECT_TRUE(find_operator("", "Relu")->traits.pure);
  EXPECT_EQ(find_operator("", "Relu")->traits.passage, Passage::kClamp);
  EXPECT_EQ(find_operator("", "MaxPool")->traits.passage, Passage::kSame);
}

TEST(Operators, ChannelAxisOfWeights) {
  const auto axis = [](const char* text) { return weight_channel_axis(first_node(parsed(text))); };
  EXPECT_EQ(axis(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,3,8,8] x, float[4,3,3,3] w) => (y) { y = Conv(x, w) })"),
            0);
  EXPECT_EQ(axis(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,3,8,8] x, float[3,4,3,3] w) => (y) { y = ConvTranspose(x, w) })"),
            1);
  EXPECT_EQ(axis(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,3] x, float[4,3] w) => (y) { y = Gemm<transB = 1>(x, w) })"),
            0);
  EXPECT_EQ(axis(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,3] x, float[3,4] w) => (y) { y = Gemm(x, w) })"),
            1);
  EXPECT_EQ(axis(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,3] x, float[7,3,4] w) => (y) { y = MatMul(x, w) })"),
            2);
  EXPECT_EQ(axis(R"(<ir_version: 8, opset_import: ["" : 17]> g (float[N,3] x) => (y) { y = Relu(x) })"),
            std::nullopt);
}

TEST(Operators, CountMultiplyAccumulates) {
  // 1 x 4 x 6 x 6 outputs, (4 / 2) x 3 x 3 products each.
  EXPECT_EQ(counted(parsed(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[1,4,8,8] x, float[4,2,3,3] w) => (y) { y = Conv<group = 2>(x, w) })")),
            144 * 18);
  // 1 x 3 x 8 x 8 inputs, 4 x 2 x 2 products each.
  EXPECT_EQ(counted(parsed(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[1,3,8,8] x, float[3,4,2,2] w) => (y) { y = ConvTranspose<strides = [2,2]>(x, w) })")),
            192 * 16);
  EXPECT_EQ(counted(parsed(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[10,2] x, float[10,5] w) => (y) { y = Gemm<transA = 1>(x, w) })")),
            2 * 5 * 10);
  EXPECT_EQ(counted(parsed(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[3,2,10] x, float[10,5] w) => (y) { y = MatMul(x, w) })")),
            3 * 2 * 5 * 10);
  EXPECT_EQ(
      counted(parsed(R"(<ir_version: 8, opset_import: ["" : 17]> g (float[2,3] x) => (y) { y = Relu(x) })")),
      0);
  EXPECT_EQ(counted(parsed(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,10] x, float[10,5] w) => (y) { y = MatMul(x, w) })")),
            std::nullopt);
}

}  // namespace
}  // namespace press
