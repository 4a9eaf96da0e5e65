#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr const char* kPass = "fuse_conv_arithmetic";

std::string conv(std::string_view constants, std::string_view nodes) {
  return R"(<ir_version: 8, opset_import: ["" : 13]> g (float[1,2,4,4] x) => (float[1,3,4,4] y)
      <float[3,2,1,1] w = {1.0, 2.0, 3.0, -4.0, 5.0, 6.0}, )" +
         std::string(constants) + "> { c = Conv(x, w) " + std::string(nodes) + "}";
}

TEST(FuseConvArithmetic, MakesABiasOfAnAdd) {
  const PassRun run = run_pass(kPass, conv("float[3,1,1] b = {1.0, 2.0, 3.0}", "y = Add(c, b)"));
  EXPECT_EQ(operators(run.after), "Conv");
  EXPECT_EQ((*run.after.graph->nodes().begin())->input_count(), 3U);
}

TEST(FuseConvArithmetic, ScalesTheWeightWithoutMakingABias) {
  const PassRun run = run_pass(kPass, conv("float[1,3,1,1] s = {1.0, 2.0, 3.0}", "y = Mul(s, c)"));
  EXPECT_EQ(operators(run.after), "Conv");
  EXPECT_EQ((*run.after.graph->nodes().begin())->input_count(), 2U);
}

TEST(FuseConvArithmetic, FoldsAChainOfAllFour) {
  const PassRun run = run_pass(
      kPass,
      conv("float[3,1,1] a = {1.0, 2.0, 3.0}, float s = {0.5}, float[1] t = {2.0}, float[1,1,1,1] u = {4.0}",
           "d = Mul(c, a) e = Sub(s, d) f = Div(e, t) y = Add(u, f)"));
  EXPECT_EQ(operators(run.after), "Conv");
  EXPECT_EQ(run.outcome.rewrites, 4U);
}

TEST(FuseConvArithmetic, DoesNotFuseAConstantDividedByTheResult) {
  expect_declines(kPass, conv("float one = {1.0}", "y = Div(one, c)"), std::nullopt);
}

TEST(FuseConvArithmetic, DoesNotFuseANumberAPixel) {
  expect_declines(kPass, conv("float[4] b = {1.0, 2.0, 3.0, 4.0}", "y = Add(c, b)"),
                  "neither one number nor one a channel");
}

TEST(FuseConvArithmetic, DoesNotFuseADivisionByZero) {
  expect_declines(kPass, conv("float zero = {0.0}", "y = Div(c, zero)"), "neither one number",
                  {.executable = false});
}

TEST(FuseConvArithmetic, DoesNotFuseWhereOthersReadTheResult) {
  expect_declines(
      kPass,
      R"(<ir_version: 8, opset_import: ["" : 13]> g (float[1,2,4,4] x) => (float[1,3,4,4] y, float[1,3,4,4] z)
      <float[3,2,1,1] w = {1.0, 2.0, 3.0, -4.0, 5.0, 6.0}, float s = {2.0}> {
      c = Conv(x, w)
      y = Mul(c, s)
      z = Relu(c)
    })",
      std::nullopt);
}

TEST(FuseConvArithmetic, DoesNotFuseAConstantThatWidensTheResult) {
  expect_declines(kPass, R"(<ir_version: 8, opset_import: ["" : 13]> g (float[2,2] x) => (float[1,1,2,2] y)
      <float[2,2] w = {1.0, 2.0, 3.0, 4.0}, float[1,1,1,2] s = {2.0, 3.0}> {
      c = Gemm(x, w)
      y = Mul(c, s)
    })",
                  "more axes");
}

TEST(FuseConvArithmetic, MakesAGemmOfAProductOnlyForABias) {
  const auto product = [](std::string_view type, std::string_view operation) {
    return "<ir_version: 8, opset_import: [\"\" : 13]> g (float[" + std::string(type) + "] x) => (float[" +
           std::string(type) +
           "] y) <float[2,2] w = {1.0, 2.0, 3.0, 4.0}, float[2] s = {2.0, 3.0}> { c = MatMul(x, w) y = " +
           std::string(operation) + "(c, s) }";
  };
  EXPECT_EQ(operators(run_pass(kPass, product("4,2", "Mul")).after), "MatMul");
  EXPECT_EQ(operators(run_pass(kPass, product("3,4,2", "Mul")).after), "MatMul");
  EXPECT_EQ(operators(run_pass(kPass, product("4,2", "Add")).after), "Gemm");
  expect_declines(kPass, product("3,4,2", "Add"), "not known to multiply two matrices");
}

}  // namespace
}  // namespace press::test
