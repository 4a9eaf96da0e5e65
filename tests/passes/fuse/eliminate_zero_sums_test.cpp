#include "support/pass_fixture.h"

namespace press::test {
namespace {

std::string model(std::string_view input, std::string_view zeros, std::string_view nodes) {
  return "<ir_version: 8, opset_import: [\"\" : 13]> g (float[" + std::string(input) +
         "] x) => (float[M,N] y) <" + std::string(zeros) + "> { " + std::string(nodes) + " }";
}

TEST(EliminateZeroSums, LeavesTheOtherSummand) {
  for (const char* sum : {"b = Add(a, z)", "b = Add(z, a)"}) {
    const PassRun run = run_pass(
        "eliminate_zero_sums",
        model("2,3", "float[3] z = {0.0, 0.0, 0.0}", "a = Tanh(x) " + std::string(sum) + " y = Relu(b)"));
    EXPECT_EQ(operators(run.after), "Tanh Relu");
  }
}

TEST(EliminateZeroSums, KeepsSumsThatWidenAndOtherNumbers) {
  expect_declines("eliminate_zero_sums",
                  model("2,1", "float[3] z = {0.0, 0.0, 0.0}", "b = Add(x, z) y = Relu(b)"), std::nullopt);
  expect_declines("eliminate_zero_sums",
                  model("2,3", "float[3] z = {0.0, 0.0, 1.0}", "b = Add(x, z) y = Relu(b)"), std::nullopt);
}

TEST(EliminateZeroSums, KeepsTheNodeThatMakesAnOutputOfAnInput) {
  expect_declines("eliminate_zero_sums", model("2,3", "float z = {0.0}", "y = Add(x, z)"), std::nullopt);
}

}  // namespace
}  // namespace press::test
