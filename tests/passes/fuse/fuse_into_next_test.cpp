#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr const char* kPass = "fuse_into_next";

std::string conv(std::string_view attributes, std::string_view before) {
  return R"(<ir_version: 8, opset_import: ["" : 13]> g (float[1,4,4,4] x) => (float[1,2,M,N] y)
      <float[2,2,3,3] w = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8,
                           0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8},
       float[2] b = {0.5, -0.5}, float[4] scale = {1.0, 2.0, 3.0, 4.0}, float[4] bias = {0.1, 0.2, 0.3, 0.4},
       float[4] mean = {0.5, 0.6, 0.7, 0.8}, float[4] variance = {1.0, 2.0, 3.0, 4.0},
       float[4,1,1] s = {1.0, 2.0, 3.0, 4.0}, float two = {2.0}, float zero = {0.0}> {
      )" +
         std::string(before) + " y = Conv <group = 2, kernel_shape = [3, 3]" + std::string(attributes) +
         "> (n, w, b) }";
}

TEST(FuseIntoNext, FoldsNormalizationIntoAConvolutionWithoutPadding) {
  const PassRun run = run_pass(kPass, conv("", "n = BatchNormalization(x, scale, bias, mean, variance)"));
  EXPECT_EQ(operators(run.after), "Conv");
}

TEST(FuseIntoNext, DoesNotShiftAPaddedBorder) {
  expect_declines(kPass,
                  conv(", pads = [1, 1, 1, 1]", "n = BatchNormalization(x, scale, bias, mean, variance)"),
                  "border");
  expect_declines(kPass, conv(", auto_pad = \"SAME_UPPER\"", "n = Add(x, two)"), "border");
}

TEST(FuseIntoNext, ScalesThroughAPaddedBorder) {
  EXPECT_EQ(operators(run_pass(kPass, conv(", pads = [1, 1, 1, 1]", "n = Mul(x, s)")).after), "Conv");
}

TEST(FuseIntoNext, DrawsAFactorThroughASumBeforeAPaddedBorder) {
  for (const char* before : {"a = Mul(x, two) n = Add(a, two)", "a = Mul(two, x) n = Add(s, a)",
                             "a = Div(x, two) n = Sub(a, s)"}) {
    const PassRun run = run_pass(kPass, conv(", pads = [1, 1, 1, 1]", before));
    EXPECT_EQ(run.after.graph->node_count(), 2) << before;
  }
}

TEST(FuseIntoNext, LeavesFactorsThatASumDoesNotLetThrough) {
  for (const char* before : {"a = Mul(x, s) n = Add(a, two)", "a = Mul(x, zero) n = Add(a, two)",
                             "a = Mul(x, two) n = Sub(two, a)"}) {
    EXPECT_EQ(run_pass(kPass, conv(", pads = [1, 1, 1, 1]", before)).outcome.rewrites, 0) << before;
  }
}

TEST(FuseIntoNext, FoldsAChain) {
  EXPECT_EQ(operators(run_pass(kPass, conv("", "a = Mul(x, s) c = Sub(two, a) n = Div(c, s)")).after),
            "Conv");
}

TEST(FuseIntoNext, DoesNotFuseWhatOthersRead) {
  expect_declines(kPass,
                  R"(<ir_version: 8, opset_import: ["" : 13]> g (float[1,2] x) => (float[1,2] y, float[1,2] z)
      <float[2,2] w = {1.0, 2.0, 3.0, 4.0}, float two = {2.0}> {
      a = Mul(x, two)
      y = Gemm(a, w)
      z = Relu(a)
    })",
                  std::nullopt);
}

TEST(FuseIntoNext, FoldsIntoEachFormOfAProduct) {
  const auto product = [](std::string_view dims, std::string_view before, std::string_view next) {
    return "<ir_version: 8, opset_import: [\"\" : 13]> g (float[" + std::string(dims) + "] x) => (float y) " +
           "<float[2,2] w = {1.0, 2.0, 3.0, 4.0}, float[2] s = {2.0, 3.0}, float[2] b = {0.5, 0.25}> { n = " +
           std::string(before) + "(x, s) r = " + std::string(next) + " y = ReduceMax <keepdims = 0> (r) }";
  };
  const char* gemm = "Gemm <transB = 1, alpha = 0.5, beta = 2.0> (n, w, b)";
  EXPECT_EQ(operators(run_pass(kPass, product("3,2", "Mul", gemm)).after), "Gemm ReduceMax");
  EXPECT_EQ(operators(run_pass(kPass, product("3,2", "Add", gemm)).after), "Gemm ReduceMax");
  EXPECT_EQ(operators(run_pass(kPass, product("3,2", "Add", "MatMul(n, w)")).after), "Gemm ReduceMax");
  EXPECT_EQ(operators(run_pass(kPass, product("4,3,2", "Mul", "MatMul(n, w)")).after), "MatMul ReduceMax");
  expect_declines(kPass, product("4,3,2", "Add", "MatMul(n, w)"), "no bias");
  expect_declines(kPass, product("2,3", "Mul", "Gemm <transA = 1> (n, w)"), "not known to have the channels",
                  {.executable = false});
}

TEST(FuseIntoNext, DoesNotFuseAConstantThatWidens) {
  expect_declines(kPass, R"(<ir_version: 8, opset_import: ["" : 13]> g (float[3,1] x) => (float[3,2] y)
      <float[2,2] w = {1.0, 2.0, 3.0, 4.0}, float[2] s = {2.0, 3.0}> {
      a = Mul(x, s)
      y = MatMul(a, w)
    })",
                  "not known to have the channels");
}

}  // namespace
}  // namespace press::test
