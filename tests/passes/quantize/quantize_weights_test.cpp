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
