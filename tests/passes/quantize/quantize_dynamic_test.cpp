#include <gtest/gtest.h>

#include "press/passes/recover.h"
#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kPass = "quantize_dynamic";

constexpr std::string_view kProducts = R"(
  <ir_version: 7, opset_import: ["": 13]>
  g (float[N,2] x) => (float[N,2] y, float[N,3] other)
  <float[2,2] a = {1.27, -0.5, 0.25, -2.54}, float[2,3] b = {127, 2, 0.5, -64, 254, 63.5},
   float[2] bias = {1, -2}>
  {
    one = Gemm <transB = 1> (x, a, bias)
    other = MatMul (x, b)
    y = Relu (one)
  })";

TEST(QuantizeDynamic, MakesIntegerProductsThatShareTheirInput) {
  const PassRun run = run_pass(kPass, kProducts, {.tolerance = 0.02});
  EXPECT_EQ(run.outcome.rewrites, 2U);
  expect_model(run.after, R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,2] x) => (float[N,2] y, float[N,3] other)
    <int8[2,2] a = {127, 12, -50, -127}, float[2] sa = {0.01, 0.02}, float[2] bias = {1, -2},
     int8[2,3] b = {127, 1, 1, -64, 127, 127}, float[3] sb = {1, 2, 0.5}>
    {
      xq, s, z = DynamicQuantizeLinear (x)
      i1 = MatMulInteger (xq, a, z)
      f1 = Cast <to = 1> (i1)
      s1 = Mul (s, sa)
      p1 = Mul (f1, s1)
      one = Add (p1, bias)
      i2 = MatMulInteger (xq, b, z)
      f2 = Cast <to = 1> (i2)
      s2 = Mul (s, sb)
      other = Mul (f2, s2)
      y = Relu (one)
    })");
}

constexpr std::string_view kConvolutions = R"(
  <ir_version: 7, opset_import: ["": 13]>
  g (float[1,2,4,4] x) => (float[1,2,4,4] y)
  <float[2,2,1,1] w = {1.27, -0.5, 0.25, -2.54}, float[2] b = {3, -2}, float[2,1,3,3] d = {1, 0.5, -1, 0.25, 2, 0, 1, -2, 3, 1, 0, 1, -3, 2, 0.5, 1, 0.75, -1}>
  {
    c = Conv (x, w, b)
    y = Conv <group = 2, pads = [1, 1, 1, 1]> (c, d)
  })";

TEST(QuantizeDynamic, GivesConvolutionsUnsignedWeights) {
  const PassRun run = run_pass(kPass, kConvolutions, {.tolerance = 0.02});
  EXPECT_EQ(operators(run.after), "DynamicQuantizeLinear ConvInteger Cast Mul Mul Add Conv");
  ASSERT_EQ(run.outcome.declined.size(), 1U);
  EXPECT_NE(run.outcome.declined[0].reason.find("slower in groups"), std::string::npos);
  const Node* conv = nullptr;
  for (const Node* node : run.after.graph->nodes()) {
    if (node->is("ConvInteger")) conv = node;
  }
  ASSERT_NE(conv, nullptr);
  const std::span<const std::uint8_t> weights = conv->input(1)->constant()->data<std::uint8_t>();
  EXPECT_EQ(std::vector<int>(weights.begin(), weights.end()), (std::vector<int>{255, 78, 140, 1}));
  EXPECT_EQ(conv->input(3)->constant()->data<std::uint8_t>()[0], 128);
}

TEST(QuantizeDynamic, TakesGroupsThatAreAskedForByType) {
  PassRunOptions options{.tolerance = 0.03};
  options.context.quantize.nodes.operators = {"Conv"};
  const PassRun run = run_pass(kPass, kConvolutions, options);
  EXPECT_EQ(run.outcome.rewrites, 2U);
}

TEST(QuantizeDynamic, TakesOneScaleAWeightOnRequest) {
  PassRunOptions options{.tolerance = 0.03};
  options.context.quantize.per_channel = false;
  const PassRun run = run_pass(kPass, kProducts, options);
  for (const Node* node : run.after.graph->nodes()) {
    if (!node->is("Mul") || !node->input(1)->is_constant()) continue;
    EXPECT_EQ(node->input(1)->constant()->dims(), Dims{});
  }
}

TEST(QuantizeDynamic, TakesTheScalesThatRecoveryChose) {
  WeightGrids grids;
  grids["b"] = {.limits = {}, .scales = {4, 2, 1}, .zero_points = {0, 0, 0}};
  PassRunOptions options;
  options.context.grids = &grids;
  const PassRun run = run_pass(kPass, kProducts, options);
  for (const Node* node : run.after.graph->nodes()) {
    if (!node->is("MatMulInteger") || node->input(1)->constant()->dims() != Dims{2, 3}) continue;
    const std::span<const std::int8_t> found = node->input(1)->constant()->data<std::int8_t>();
    EXPECT_EQ(std::vector<int>(found.begin(), found.end()), (std::vector<int>{32, 1, 0, -16, 127, 64}));
  }
}

TEST(QuantizeDynamic, GivesProductsSevenBitsOnRequest) {
  PassRunOptions options{.tolerance = 0.05};
  options.context.quantize.narrow_weights = true;
  const PassRun run = run_pass(kPass, kProducts, options);
  for (const Node* node : run.after.graph->nodes()) {
    if (!node->is("MatMulInteger")) continue;
    for (const std::int8_t weight : node->input(1)->constant()->data<std::int8_t>()) EXPECT_LE(weight, 63);
  }
}

TEST(QuantizeDynamic, RaisesTheOpset) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 7, opset_import: ["": 9]>
    g (float[N,2] x) => (float[N,2] y) <float[2,2] a = {1, 2, 3, 4}> { y = MatMul (x, a) })",
                               {.tolerance = 0.02});
  EXPECT_EQ(run.after.graph->opset(), 13);
  EXPECT_EQ(run.outcome.notes, std::vector<std::string>{"opset raised from 9 to 13"});
}

TEST(QuantizeDynamic, LeavesWhatIsNoConstantProduct) {
  expect_declines(kPass, R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[2,2] x, float[2,2] w) => (float[2,2] y) { y = MatMul (x, w) })",
                  "its weight is not constant");
  expect_declines(kPass, R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[2,2] x) => (float[2,2] y) <float[2,2] w = {1, 2, 3, 4}> { y = Gemm <alpha = 2.0> (x, w) })",
                  "no form as an integer product");
  PassRunOptions options;
  options.context.quantize.nodes.exclude = {"^y$"};
  expect_declines(kPass, R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[2,2] x) => (float[2,2] y) <float[2,2] w = {1, 2, 3, 4}> { y = MatMul (x, w) })",
                  "not selected", options);
}

TEST(QuantizeDynamic, RejectsWeightsThatAreNoNumbers) {
  Model model = parse(kProducts);
  for (Value* value : model.graph->constants()) {
    if (value->name() == "b") value->set_constant(Tensor::of({2, 3}, std::vector<float>{1, NAN, 1, 1, 1, 1}));
  }
  const auto outcome = find_pass(kPass)->run(model, {});
  ASSERT_FALSE(outcome.ok());
  EXPECT_NE(outcome.error().message().find("weight 'b' holds nan"), std::string::npos);
}

}  // namespace
}  // namespace press::test
