#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr const char* kPass = "fuse_gemm";

std::string model(std::string_view inputs, std::string_view nodes) {
  return "<ir_version: 8, opset_import: [\"\" : 13]> g (" + std::string(inputs) + ") => (float[M,N] y) { " +
         std::string(nodes) + " }";
}

TEST(FuseGemm, TakesTheSumIn) {
  for (const char* bias :
       {"float[4] b", "float[1,4] b", "float[3,1] b", "float[3,4] b", "float b", "float[1] b"}) {
    const std::string inputs = std::string("float[3,2] x, float[2,4] w, ") + bias;
    EXPECT_EQ(operators(run_pass(kPass, model(inputs, "p = MatMul(x, w) y = Add(p, b)")).after), "Gemm")
        << bias;
    EXPECT_EQ(operators(run_pass(kPass, model(inputs, "p = MatMul(x, w) y = Add(b, p)")).after), "Gemm")
        << bias;
  }
}

TEST(FuseGemm, TakesInASummandThatIsMadeLater) {
  const PassRun run = run_pass(
      kPass, model("float[3,2] x, float[2,4] w, float[4] b", "p = MatMul(x, w) r = Relu(b) y = Add(p, r)"));
  EXPECT_EQ(operators(run.after), "Relu Gemm");
}

TEST(FuseGemm, LeavesSumsThatWiden) {
  expect_declines(kPass, model("float[1,2] x, float[2,4] w, float[3,4] b", "p = MatMul(x, w) y = Add(p, b)"),
                  std::nullopt);
  expect_declines(kPass, model("float[3,2] x, float[2,1] w, float[4] b", "p = MatMul(x, w) y = Add(p, b)"),
                  std::nullopt);
}

TEST(FuseGemm, LeavesProductsOfMoreAxesAndThoseThatOthersRead) {
  expect_declines(kPass,
                  model("float[5,3,2] x, float[2,4] w, float[4] b",
                        "p = MatMul(x, w) s = Add(p, b) y = ReduceMax <axes = [0], keepdims = 0> (s)"),
                  std::nullopt);
  expect_declines(
      kPass, model("float[3,2] x, float[2,4] w, float[4] b", "p = MatMul(x, w) s = Add(p, b) y = Mul(s, p)"),
      std::nullopt);
}

TEST(FuseGemm, ReadsOperandsTransposed) {
  const PassRun run =
      run_pass(kPass, model("float[2,3] x, float[4,2] w, float[4] b",
                            "t = Transpose <perm = [1, 0]> (x) u = Transpose(w) y = Gemm(t, u, b)"));
  EXPECT_EQ(operators(run.after), "Gemm");
  expect_declines(kPass,
                  model("float[2,3] x, float[2,4] w, float[4] b",
                        "t = Transpose <perm = [1, 0]> (x) s = Gemm(t, w, b) m = ReduceMax(t) y = Add(s, m)"),
                  std::nullopt);
}

}  // namespace
}  // namespace press::test
