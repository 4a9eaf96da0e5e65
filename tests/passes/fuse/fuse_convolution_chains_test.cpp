#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr const char* kPass = "fuse_convolution_chains";

std::string model(std::string_view body) {
  return R"(<ir_version: 8, opset_import: ["" : 13]> g (float[1,2,5,5] x) => (float[1,O,M,N] y)
      <float[3,2,1,1] w = {1.0, 2.0, -3.0, 4.0, 0.5, 6.0}, float[3] a = {1.0, -2.0, 3.0},
       float[1,3,1,1] v = {0.5, -1.0, 2.0}, float[1] b = {0.25},
       float[1,2,3,3] k = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5},
       float[1,1,1,1] u = {2.0}, float[3,1,1,1] wide = {2.0, 3.0, 4.0}, float[2,1,1,1] deep = {2.0, 3.0}> { )" +
         std::string(body) + " }";
}

TEST(FuseConvolutionChains, MakesOneOfTwo) {
  EXPECT_EQ(operators(run_pass(kPass, model("c = Conv(x, w, a) y = Conv(c, v, b)")).after), "Conv");
  EXPECT_EQ(operators(run_pass(kPass, model("c = Conv(x, w) y = Conv <kernel_shape = [1, 1]> (c, v)")).after),
            "Conv");
}

TEST(FuseConvolutionChains, KeepsKernelStridesAndPaddingOfTheFirst) {
  EXPECT_EQ(operators(run_pass(kPass, model("c = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (x, k, b) "
                                            "y = Conv(c, u)"))
                          .after),
            "Conv");
}

TEST(FuseConvolutionChains, LeavesWhatWouldCostMore) {
  // 18 and 3 products a place would become 54.
  expect_declines(kPass, model("c = Conv(x, k) y = Conv(c, wide)"), "products a place");
}

TEST(FuseConvolutionChains, LeavesGroupsPaddingAndOtherKernels) {
  expect_declines(kPass, model("c = Conv <group = 2> (x, deep) y = Conv <group = 2> (c, deep)"), "groups");
  expect_declines(kPass, model("c = Conv(x, w) y = Conv <pads = [1, 1, 1, 1]> (c, v)"), "padding");
  expect_declines(kPass, model("c = Conv(x, w) d = Relu(c) y = Conv(d, v)"), std::nullopt);
}

TEST(FuseConvolutionChains, LeavesAResultThatOthersRead) {
  expect_declines(kPass, model("c = Conv(x, w) d = Conv(c, v) y = Add(c, d)"), std::nullopt);
}

}  // namespace
}  // namespace press::test
