#include <gtest/gtest.h>

#include "runtime/session_support.h"

namespace press {
namespace {

Tensor bytes(Dims dims, const std::vector<std::uint8_t>& values) {
  return Tensor::of<std::uint8_t>(std::move(dims), values);
}

TEST(QLinear, AddsRealValues) {
  const auto outputs = run_operators(
      17,
      R"((uint8[3] a, float as, uint8 az, uint8[1] b, float bs, uint8 bz, float ys, uint8 yz) => (y) {
        y = com.microsoft.QLinearAdd(a, as, az, b, bs, bz, ys, yz) })",
      {bytes({3}, {0, 10, 255}), floats({}, {0.5F}), bytes({}, {10}), bytes({1}, {4}), floats({}, {2}),
       bytes({}, {1}), floats({}, {1}), bytes({}, {5})});
  EXPECT_EQ(outputs.at(0), bytes({3}, {6, 11, 133}));  // -5 + 6, 0 + 6, 122.5 + 6 and half to even
}

TEST(QLinear, ConcatenatesWhatHasScalesOfItsOwn) {
  const auto outputs = run_operators(
      17,
      R"((float ys, uint8 yz, uint8[1] a, float as, uint8 az, uint8[2] b, float bs, uint8 bz) => (y) {
        y = com.microsoft.QLinearConcat<axis = 0>(ys, yz, a, as, az, b, bs, bz) })",
      {floats({}, {1}), bytes({}, {100}), bytes({1}, {7}), floats({}, {2}), bytes({}, {5}),
       bytes({2}, {3, 9}), floats({}, {0.5F}), bytes({}, {5})});
  EXPECT_EQ(outputs.at(0), bytes({3}, {104, 99, 102}));
}

TEST(QLinear, AveragesWithChannelsLast) {
  const auto outputs = run_operators(17,
                                     R"((uint8[1,1,2,2] x, float xs, uint8 xz, float ys, uint8 yz) => (y) {
        y = com.microsoft.QLinearGlobalAveragePool<channels_last = 1>(x, xs, xz, ys, yz) })",
                                     {bytes({1, 1, 2, 2}, {2, 10, 4, 30}), floats({}, {1}), bytes({}, {0}),
                                      floats({}, {0.5F}), bytes({}, {1})});
  EXPECT_EQ(outputs.at(0), bytes({1, 1, 1, 2}, {7, 41}));
}

TEST(QLinear, SoftmaxAndSigmoid) {
  const char* graph = R"((uint8[1,2] x, float xs, uint8 xz, float ys, uint8 yz) => (s, t) {
    s = com.microsoft.QLinearSoftmax<axis = -1, opset = 13>(x, xs, xz, ys, yz)
    t = com.microsoft.QLinearSigmoid(x, xs, xz, ys, yz) })";
  const auto outputs = run_operators(17, graph,
                                     {bytes({1, 2}, {128, 130}), floats({}, {0.5F}), bytes({}, {128}),
                                      floats({}, {1.0F / 256}), bytes({}, {0})});
  EXPECT_EQ(outputs.at(0), bytes({1, 2}, {69, 187}));  // 1 / (1 + e) · 256 = 68.8
  EXPECT_EQ(outputs.at(1), bytes({1, 2}, {128, 187}));
}

TEST(FusedMatMul, TransposesAndScales) {
  const auto outputs = run_operators(17,
                                     R"((float[2,1] a, float[2,2] b) => (y) {
                                       y = com.microsoft.FusedMatMul<transA = 1, transB = 1, alpha = 0.5>(a, b) })",
                                     {floats({2, 1}, {1, 2}), floats({2, 2}, {1, 2, 3, 4})});
  expect_floats(outputs.at(0), {1, 2}, {2.5F, 5.5F});
}

TEST(MatMulNBits, UnpacksBlocksOf4Bits) {
  // Two columns of 16 weights: 8 + row in steps of 0.5 with the middle as zero point, and all 1 above theirs.
  std::vector<std::uint8_t> packed(16, 0x44);
  for (std::size_t i = 0; i < 8; ++i) packed[i] = static_cast<std::uint8_t>((2 * i) | ((2 * i + 1) << 4));
  const char* graph = R"((float[1,16] a, uint8[2,1,8] b, float[2] s, uint8[2] z) => (y) {
    y = com.microsoft.MatMulNBits<K = 16, N = 2, bits = 4, block_size = 16>(a, b, s, z) })";
  std::vector<float> ones(16, 1.0F);
  const auto outputs = run_operators(
      17, graph,
      {floats({1, 16}, ones), bytes({2, 1, 8}, packed), floats({2}, {0.5F, 2}), bytes({2}, {8, 3})});
  expect_floats(outputs.at(0), {1, 2}, {-4, 32});
}

TEST(DynamicQuantizeMatMul, RoundsItsInputToBytes) {
  const auto outputs = run_operators(
      17,
      R"((float[1,2] a, uint8[2,1] b, float[1] s, uint8[1] z) => (y) {
                                       y = com.microsoft.DynamicQuantizeMatMul(a, b, s, z) })",
      {floats({1, 2}, {255, 1.4F}), bytes({2, 1}, {3, 12}), floats({1}, {0.5F}), bytes({1}, {2})});
  expect_floats(outputs.at(0), {1, 1}, {132.5F});  // 255 · 0.5 + 1 · 5
}

TEST(MatMulIntegerToFloat, TakesZeroPointsOff) {
  const auto outputs = run_operators(
      17,
      R"((uint8[1,2] a, uint8[2,1] b, float as, float[1] bs, uint8 az, uint8[1] bz, float[1] c) => (y) {
                                       y = com.microsoft.MatMulIntegerToFloat(a, b, as, bs, az, bz, c) })",
      {bytes({1, 2}, {5, 7}), bytes({2, 1}, {1, 2}), floats({}, {2}), floats({1}, {0.5F}), bytes({}, {5}),
       bytes({1}, {0}), floats({1}, {10})});
  expect_floats(outputs.at(0), {1, 1}, {14});
}

TEST(Contributed, FusedConvDoesWhatItsPartsDo) {
  const std::vector<Tensor> inputs = {noise({2, 3, 6, 5}, 1), noise({4, 3, 3, 3}, 2), noise({4}, 3),
                                      noise({2, 4, 6, 5}, 4)};
  const std::pair<const char*, const char*> activations[] = {
      {"activation = \"Relu\"", "Relu(s)"},
      {"activation = \"LeakyRelu\", activation_params = [0.25]", "LeakyRelu<alpha = 0.25>(s)"},
      {"activation = \"Sigmoid\"", "Sigmoid(s)"},
      {"activation = \"Clip\", activation_params = [-0.5, 0.75]", "Clip(s, low, high)"}};
  for (const auto& [attributes, tail] : activations) {
    const std::string head = "(float[N,3,H,W] x, float[4,3,3,3] w, float[4] b, float[N,4,H,W] z) => (y) ";
    const std::vector<Tensor> fused = run_operators(
        17, head + "{ y = com.microsoft.FusedConv<pads = [1, 1, 1, 1], " + attributes + ">(x, w, b, z) }",
        inputs);
    const std::vector<Tensor> parts =
        run_operators(17,
                      head +
                          "<float low = {-0.5}, float high = {0.75}> { c = Conv<pads = [1, 1, 1, 1]>(x, w, "
                          "b) s = Add(c, z) y = " +
                          tail + " }",
                      inputs);
    ASSERT_EQ(fused.size(), 1U);
    ASSERT_EQ(parts.size(), 1U);
    EXPECT_LT(relative_difference(fused[0].data<float>(), parts[0].data<float>()), 1e-6) << attributes;
  }
  const Model model = parsed(R"(<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
    g (float[1,1,3,3] x, float[1,1,1,1] w) => (float[1,1,3,3] y) {
      y = com.microsoft.FusedConv<activation = "Wave">(x, w) })");
  EXPECT_NE(failure(*model.graph, {noise({1, 1, 3, 3}), noise({1, 1, 1, 1})}).find("'Wave'"),
            std::string::npos);
}

}  // namespace
}  // namespace press
