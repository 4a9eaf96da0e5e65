#include <fmt/format.h>

#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kPass = "fold_constants";

TEST(FoldConstants, MakesConstantNodesConstantsOfTheGraph) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2] x) => (float[2] y) {
      a = Constant<value = float[2] {1, 2}>()
      b = Constant<value_float = 3.0>()
      c = Constant<value_floats = [4.0, 5.0]>()
      p = Add(x, a)
      q = Mul(p, b)
      y = Sub(q, c)
    })");
  EXPECT_EQ(run.outcome.rewrites, 3U);
  expect_model(run.after, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2] x) => (float[2] y) <float[2] a = {1, 2}, float b = {3}, float[2] c = {4, 5}> {
      p = Add(x, a)
      q = Mul(p, b)
      y = Sub(q, c)
    })");
}

TEST(FoldConstants, ComputesWhatDependsOnConstantsOnly) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2] x) => (float[2] y) <float[2] a = {1, 2}, float[2] b = {3, 4}> {
      c = Add(a, b)
      d = Mul(c, c)
      y = Add(x, d)
    })");
  EXPECT_EQ(run.outcome.rewrites, 2U);
  expect_model(run.after, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2] x) => (float[2] y) <float[2] d = {16, 36}> { y = Add(x, d) })");
}

TEST(FoldConstants, ComputesShapesThatAreKnown) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N,3,4] x) => (float[N,12] y) <int64[1] one = {1}, int64[1] two = {2}, int64[1] minus = {-1}> {
      s = Shape(x)
      c = Gather<axis = 0>(s, one)
      d = Gather<axis = 0>(s, two)
      n = Mul(c, d)
      t = Concat<axis = 0>(minus, n)
      y = Reshape(x, t)
    })");
  expect_model(run.after, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N,3,4] x) => (float[N,12] y) <int64[2] t = {-1, 12}> { y = Reshape(x, t) })");
}

TEST(FoldConstants, KeepsShapesThatAreNot) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N,3] x) => (float[K] y) { s = Shape(x) t = ReduceProd(s) y = Reshape(x, t) })",
                  std::nullopt, {.executable = false});
}

TEST(FoldConstants, KeepsNodesThatMakeAnOutput) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2] x) => (float[2] y, float[2] z) <float[2] a = {1, 2}> {
      y = Relu(x)
      z = Neg(a)
    })",
                  std::nullopt);
}

TEST(FoldConstants, KeepsQuantizedWeights) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,2] x) => (float[2,2] y) <int8[2,2] q = {1, 2, 3, 4}, float s = {0.5}, int8 z = {0}> {
      w = DequantizeLinear(q, s, z)
      y = MatMul(x, w)
    })",
                  std::nullopt);
}

TEST(FoldConstants, KeepsRandomNumbersAndUnknownOperators) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17, "my.domain" : 1]>
    agraph (float[2] x) => (float[2] y) <float[2] a = {1, 2}> {
      r = RandomNormalLike(a)
      s = my.domain.Twice(a)
      t = Add(r, s)
      y = Add(x, t)
    })",
                  std::nullopt, {.executable = false});
}

TEST(FoldConstants, DoesNotMakeAFileLarge) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[1] x) => (float[A,B,C] y) <float one = {1}, int64[3] shape = {1000000, 1000000, 1000000}> {
      big = Expand(one, shape)
      y = Add(x, big)
    })",
                  "", {.executable = false});
}

/// Adds `count` constants that nodes make, of 1024 bytes each.
Model generators(int count) {
  std::string nodes;
  for (int i = 0; i < count; ++i) {
    nodes += fmt::format("c{0} = ConstantOfShape(shape) y{1} = Add(y{0}, c{0})\n", i, i + 1);
  }
  return parse(fmt::format(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[256] y0) => (float[256] y{}) <int64[1] shape = {{256}}> {{ {} }})",
                           count, nodes));
}

TEST(FoldConstants, SharesItsLimitBetweenNodes) {
  Model model = generators(8);
  PassContext context;
  context.fold = {.max_node_bytes = 2000, .max_bytes = 3000};
  const auto outcome = find_pass(kPass)->run(model, context);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->rewrites, 2U);
  EXPECT_EQ(outcome->declined.size(), 6U);
}

TEST(FoldConstants, LimitsEachNode) {
  PassRunOptions options;
  options.context.fold = {.max_node_bytes = 1000, .max_bytes = 1 << 20};
  const PassRun run = run_pass(kPass, generators(3), options);
  EXPECT_EQ(run.outcome.rewrites, 0U);
  EXPECT_EQ(run.outcome.declined.size(), 3U);
}

TEST(FoldConstants, LetsAWeightTakeThePlaceOfItsSource) {
  PassRunOptions options;
  options.context.fold = {.max_node_bytes = 0, .max_bytes = 0};
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[1,2] x) => (float[1,3] y) <float[3,2] w = {1, 2, 3, 4, 5, 6}> {
      t = Transpose<perm = [1, 0]>(w)
      y = MatMul(x, t)
    })",
                               options);
  expect_model(run.after, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[1,2] x) => (float[1,3] y) <float[2,3] t = {1, 3, 5, 2, 4, 6}> { y = MatMul(x, t) })");
}

TEST(FoldConstants, FoldsInsideSubgraphs) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (bool c, float[2] x) => (float[2] y) <float[2] k = {1, 2}> {
      y = If (c) <
        then_branch = then_graph () => (float[2] a) { n = Neg(k) a = Add(x, n) },
        else_branch = else_graph () => (float[2] b) { b = Constant<value = float[2] {3, 4}>() }
      >
    })",
                               {.executable = false});
  EXPECT_EQ(run.outcome.rewrites, 1U);
  EXPECT_EQ(run.after.graph->constants().size(), 0U);
}

TEST(FoldConstants, LeavesSubgraphsOfOldFilesAlone) {
  expect_declines(kPass, R"(
    <ir_version: 3, opset_import: ["" : 8]>
    agraph (bool c, float[2] x) => (float[2] y) {
      y = If (c) <
        then_branch = then_graph () => (float[2] a) { k = Constant<value = float[2] {3, 4}>() a = Add(x, k) },
        else_branch = else_graph () => (float[2] b) { b = Abs(x) }
      >
    })",
                  std::nullopt, {.executable = false});
}

TEST(FoldConstants, KeepsScalesThatAreWrittenAsProducts) {
  expect_declines("fold_constants", R"(
    <ir_version: 8, opset_import: ["": 17]>
    g (float[2] x) => (float[2] y) <int32[2] q = {1, 2}, float[2] w = {1, 2}, float s = {0.5}> {
      u = Mul(w, s)
      b = DequantizeLinear <axis = 0> (q, u)
      y = Add(x, b)
    })",
                  std::nullopt);
}

}  // namespace
}  // namespace press::test
