#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr const char* kPass = "fuse_pad";

std::string model(std::string_view pads, std::string_view next, std::string_view before = "r = Identity(x)") {
  return R"(<ir_version: 8, opset_import: ["" : 13]> g (float[1,1,5,5] x) => (float[1,1,M,N] y)
      <int64[8] p = {)" +
         std::string(pads) +
         R"(}, float[1,1,3,3] w = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0}, float one = {1.0}> {
      )" +
         std::string(before) + " n = Pad(r, p) y = " + std::string(next) + " }";
}
constexpr const char* kOne = "0, 0, 1, 1, 0, 0, 1, 1";
constexpr const char* kUneven = "0, 0, 0, 1, 0, 0, 1, 2";

TEST(FusePad, AddsToThePaddingOfAConvolution) {
  for (const char* pads : {kOne, kUneven}) {
    EXPECT_EQ(operators(run_pass(kPass, model(pads, "Conv <pads = [1, 0, 0, 2]> (n, w)")).after),
              "Identity Conv");
    EXPECT_EQ(operators(run_pass(kPass, model(pads, "Conv <auto_pad = \"VALID\"> (n, w)")).after),
              "Identity Conv");
  }
}

TEST(FusePad, CountsItInAnAverage) {
  EXPECT_EQ(operators(run_pass(kPass, model(kOne, "AveragePool <kernel_shape = [3, 3]> (n)")).after),
            "Identity AveragePool");
}

TEST(FusePad, LeavesAnAverageThatDoesNotCountItsOwn) {
  expect_declines(kPass, model(kOne, "AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (n)"),
                  "does not count");
}

TEST(FusePad, PadsAMaximumOfWhatIsNotNegative) {
  EXPECT_EQ(
      operators(run_pass(kPass, model(kOne, "MaxPool <kernel_shape = [3, 3]> (n)", "r = Relu(x)")).after),
      "Relu MaxPool");
  expect_declines(kPass, model(kOne, "MaxPool <kernel_shape = [3, 3]> (n)"), "below the padding");
  expect_declines(kPass,
                  model("0, 0, 2, 2, 0, 0, 2, 2", "MaxPool <kernel_shape = [2, 2]> (n)", "r = Relu(x)"),
                  "as wide as the kernel");
}

TEST(FusePad, LeavesPaddingOfChannelsCutsAndOtherOperators) {
  expect_declines(kPass, model("0, 0, -1, 0, 0, 0, 0, 0", "Conv(n, w)"), "cuts off");
  expect_declines(kPass, model("1, 0, 0, 0, 0, 0, 0, 0", "Conv(n, w)"), "pads batch or channels",
                  {.executable = false});
  expect_declines(kPass, model(kOne, "Relu(n)"), std::nullopt);
  expect_declines(kPass, model(kOne, "Conv <auto_pad = \"SAME_UPPER\"> (n, w)"), "pads by itself");
}

}  // namespace
}  // namespace press::test
