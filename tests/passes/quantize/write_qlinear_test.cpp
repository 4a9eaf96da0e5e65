#include <gtest/gtest.h>

#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kPass = "write_qlinear";

TEST(WriteQlinear, WritesAWholeNetworkOnIntegers) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["": 13]>
    g (float[1,2,4,4] x) => (float[1,2,1,1] y)
    <float s = {0.0078125}, uint8 z = {128}, float t = {0.015625}, uint8 zero = {0}, float u = {0.0234375},
     int8[2,2,1,1] w = {64, -32, 16, 127}, float[2] ws = {0.0078125, 0.015625}, int32[2] b = {512, -256},
     float[2] bs = {0.00006103515625, 0.0001220703125}> {
      xq = QuantizeLinear (x, s, z)
      xd = DequantizeLinear (xq, s, z)
      wd = DequantizeLinear <axis = 0> (w, ws)
      bd = DequantizeLinear <axis = 0> (b, bs)
      c = Conv (xd, wd, bd)
      r = Relu (c)
      rq = QuantizeLinear (r, t, zero)
      rd = DequantizeLinear (rq, t, zero)
      m = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (rd)
      mq = QuantizeLinear (m, t, zero)
      md = DequantizeLinear (mq, t, zero)
      a = Add (md, md)
      aq = QuantizeLinear (a, u, zero)
      ad = DequantizeLinear (aq, u, zero)
      p = GlobalAveragePool (ad)
      pq = QuantizeLinear (p, u, zero)
      y = DequantizeLinear (pq, u, zero)
    })",
                               {.tolerance = 0.02});
  EXPECT_EQ(operators(run.after),
            "QuantizeLinear QLinearConv MaxPool QLinearAdd QLinearGlobalAveragePool DequantizeLinear");
  EXPECT_EQ(run.outcome.rewrites, 4U);
  EXPECT_TRUE(run.outcome.declined.empty());
  EXPECT_EQ(run.after.graph->opset("com.microsoft"), 1);
}

TEST(WriteQlinear, WritesProducts) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["": 13]>
    g (float[2,2] x) => (float[2,2] y)
    <float s = {0.0078125}, uint8 z = {128}, float t = {0.03125}, int8[2,2] w = {64, -32, 16, 127},
     float ws = {0.015625}> {
      xq = QuantizeLinear (x, s, z)
      xd = DequantizeLinear (xq, s, z)
      wd = DequantizeLinear (w, ws)
      p = MatMul (xd, wd)
      pq = QuantizeLinear (p, t, z)
      y = DequantizeLinear (pq, t, z)
    })",
                               {.tolerance = 0.03});
  EXPECT_EQ(operators(run.after), "QuantizeLinear QLinearMatMul DequantizeLinear");
}

constexpr std::string_view kClipped = R"(
    <ir_version: 8, opset_import: ["": 13]>
    g (float[1,1,2,2] x) => (float[1,1,2,2] y)
    <float s = {0.0078125}, uint8 z = {128}, int8[1,1,1,1] w = {64}, float ws = {0.015625}, float lo = {0},
     float hi = {0.5}, int32[1] b = {1}, float bs = {1}> {
      xq = QuantizeLinear (x, s, z)
      xd = DequantizeLinear (xq, s, z)
      wd = DequantizeLinear (w, ws)
      c = Conv (xd, wd)
      k = Clip (c, lo, hi)
      kq = QuantizeLinear (k, s, z)
      y = DequantizeLinear (kq, s, z)
    })";

TEST(WriteQlinear, KeepsAClampThatSaturationDoesNotReplace) {
  expect_declines(kPass, kClipped, "its result is not rounded to 8 bits");
}

TEST(WriteQlinear, KeepsABiasInOtherUnits) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["": 13]>
    g (float[1,1,2,2] x) => (float[1,1,2,2] y)
    <float s = {0.0078125}, uint8 z = {128}, int8[1,1,1,1] w = {64}, float ws = {0.015625}, int32[1] b = {1},
     float bs = {0.25}> {
      xq = QuantizeLinear (x, s, z)
      xd = DequantizeLinear (xq, s, z)
      wd = DequantizeLinear (w, ws)
      bd = DequantizeLinear (b, bs)
      c = Conv (xd, wd, bd)
      cq = QuantizeLinear (c, s, z)
      y = DequantizeLinear (cq, s, z)
    })",
                  "its bias does not stand in units");
}

}  // namespace
}  // namespace press::test
