#include "press/ops/linear_layer.h"

#include <gtest/gtest.h>

#include "press/onnx/text.h"

namespace press {
namespace {

/// The layer of a model of one node.
std::optional<LinearLayer> layer_of(const Model& model) {
  return linear_layer(**model.graph->nodes().begin());
}

Model one_node(std::string_view node, std::string_view weight) {
  auto parsed =
      parse_model_text(std::string("<ir_version: 8, opset_import: [\"\" : 13]> g (float[N,2,4] x) => "
                                   "(float[A,B,C] y) <") +
                       std::string(weight) + "> { y = " + std::string(node) + " }");
  EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().message());
  return parsed.ok() ? std::move(parsed).value() : Model();
}

TEST(LinearLayer, SeesMatricesEitherWayRound) {
  const Model plain = one_node("MatMul (x, w)", "float[2,3] w = {1, 2, 3, 4, 5, 6}");
  const auto layer = layer_of(plain);
  ASSERT_TRUE(layer.has_value());
  EXPECT_EQ(layer->outputs, 3);
  EXPECT_EQ(layer->inputs, 2);
  const Node& node = **plain.graph->nodes().begin();
  const std::vector<float> rows = weight_rows(node, *layer);
  EXPECT_EQ(rows, (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_TRUE(weight_from_rows(node, *layer, rows) == *node.input(1)->constant());

  const Model turned = one_node("Gemm <transB = 1> (x, w)", "float[2,3] w = {1, 2, 3, 4, 5, 6}");
  EXPECT_EQ(layer_of(turned)->outputs, 2);
  EXPECT_EQ(weight_rows(**turned.graph->nodes().begin(), *layer_of(turned)),
            (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST(LinearLayer, SeesGroups) {
  const Model model = one_node("Conv <group = 2> (x, w)", "float[4,1,2] w = {1, 2, 3, 4, 5, 6, 7, 8}");
  const auto layer = layer_of(model);
  ASSERT_TRUE(layer.has_value());
  EXPECT_EQ(layer->groups, 2);
  EXPECT_EQ(layer->outputs_per_group(), 2);
  EXPECT_EQ(layer->inputs, 2);
}

TEST(LinearLayer, DoesNotSeeWhatHasAnotherForm) {
  EXPECT_FALSE(layer_of(one_node("Relu (x)", "float[1] w = {1}")).has_value());
  EXPECT_FALSE(
      layer_of(one_node("Gemm <alpha = 2.0> (x, w)", "float[2,3] w = {1, 2, 3, 4, 5, 6}")).has_value());
  EXPECT_FALSE(layer_of(one_node("MatMul (x, w)", "double[2,1] w = {1, 2}")).has_value());
}

}  // namespace
}  // namespace press
