#include "press/evaluate/model_facts.h"

#include <gtest/gtest.h>

#include "press/onnx/text.h"

namespace press {
namespace {

Model parsed(const char* text) {
  auto model = parse_model_text(text);
  EXPECT_TRUE(model.ok()) << model.error().message();
  return std::move(model).value();
}

TEST(ModelFacts, CountsParametersZerosAndMacs) {
  const Model model = parsed(R"(<ir_version: 8, opset_import: ["" : 17]>
      net (float[N,1,4,4] x) => (float[N,2,2,2] y)
      <float[2,1,3,3] w = {0,0,0, 0,1,0, 0,0,0,  1,1,1, 1,1,1, 1,1,1}, float[2] b = {0.5, 0}> {
        c = Conv(x, w, b)
        y = Relu(c)
      })");
  const ModelFacts facts = model_facts(*model.graph);
  EXPECT_EQ(facts.shape_note, "");
  EXPECT_EQ(facts.parameters, 20);
  EXPECT_EQ(facts.weights, 18);
  EXPECT_EQ(facts.zero_weights, 8);
  EXPECT_DOUBLE_EQ(facts.sparsity(), 8.0 / 18);
  EXPECT_EQ(facts.macs, 2 * 2 * 2 * 9);
  EXPECT_EQ(facts.operators.at("Conv"), 1);
  ASSERT_EQ(facts.layers.size(), 2U);
  EXPECT_EQ(facts.layers[0].macs, 72);
  EXPECT_EQ(facts.layers[1].macs, 0);
  EXPECT_EQ(to_string(*facts.layers[0].output.shape), "[1,2,2,2]");
  EXPECT_EQ(facts.constants.at(DataType::kFloat).bytes, 80);
}

TEST(ModelFacts, QuantizedWeightsCountAsTheParametersThatTheyAre) {
  const Model model = parsed(R"(<ir_version: 8, opset_import: ["" : 17]>
      net (float[N,2] x) => (float[N,3] y)
      <int8[2,3] w = {0, 1, 2, 0, -1, 5}, float[3] scale = {0.1, 0.2, 0.3}, int8[3] zero = {0, 0, 0}> {
        d = DequantizeLinear <axis = 1> (w, scale, zero)
        y = MatMul(x, d)
      })");
  const ModelFacts facts = model_facts(*model.graph);
  EXPECT_EQ(facts.parameters, 6);
  EXPECT_EQ(facts.weights, 6);
  EXPECT_EQ(facts.zero_weights, 2);
}

TEST(ModelFacts, WeightsOfIntegerProductsCount) {
  const Model model = parsed(R"(<ir_version: 8, opset_import: ["" : 17]>
      net (uint8[N,1,2,2] x) => (int32[N,2,2,2] y)
      <uint8[2,1,1,1] w = {128, 3}, uint8 zero = {128}, uint8 z = {7}> { y = ConvInteger(x, w, z, zero) })");
  const ModelFacts facts = model_facts(*model.graph);
  EXPECT_EQ(facts.parameters, 2);
  EXPECT_EQ(facts.weights, 2);
  EXPECT_EQ(facts.zero_weights, 1);
  EXPECT_EQ(facts.macs, 8);
}

TEST(ModelFacts, SharedWeightsCountOnce) {
  const Model model = parsed(R"(<ir_version: 8, opset_import: ["" : 17]>
      net (float[N,2] x) => (float[N,2] y) <float[2,2] w = {0, 1, 2, 3}> {
        a = MatMul(x, w)
        y = MatMul(a, w)
      })");
  const ModelFacts facts = model_facts(*model.graph);
  EXPECT_EQ(facts.parameters, 4);
  EXPECT_EQ(facts.weights, 4);
  EXPECT_EQ(facts.macs, 8);
}

TEST(ModelFacts, UnknownOperatorIsNoObstacle) {
  const Model model = parsed(R"(<ir_version: 8, opset_import: ["" : 17, "my.ops" : 1]>
      net (float[N,2] x) => (float[N,2] y) <float[2] w = {1, 2}> { y = my.ops.Mystery(x, w) })");
  const ModelFacts facts = model_facts(*model.graph);
  EXPECT_EQ(facts.operators.at("my.ops.Mystery"), 1);
  EXPECT_EQ(facts.parameters, 2);
  EXPECT_EQ(facts.macs, 0);
}

}  // namespace
}  // namespace press
