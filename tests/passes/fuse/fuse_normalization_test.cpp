#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr const char* kPass = "fuse_normalization";

std::string model(int opset, std::string_view nodes, std::string_view axes = "[-1]") {
  return "<ir_version: 8, opset_import: [\"\" : " + std::to_string(opset) +
         R"(]> g (float[2,3,4] x) => (float[2,3,4] y)
      <float two = {2.0}, float eps = {0.001}, float[4] gamma = {1.0, 2.0, 3.0, 4.0}, float[4] beta = {0.1, 0.2, 0.3, 0.4}> {
      m = ReduceMean <axes = )" +
         std::string(axes) + "> (x) c = Sub(x, m) " + std::string(nodes) + "}";
}
constexpr const char* kPow =
    R"(p = Pow(c, two) v = ReduceMean <axes = [2]> (p) e = Add(v, eps) s = Sqrt(e) n = Div(c, s)
                                g1 = Mul(n, gamma) y = Add(beta, g1))";

TEST(FuseNormalization, TakesScaleAndShiftIn) {
  EXPECT_EQ(operators(run_pass(kPass, model(17, kPow)).after), "LayerNormalization");
}

TEST(FuseNormalization, TakesAProductAsSquareAndMissingParameters) {
  EXPECT_EQ(
      operators(
          run_pass(kPass,
                   model(17, R"(p = Mul(c, c) v = ReduceMean <axes = [-1]> (p) e = Add(eps, v) s = Sqrt(e)
                                                   y = Div(c, s))"))
              .after),
      "LayerNormalization");
}

TEST(FuseNormalization, SaysWhichOperatorSetItNeeds) {
  expect_declines(kPass, model(13, kPow), "needs operator set 17");
}

TEST(FuseNormalization, LeavesOtherAxesAndSharedParts) {
  expect_declines(kPass, model(17, kPow, "[1]"), std::nullopt);
  expect_declines(
      kPass,
      model(17, R"(p = Pow(c, two) v = ReduceMean <axes = [-1]> (p) e = Add(v, eps) s = Sqrt(e) n = Div(c, s)
                                      y = Add(n, v))"),
      std::nullopt);
}

std::string image_model(std::string_view tail, std::string_view axes = "[2, 3]") {
  return R"(<ir_version: 8, opset_import: ["" : 13]> g (float[N,3,4,H] x) => (float[N,3,4,H] y)
      <float two = {2.0}, float eps = {0.001}, float[3,1,1] gamma = {1.0, 2.0, 3.0},
       float[1,3,1,1] beta = {0.1, 0.2, 0.3}> {
      m = ReduceMean <axes = )" +
         std::string(axes) +
         "> (x) c = Sub(x, m) p = Pow(c, two) v = ReduceMean <axes = " + std::string(axes) +
         "> (p) e = Add(v, eps) s = Sqrt(e) " + std::string(tail) + "}";
}

TEST(FuseNormalization, MeansBehindTheChannelsAreInstanceNormalizationInAnyOperatorSet) {
  const PassRun run = run_pass(kPass, image_model("n = Div(c, s) g1 = Mul(gamma, n) y = Add(g1, beta)"));
  EXPECT_EQ(operators(run.after), "InstanceNormalization");
  const Node* node = run.after.graph->nodes().front();
  EXPECT_EQ(node->input(1)->constant()->dims(), Dims({3}));
  EXPECT_EQ(node->input(2)->constant()->dims(), Dims({3}));
  EXPECT_EQ(operators(run_pass(kPass, image_model("y = Div(c, s)", "[-1, -2]")).after),
            "InstanceNormalization");
  EXPECT_EQ(operators(run_pass(kPass, image_model("n = Div(c, s) y = Add(n, beta)")).after),
            "InstanceNormalization");
}

TEST(FuseNormalization, LeavesDoublesWithoutABiasAsTheyAre) {
  const PassRun run = run_pass(kPass, R"(<ir_version: 8, opset_import: ["" : 13]>
      g (double[1,3,4,4] x) => (double[1,3,4,4] y)
      <double two = {2.0}, double eps = {0.001}, double[3,1,1] gamma = {1.0, 2.0, 3.0}> {
      m = ReduceMean <axes = [2, 3]> (x) c = Sub(x, m) p = Pow(c, two) v = ReduceMean <axes = [2, 3]> (p)
      e = Add(v, eps) s = Sqrt(e) n = Div(c, s) y = Mul(n, gamma) })");
  EXPECT_EQ(run.outcome.rewrites, 0U);
  EXPECT_EQ(run.after.graph->constant_count(), run.before.graph->constant_count());
}

TEST(FuseNormalization, LeavesMeansOverChannels) {
  expect_declines(kPass, image_model("y = Div(c, s)", "[1, 2]"), std::nullopt);
}

}  // namespace
}  // namespace press::test
