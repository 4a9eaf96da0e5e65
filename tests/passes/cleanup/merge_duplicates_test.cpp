#include "support/pass_fixture.h"

namespace press::test {
namespace {

TEST(MergeDuplicates, KeepsOneOfTwoEqualNodes) {
  const PassRun run = run_pass("merge_duplicates", R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[2,3] x) => (float[2,3] y) {
      a = Transpose <perm = [1, 0]> (x)
      b = Transpose <perm = [1, 0]> (x)
      c = Transpose <perm = [1, 0]> (a)
      d = Transpose <perm = [1, 0]> (b)
      y = Add(c, d)
    })");
  expect_model(run.after, R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[2,3] x) => (float[2,3] y) {
      a = Transpose <perm = [1, 0]> (x)
      c = Transpose <perm = [1, 0]> (a)
      y = Add(c, c)
    })");
}

TEST(MergeDuplicates, KeepsOneOfTwoEqualConstants) {
  const PassRun run = run_pass("merge_duplicates", R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[2] x) => (float[2] y) <float[2] p = {1.0, 2.0}, float[2] q = {1.0, 2.0}, float[2] r = {1.0, 3.0}> {
      a = Mul(x, p)
      b = Add(a, q)
      y = Sub(b, r)
    })");
  EXPECT_EQ(run.outcome.rewrites, 1U);
  EXPECT_EQ(run.after.graph->constants().size(), 2U);
}

TEST(MergeDuplicates, KeepsConstantsOfTheSameBytesAndOtherDims) {
  expect_declines("merge_duplicates", R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[2] x) => (float[1,2] y) <float[2] p = {1.0, 2.0}, float[1,2] q = {1.0, 2.0}> {
      a = Mul(x, p)
      y = Add(a, q)
    })",
                  std::nullopt);
}

TEST(MergeDuplicates, KeepsNodesOfOtherAttributes) {
  expect_declines("merge_duplicates", R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[2,2] x) => (float[2,2] y) {
      a = Softmax <axis = 0> (x)
      b = Softmax <axis = 1> (x)
      y = Add(a, b)
    })",
                  std::nullopt);
}

TEST(MergeDuplicates, KeepsTwoNodesThatMakeTwoOutputs) {
  expect_declines("merge_duplicates", R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[2] x) => (float[2] y, float[2] z) {
      y = Relu(x)
      z = Relu(x)
    })",
                  std::nullopt);
}

TEST(MergeDuplicates, LetsTheOutputBeMadeByTheNodeThatStays) {
  const PassRun run = run_pass("merge_duplicates", R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[2] x) => (float[2] y, float[2] z) {
      a = Relu(x)
      y = Relu(x)
      z = Neg(a)
    })");
  EXPECT_EQ(operators(run.after), "Relu Neg");
}

TEST(MergeDuplicates, KeepsRandomNodesAndQuantization) {
  expect_declines("merge_duplicates", R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[2] x) => (float[2] y, float[2] z) <float s = {0.5}, uint8 o = {128}> {
      a = QuantizeLinear(x, s, o)
      b = DequantizeLinear(a, s, o)
      c = DequantizeLinear(a, s, o)
      y = Relu(b)
      z = Neg(c)
    })",
                  std::nullopt);
  expect_declines("merge_duplicates", R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[2] x) => (float[2] y) {
      a = RandomNormalLike(x)
      b = RandomNormalLike(x)
      y = Sub(a, b)
    })",
                  std::nullopt, {.executable = false});
}

}  // namespace
}  // namespace press::test
