#include <gtest/gtest.h>

#include <cmath>

#include "press/passes/recover.h"
#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kThreeLayers = R"(
  <ir_version: 8, opset_import: ["" : 13]>
  g (float[N,2] x) => (float[N,2] y)
  <float[2,2] a = {1.0, 0.5, -0.25, 2.0}, float[2,3] b = {0.0, 3.0, -1.0, 6.0, 1.5, 2.0},
   float[3,2] c = {1.0, -1.0, 0.5, 0.25, 0.125, 1.0}>
  {
    one = Gemm <transB = 1> (x, a)
    two = MatMul (one, b)
    y = Gemm (two, c)
  })";

const Tensor& weight_of(const Node& node) {
  return *node.input(1)->producer()->input(0)->constant();
}

std::vector<const Node*> layers_of(const Model& model) {
  std::vector<const Node*> layers;
  for (const Node* node : model.graph->nodes()) {
    if (node->is("Gemm") || node->is("MatMul")) layers.push_back(node);
  }
  return layers;
}

PassRunOptions with_bits(int bits, double tolerance) {
  PassRunOptions options{.tolerance = tolerance};
  options.context.quantize.weight_bits = bits;
  return options;
}

TEST(QuantizeWeights, StoresEightBitsWithAScaleAChannel) {
  const PassRun run = run_pass("quantize_weights", kThreeLayers, with_bits(8, 1e-2));
  EXPECT_EQ(operators(run.after), "DequantizeLinear Gemm DequantizeLinear MatMul DequantizeLinear Gemm");
  const std::vector<const Node*> layers = layers_of(run.after);
  EXPECT_EQ(weight_of(*layers[0]).type(), DataType::kInt8);
  EXPECT_EQ(layers[0]->input(1)->name(), "a");
  EXPECT_EQ(layers[0]->input(1)->producer()->int_attribute("axis", 1), 0);
  EXPECT_EQ(layers[1]->input(1)->producer()->input(1)->constant()->dims(), Dims{3});
  EXPECT_EQ(run.after.graph->opset(), 13);
}

TEST(QuantizeWeights, FourBitsRaiseTheOpsetAndSpareTheEnds) {
  const PassRun run = run_pass("quantize_weights", kThreeLayers, with_bits(4, 0.2));
  const std::vector<const Node*> layers = layers_of(run.after);
  EXPECT_EQ(weight_of(*layers[0]).type(), DataType::kInt8);
  EXPECT_EQ(weight_of(*layers[1]).type(), DataType::kUint4);
  EXPECT_EQ(weight_of(*layers[2]).type(), DataType::kInt8);
  EXPECT_EQ(run.after.graph->opset(), 21);
  EXPECT_EQ(run.after.ir_version, 10);
}

TEST(QuantizeWeights, TwoBitsTakeAQuarterOfAByte) {
  const PassRun run = run_pass("quantize_weights", kThreeLayers, with_bits(2, 0.6));
  const Tensor& weight = weight_of(*layers_of(run.after)[1]);
  EXPECT_EQ(weight.type(), DataType::kUint2);
  EXPECT_EQ(weight.bytes().size(), 2U);
  EXPECT_EQ(run.after.graph->opset(), 25);
}

TEST(QuantizeWeights, TakesTheIntegersThatRecoveryChose) {
  WeightGrids grids;
  grids["a"] = {.limits = {}, .scales = {0.5F, 0.25F}, .zero_points = {0, 0}};
  PassRunOptions options = with_bits(8, 1);
  options.context.grids = &grids;
  const PassRun run = run_pass("quantize_weights", kThreeLayers, options);
  const std::span<const std::int8_t> found = weight_of(*layers_of(run.after)[0]).data<std::int8_t>();
  EXPECT_EQ(std::vector<std::int8_t>(found.begin(), found.end()), (std::vector<std::int8_t>{2, 1, -1, 8}));
}

/// MatMul of 40 inputs, whose last block is short, between two small layers.
Model model_with_wide_layer(std::string_view layer) {
  Model model = parse(R"(
    <ir_version: 8, opset_import: ["" : 13]>
    g (float[N,4] x) => (float[N,2] y) <float[1] a = {0}, float[1] b = {0}, float[3] bias = {1, 2, 3}, float[1] c = {0}>
    {
      one = MatMul (x, a)
      )" + std::string(layer) +
                      R"(
      y = MatMul (two, c)
    })");
  for (Value* value : model.graph->constants()) {
    const bool turned = layer.find("transB") != std::string_view::npos;
    if (value->name() == "a") value->set_constant(seeded_tensor(DataType::kFloat, {4, 40}, 3));
    if (value->name() == "b")
      value->set_constant(seeded_tensor(DataType::kFloat, turned ? Dims{3, 40} : Dims{40, 3}, 4));
    if (value->name() == "c") value->set_constant(seeded_tensor(DataType::kFloat, {3, 2}, 5));
  }
  return model;
}

TEST(QuantizeWeights, GivesEachBlockOfInputsAScale) {
  PassRunOptions options = with_bits(4, 0.2);
  options.context.quantize.block_size = 16;
  const PassRun run = run_pass("quantize_weights", model_with_wide_layer("two = MatMul (one, b)"), options);
  const Node& dequantize = *layers_of(run.after)[1]->input(1)->producer();
  EXPECT_EQ(dequantize.int_attribute("block_size", 0), 16);
  EXPECT_EQ(dequantize.int_attribute("axis", 1), 0);
  EXPECT_EQ(dequantize.input(0)->constant()->type(), DataType::kUint4);
  EXPECT_EQ(dequantize.input(1)->constant()->dims(), (Dims{3, 3}));
  EXPECT_EQ(layers_of(run.after)[0]->input(1)->producer()->int_attribute("block_size", 0), 0);
}

TEST(QuantizeWeights, GivesBlocksOfATransposedGemmTheirScales) {
  PassRunOptions options = with_bits(8, 0.02);
  options.context.quantize.block_size = 32;
  const PassRun run =
      run_pass("quantize_weights", model_with_wide_layer("two = Gemm <transB = 1> (one, b, bias)"), options);
  const Node& dequantize = *layers_of(run.after)[1]->input(1)->producer();
  EXPECT_EQ(dequantize.int_attribute("axis", 1), 1);
  EXPECT_EQ(dequantize.input(0)->constant()->type(), DataType::kInt8);
  EXPECT_EQ(dequantize.input(1)->constant()->dims(), (Dims{3, 2}));
  EXPECT_EQ(run.after.graph->opset(), 21);
}

TEST(QuantizeWeights, WritesBlocksAsMatMulNBits) {
  for (const int bits : {8, 4, 2}) {
    PassRunOptions options = with_bits(bits, bits == 8 ? 0.02 : bits == 4 ? 0.2 : 0.8);
    options.context.quantize.block_size = 16;
    options.context.quantize.contributed_operators = true;
    const PassRun run = run_pass("quantize_weights",
                                 model_with_wide_layer("two = Gemm <transB = 1> (one, b, bias)"), options);
    std::size_t found = 0;
    for (const Node* node : run.after.graph->nodes()) {
      if (!node->is("MatMulNBits", "com.microsoft") || node->int_attribute("K", 0) != 40) continue;
      EXPECT_EQ(node->int_attribute("bits", 0), bits);
      EXPECT_EQ(node->input(1)->constant()->dims(), (Dims{3, 3, 16 * bits / 8}));
      ++found;
    }
    EXPECT_EQ(found, 1U);
  }
}

TEST(QuantizeWeights, KeepsEightBitsWhereTold) {
  PassRunOptions options = with_bits(4, 0.05);
  options.context.quantize.wide = {"two"};
  const PassRun run = run_pass("quantize_weights", kThreeLayers, options);
  EXPECT_EQ(weight_of(*layers_of(run.after)[1]).type(), DataType::kInt8);
}

TEST(QuantizeWeights, LeavesWhatIsSharedOrNotSelected) {
  expect_declines("quantize_weights", R"(
    <ir_version: 8, opset_import: ["" : 13]>
    g (float[N,2] x) => (float[N,2] y) <float[2,2] a = {1.0, 0.5, -0.25, 2.0}>
    { one = MatMul (x, a)
      other = Transpose (a)
      y = Mul (one, other) })",
                  "shared", {.executable = false});
  PassRunOptions options;
  options.context.quantize.nodes.exclude = {"y"};
  expect_declines("quantize_weights", R"(
    <ir_version: 8, opset_import: ["" : 13]>
    g (float[N,2] x) => (float[N,2] y) <float[2,2] a = {1.0, 0.5, -0.25, 2.0}> { y = MatMul (x, a) })",
                  "not selected", options);
}

TEST(QuantizeWeights, NaNIsAnErrorThatNamesTheWeight) {
  Model model = parse(kThreeLayers);
  for (Value* constant : model.graph->constants()) {
    if (constant->name() != "b") continue;
    constant->set_constant(Tensor::of(constant->constant()->dims(), std::vector<float>(6, std::nanf(""))));
  }
  const auto outcome = find_pass("quantize_weights")->run(model, {});
  ASSERT_FALSE(outcome.ok());
  EXPECT_NE(outcome.error().message().find("'b'"), std::string::npos) << outcome.error().message();
}

TEST(QuantizeWeights, ReduceAxesBecomeAnInputOnTheWayToFourBits) {
  const PassRun run = run_pass("quantize_weights", R"(
    <ir_version: 8, opset_import: ["" : 13]>
    g (float[N,3,2] x) => (float[N,2] y)
    <float[2,2] a = {1.0, 0.5, -0.25, 2.0}, float[2,2] b = {1.0, 0.5, -0.25, 2.0},
     float[2,2] c = {1.0, 0.5, -0.25, 2.0}>
    { one = MatMul (x, a)
      mean = ReduceMean <axes = [1], keepdims = 0> (one)
      two = MatMul (mean, b)
      y = MatMul (two, c) })",
                               with_bits(4, 0.2));
  EXPECT_EQ(run.after.graph->opset(), 21);
}

}  // namespace
}  // namespace press::test
