#include "support/pass_fixture.h"

namespace press::test {
namespace {

std::string model(std::string_view interface, std::string_view nodes) {
  return "<ir_version: 8, opset_import: [\"\" : 13]> g " + std::string(interface) + " {" +
         std::string(nodes) + "}";
}

TEST(MergeChains, ComposesTransposes) {
  const PassRun run = run_pass("merge_chains", model("(float[2,3,4] x) => (float[4,3,2] y)", R"(
      a = Transpose <perm = [1, 2, 0]> (x)
      y = Transpose <perm = [1, 0, 2]> (a)
    )"));
  expect_model(run.after,
               model("(float[2,3,4] x) => (float[4,3,2] y)", "y = Transpose <perm = [2, 1, 0]> (x)"));
}

TEST(MergeChains, LeavesTheFirstTransposeWhereOthersReadIt) {
  const PassRun run = run_pass("merge_chains", model("(float[2,3] x) => (float[2,3] y, float[3,2] z)", R"(
      a = Transpose <perm = [1, 0]> (x)
      y = Transpose <perm = [1, 0]> (a)
      z = Relu(a)
    )"));
  EXPECT_EQ(operators(run.after), "Transpose Transpose Relu");
  EXPECT_EQ(run.outcome.rewrites, 1U);
}

TEST(MergeChains, SkipsACastThatLosesNothing) {
  const PassRun run = run_pass("merge_chains", model("(int32[2] x) => (float[2] y)", R"(
      a = Cast <to = 11> (x)
      y = Cast <to = 1> (a)
    )"));
  expect_model(run.after, model("(int32[2] x) => (float[2] y)", "y = Cast <to = 1> (x)"));
}

TEST(MergeChains, KeepsACastThatRounds) {
  expect_declines("merge_chains", model("(float[2] x) => (float[2] y)", R"(
      a = Cast <to = 7> (x)
      y = Cast <to = 1> (a)
    )"),
                  std::nullopt);
  expect_declines("merge_chains", model("(int32[2] x) => (double[2] y)", R"(
      a = Cast <to = 1> (x)
      y = Cast <to = 11> (a)
    )"),
                  std::nullopt);
}

TEST(MergeChains, MakesOneReshapeOfMany) {
  const PassRun run = run_pass(
      "merge_chains",
      model("(float[N,4,1,1] x) => (float[N,2,2] y) <int64[2] axes = {2, 3}, int64[3] to = {0, 2, 2}>", R"(
      a = Squeeze(x, axes)
      b = Flatten <axis = 1> (a)
      y = Reshape(b, to)
    )"));
  expect_model(run.after, model("(float[N,4,1,1] x) => (float[N,2,2] y) <int64[3] to = {0, 2, 2}>",
                                "y = Reshape(x, to)"));
}

TEST(MergeChains, ReadsWhatAReshapeComesBackToThoughOthersReadTheFirst) {
  const PassRun run = run_pass(
      "merge_chains",
      R"(<ir_version: 8, opset_import: ["" : 13]> g (float[1,4,5] x) => (float[4,5] y, float[1,4,5] z)
      <int64[2] flat = {4, 5}, int64[3] back = {1, 4, 5}> {
      r = Relu(x) a = Reshape(r, flat) y = Neg(a) b = Reshape(a, back) z = Abs(b) })");
  const Node* again = run.after.graph->outputs()[1].value->producer()->input(0)->producer();
  EXPECT_TRUE(again->input(0)->producer()->is("Relu"));
}

TEST(MergeChains, KeepsAReshapeWithTwoOpenExtents) {
  expect_declines("merge_chains",
                  model("(float[N,M,4] x) => (float y) <int64[2] p = {-1, 4}, int64[2] q = {4, -1}>", R"(
      a = Transpose <perm = [1, 0, 2]> (x)
      b = Reshape(a, p)
      c = Relu(b)
      y = ReduceSum <keepdims = 0> (c)
    )"),
                  std::nullopt, {.executable = false});
}

TEST(MergeChains, CutsOnceInsteadOfTwice) {
  const PassRun run = run_pass("merge_chains", model(R"((float[6,8] x) => (float[2,3] y)
      <int64[1] s = {1}, int64[1] e = {100}, int64[1] a0 = {0}, int64[1] a1 = {1}, int64[1] two = {2}, int64[1] one = {1},
       int64[1] seven = {7}>)",
                                                     R"(
      a = Slice(x, s, e, a0, two)
      b = Slice(a, s, e, a0, one)
      y = Slice(b, s, seven, a1, two)
    )"));
  expect_model(run.after, model(R"((float[6,8] x) => (float[2,3] y)
      <int64[2] s = {3, 1}, int64[2] e = {6, 7}, int64[2] a = {0, 1}, int64[2] t = {2, 2}>)",
                                "y = Slice(x, s, e, a, t)"));
}

TEST(MergeChains, KeepsSlicesOfAnOpenAxis) {
  expect_declines("merge_chains",
                  model("(float[N] x) => (float[M] y) <int64[1] s = {1}, int64[1] e = {-1}>", R"(
      a = Slice(x, s, e)
      y = Slice(a, s, e)
    )"),
                  std::nullopt, {.executable = false});
}

TEST(MergeChains, JoinsConcatsOfOneAxis) {
  const PassRun run = run_pass("merge_chains", model("(float[1,2] x, float[1,3] z) => (float[1,7] y)", R"(
      a = Concat <axis = 1> (x, z)
      y = Concat <axis = 1> (a, x)
    )"));
  expect_model(run.after,
               model("(float[1,2] x, float[1,3] z) => (float[1,7] y)", "y = Concat <axis = 1> (x, z, x)"));
}

TEST(MergeChains, KeepsConcatsOfTwoAxes) {
  expect_declines("merge_chains", model("(float[2,2] x) => (float[4,4] y)", R"(
      a = Concat <axis = 1> (x, x)
      y = Concat <axis = 0> (a, a)
    )"),
                  std::nullopt);
}

TEST(MergeChains, PutsNothingTogetherThatWasNotTakenApart) {
  const PassRun run = run_pass("merge_chains", model("(float[2,4] x) => (float[2,4] y)", R"(
      a, b = Split <axis = 1> (x)
      c = Concat <axis = 1> (a, b)
      y = Relu(c)
    )"));
  EXPECT_EQ(operators(run.after), "Identity Relu");
  expect_declines("merge_chains", model("(float[2,4] x) => (float[2,4] y)", R"(
      a, b = Split <axis = 1> (x)
      c = Concat <axis = 1> (b, a)
      y = Relu(c)
    )"),
                  std::nullopt);
}

TEST(MergeChains, TakesATransposeOfExtentsOfOneForAReshape) {
  const PassRun run = run_pass(
      "merge_chains", model("(float[1,6,8] x) => (float[1,1,6,8] y) <int64[4] to = {1, 6, 1, 8}>", R"(
      a = Reshape(x, to)
      y = Transpose <perm = [0, 2, 1, 3]> (a)
    )"));
  EXPECT_EQ(operators(run.after), "Reshape");
  expect_declines("merge_chains",
                  model("(float[1,6,8] x) => (float[1,2,6,4] y) <int64[4] to = {1, 6, 2, 4}>", R"(
      a = Reshape(x, to)
      y = Transpose <perm = [0, 2, 1, 3]> (a)
    )"),
                  std::nullopt);
}

TEST(MergeChains, PadsInsteadOfJoiningZeros) {
  const PassRun run =
      run_pass("merge_chains",
               model("(float[2,3] x) => (float[2,6] y) <int64[2] one = {2, 1}, int64[2] two = {2, 2}>", R"(
      a = ConstantOfShape(one)
      b = ConstantOfShape(two)
      y = Concat <axis = 1> (a, x, b)
    )"));
  EXPECT_EQ(operators(run.after), "Pad");
  expect_declines("merge_chains", model("(float[2,3] x) => (float[2,7] y) <int64[2] one = {2, 1}>", R"(
      a = ConstantOfShape(one)
      y = Concat <axis = 1> (x, a, x)
    )"),
                  std::nullopt);
}

TEST(MergeChains, LetsTheSecondReluDoTheWork) {
  const PassRun run = run_pass(
      "merge_chains", model("(float[2] x) => (float[2] y) <float low = {0.0}, float high = {6.0}>", R"(
      a = Relu(x)
      b = Relu(a)
      y = Clip(b, low, high)
    )"));
  EXPECT_EQ(operators(run.after), "Clip");
  expect_declines("merge_chains",
                  model("(float[2] x) => (float[2] y) <float low = {-1.0}, float high = {6.0}>", R"(
      a = Relu(x)
      y = Clip(a, low, high)
    )"),
                  std::nullopt);
}

}  // namespace
}  // namespace press::test
