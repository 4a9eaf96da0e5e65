#include <gtest/gtest.h>

#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kPass = "remove_quantization";

TEST(RemoveQuantization, GivesWeightsAndActivationsTheirRealNumbers) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,2] x) => (float[N,2] y)
    <int8[2,2] w = {4, -1, 2, 127}, float s = {0.0078125}, uint8 z = {128}> {
      w_real = DequantizeLinear (w, s)
      xq = QuantizeLinear (x, s, z)
      xd = DequantizeLinear (xq, s, z)
      y = MatMul (xd, w_real)
    })",
                               {.tolerance = 0.02});
  expect_model(run.after, R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {0.03125, -0.0078125, 0.015625, 0.9921875}> {
      y = MatMul (x, w)
    })");
}

TEST(RemoveQuantization, PutsAReluWhereSaturationWasOne) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,2] x) => (float[N,2] y) <float s = {0.00390625}, uint8 zero = {0}> {
      a = Neg (x)
      aq = QuantizeLinear (a, s, zero)
      ad = DequantizeLinear (aq, s, zero)
      b = Relu (ad)
      bq = QuantizeLinear (b, s, zero)
      y = DequantizeLinear (bq, s, zero)
    })",
                               {.tolerance = 0.02});
  EXPECT_EQ(operators(run.after), "Neg Relu Relu");
}

TEST(RemoveQuantization, LeavesIntegersThatAreComputed) {
  expect_declines(kPass, R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (uint8[N,2] x) => (float[N,2] y) <float s = {0.5}, uint8 z = {128}> { y = DequantizeLinear (x, s, z) })",
                  "neither constant nor made by a QuantizeLinear");
}

}  // namespace
}  // namespace press::test
