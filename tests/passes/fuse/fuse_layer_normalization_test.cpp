#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr const char* kPass = "fuse_layer_normalization";

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

TEST(FuseLayerNormalization, TakesScaleAndShiftIn) {
  EXPECT_EQ(operators(run_pass(kPass, model(17, kPow)).after), "LayerNormalization");
}

TEST(FuseLayerNormalization, TakesAProductAsSquareAndMissingParameters) {
  EXPECT_EQ(
      operators(
          run_pass(kPass,
                   model(17, R"(p = Mul(c, c) v = ReduceMean <axes = [-1]> (p) e = Add(eps, v) s = Sqrt(e)
                                                   y = Div(c, s))"))
              .after),
      "LayerNormalization");
}

TEST(FuseLayerNormalization, SaysWhichOperatorSetItNeeds) {
  expect_declines(kPass, model(13, kPow), "needs operator set 17");
}

TEST(FuseLayerNormalization, LeavesOtherAxesAndSharedParts) {
  expect_declines(kPass, model(17, kPow, "[1]"), std::nullopt);
  expect_declines(
      kPass,
      model(17, R"(p = Pow(c, two) v = ReduceMean <axes = [-1]> (p) e = Add(v, eps) s = Sqrt(e) n = Div(c, s)
                                      y = Add(n, v))"),
      std::nullopt);
}

}  // namespace
}  // namespace press::test
