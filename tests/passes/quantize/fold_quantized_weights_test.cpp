#include <gtest/gtest.h>

#include "support/pass_fixture.h"

namespace press::test {
namespace {

TEST(FoldQuantizedWeights, MakesIntegersOfSimulatedOnes) {
  const PassRun run = run_pass("fold_quantized_weights", R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,2] x) => (float[N,2] y)
    <float[2,2] w = {1, -0.26, 0.5, 300}, float[2] s = {0.25, 1}, int8[2] z = {0, 1}, float t = {0.0078125},
     uint8 zero = {128}> {
      wq = QuantizeLinear <axis = 0> (w, s, z)
      wd = DequantizeLinear <axis = 0> (wq, s, z)
      xq = QuantizeLinear (x, t, zero)
      xd = DequantizeLinear (xq, t, zero)
      y = MatMul (xd, wd)
    })");
  EXPECT_EQ(operators(run.after), "DequantizeLinear QuantizeLinear DequantizeLinear MatMul");
  const Tensor& weight = *(*run.after.graph->nodes().begin())->input(0)->constant();
  const std::span<const std::int8_t> found = weight.data<std::int8_t>();
  EXPECT_EQ(std::vector<int>(found.begin(), found.end()), (std::vector<int>{4, -1, 1, 127}));
}

TEST(FoldQuantizedWeights, LeavesActivationsAlone) {
  const PassRun run = run_pass("fold_quantized_weights", R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,2] x) => (float[N,2] y) <float t = {0.5}, uint8 zero = {128}> {
      xq = QuantizeLinear (x, t, zero)
      y = DequantizeLinear (xq, t, zero)
    })");
  EXPECT_EQ(run.outcome.rewrites, 0U);
}

}  // namespace
}  // namespace press::test
