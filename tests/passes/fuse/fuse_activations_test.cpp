#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr const char* kPass = "fuse_activations";

std::string model(int opset, std::string_view nodes) {
  return "<ir_version: 8, opset_import: [\"\" : " + std::to_string(opset) +
         R"(]> g (float[2,3] x) => (float[2,3] y)
      <float half = {0.5}, float root = {1.4142135}, float inverse = {0.70710678}, float one = {1.0}, float three = {3.0},
       float six = {6.0}, float zero = {0.0}, float cubic = {0.044715}, float factor = {0.7978845}, float[3] each = {1.0, 1.0, 1.0},
       float sixth = {0.16666667}, float seven = {7.0}> {)" +
         std::string(nodes) + "}";
}
constexpr const char* kErf = "a = Div(x, root) b = Erf(a) c = Add(b, one) d = Mul(x, c) y = Mul(d, half)";
constexpr const char* kHardSwish = "a = Add(x, three) b = Clip(a, zero, six) c = Mul(x, b) y = Div(c, six)";

TEST(FuseActivations, MakesGeluOfItsForms) {
  for (const char* form : {
           kErf,
           "a = Mul(x, inverse) b = Erf(a) c = Add(one, b) d = Mul(half, x) y = Mul(c, d)",
           "a = Pow(x, three) b = Mul(cubic, a) c = Add(x, b) d = Mul(factor, c) e = Tanh(d) f = Add(e, one) "
           "g1 = Mul(x, half) y = Mul(g1, f)",
           "a = Mul(x, x) a1 = Mul(a, x) b = Mul(cubic, a1) c = Add(b, x) d = Mul(c, factor) e = Tanh(d) f = "
           "Add(e, one) g1 = Mul(f, half) y = Mul(x, g1)",
       }) {
    EXPECT_EQ(operators(run_pass(kPass, model(20, form)).after), "Gelu") << form;
  }
}

TEST(FuseActivations, SaysWhichOperatorSetItNeeds) {
  expect_declines(kPass, model(13, kErf), "needs operator set 20");
}

TEST(FuseActivations, WritesHardSwishByHardSigmoidInOlderOperatorSets) {
  EXPECT_EQ(operators(run_pass(kPass, model(13, kHardSwish)).after), "HardSigmoid Mul");
}

TEST(FuseActivations, LeavesWhatIsNearlyGelu) {
  expect_declines(kPass,
                  model(20, "a = Div(x, root) b = Erf(a) c = Add(b, one) d = Mul(x, c) y = Mul(d, three)"),
                  std::nullopt);
  expect_declines(kPass,
                  model(20, "a = Div(x, three) b = Erf(a) c = Add(b, one) d = Mul(x, c) y = Mul(d, half)"),
                  std::nullopt);
  expect_declines(
      kPass,
      model(20, "z = Relu(x) a = Div(z, root) b = Erf(a) c = Add(b, one) d = Mul(x, c) y = Mul(d, half)"),
      std::nullopt);
}

TEST(FuseActivations, MakesHardSwishAndHardSigmoid) {
  EXPECT_EQ(operators(run_pass(kPass, model(14, kHardSwish)).after), "HardSwish");
  EXPECT_EQ(
      operators(
          run_pass(kPass,
                   model(14, "a = Add(x, three) b = Clip(a, zero, six) c = Mul(b, sixth) y = Mul(c, x)"))
              .after),
      "HardSwish");
  EXPECT_EQ(
      operators(
          run_pass(kPass, model(14, "a = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x) y = Mul(x, a)"))
              .after),
      "HardSwish");
  EXPECT_EQ(
      operators(run_pass(kPass, model(11, "a = Add(three, x) b = Clip(a, zero, six) y = Div(b, six)")).after),
      "HardSigmoid");
}

TEST(FuseActivations, LeavesOtherBoundsAndSharedParts) {
  expect_declines(kPass,
                  model(14, "a = Add(x, three) b = Clip(a, zero, seven) c = Mul(x, b) y = Div(c, six)"),
                  std::nullopt);
  expect_declines(kPass, model(14, "a = HardSigmoid <alpha = 0.2, beta = 0.5> (x) y = Mul(x, a)"),
                  std::nullopt);
  expect_declines(
      kPass, model(14, "a = Add(x, three) b = Clip(a, zero, six) c = Div(b, six) d = Add(c, b) y = Relu(d)"),
      std::nullopt);
}

TEST(FuseActivations, MakesSoftplus) {
  EXPECT_EQ(operators(run_pass(kPass, model(13, "a = Exp(x) b = Add(a, one) y = Log(b)")).after), "Softplus");
  expect_declines(kPass, model(13, "a = Exp(x) b = Add(a, three) y = Log(b)"), std::nullopt);
}

}  // namespace
}  // namespace press::test
