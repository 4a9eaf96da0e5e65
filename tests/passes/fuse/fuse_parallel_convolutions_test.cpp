#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr const char* kPass = "fuse_parallel_convolutions";

/// Branches over x [1,2,5,5] with 3×3 and 1×1 weights for groups of one and of two channels.
std::string model(std::string_view nodes) {
  return R"(<ir_version: 8, opset_import: ["" : 13]> g (float[1,2,5,5] x) => (float[1,2,M,N] y)
      <float[2,1,3,3] d = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8},
       float[2,2,1,1] one = {1.0, -2.0, 3.0, 0.5}, float[2,1,1,1] each = {0.25, -0.75}, float[2] b = {0.5, -0.5},
       float[2,2,3,1] tall = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2},
       float[2] s = {2.0, 3.0}, float[2] t = {0.1, 0.2}, float[2] m = {0.3, 0.4}, float[2] v = {1.0, 2.0}> { )" +
         std::string(nodes) + "}";
}

TEST(FuseParallelConvolutions, AddsTheSmallerKernelIntoTheLarger) {
  for (const char* sum : {"Add(p, q)", "Add(q, p)"}) {
    const PassRun run = run_pass(kPass, model(std::string(R"(
        p = Conv <pads = [1, 1, 1, 1], group = 2> (x, d)
        q = Conv <group = 2> (x, each, b)
        y = )") + sum));
    EXPECT_EQ(operators(run.after), "Conv");
  }
}

TEST(FuseParallelConvolutions, AddsKernelsOfOneShapeWithAnyDilation) {
  EXPECT_EQ(operators(run_pass(kPass, model(R"(
        p = Conv <dilations = [2, 2], group = 2> (x, d)
        q = Conv <dilations = [2, 2], group = 2> (x, d, b)
        y = Add(p, q))"))
                          .after),
            "Conv");
}

TEST(FuseParallelConvolutions, PlacesAKernelThatIsLongerOnOneAxis) {
  EXPECT_EQ(operators(run_pass(kPass, model(R"(
        p = Conv <pads = [2, 0, 0, 0]> (x, tall)
        q = Conv(x, one)
        y = Add(p, q))"))
                          .after),
            "Conv");
}

TEST(FuseParallelConvolutions, TakesInNormalizationAndIdentity) {
  const PassRun run = run_pass(kPass, model(R"(
      p = Conv <pads = [1, 1, 1, 1], group = 2> (x, d)
      q = Conv <group = 2> (x, each)
      n = BatchNormalization(x, s, t, m, v)
      a = Add(p, q)
      c = Add(a, n)
      y = Add(x, c)
    )"));
  EXPECT_EQ(operators(run.after), "Conv");
  EXPECT_EQ(run.outcome.rewrites, 3U);
}

TEST(FuseParallelConvolutions, LeavesBranchesOfTwoInputs) {
  expect_declines(kPass, model(R"(
      r = Relu(x)
      p = Conv(x, one)
      q = Conv(r, one)
      y = Add(p, q)
    )"),
                  std::nullopt);
}

TEST(FuseParallelConvolutions, LeavesTheResidualConnection) {
  expect_declines(kPass, model(R"(
      r = Relu(x)
      p = Conv(r, one)
      y = Add(p, x)
    )"),
                  std::nullopt);
}

TEST(FuseParallelConvolutions, LeavesWindowsThatDoNotLieOnEachOther) {
  expect_declines(kPass, model(R"(
      p = Conv <pads = [1, 1, 1, 1], strides = [2, 2], group = 2> (x, d)
      q = Conv <strides = [2, 2], pads = [1, 1, 0, 0], group = 2> (x, each)
      y = Add(p, q)
    )"),
                  "same windows");
  expect_declines(kPass, model(R"(
      p = Conv <pads = [1, 1, 1, 1], group = 2> (x, d)
      q = Conv(x, one)
      y = Add(p, q)
    )"),
                  "same windows");
}

TEST(FuseParallelConvolutions, LeavesAnIdentityThatBroadcasts) {
  expect_declines(kPass,
                  R"(<ir_version: 8, opset_import: ["" : 13]> g (float[1,1,5,5] x) => (float[1,2,5,5] y)
      <float[2,1,1,1] w = {1.0, 2.0}> {
      p = Conv(x, w)
      y = Add(p, x)
    })",
                  "changes channels or extents");
}

}  // namespace
}  // namespace press::test
