// Convolutions onto a residual, part by part, against node-by-node execution.
#include "runtime/kernels/residual_convolution.h"

#include <fmt/format.h>

#include "runtime/session_support.h"

namespace press {
namespace {

/// A convolution of constant weights onto a residual that has the form of its result.
Model model_of(int channels, int filters, int kernel) {
  const Tensor weights = noise({filters, channels, kernel, kernel}, 2);
  std::string text;
  for (const float value : weights.data<float>())
    text += fmt::format("{}{:.6f}", text.empty() ? "" : ",", value);
  return parsed(fmt::format(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,{0},H,W] x, float[N,{1},H,W] r) => (float[N,{1},H,W] y) <float[{1},{0},{2},{2}] w = {{{3}}}> {{
      c = Conv<pads = [{4}, {4}, {4}, {4}]>(x, w)
      q = Neg(r)
      s = Add(c, q)
      y = Relu(s)
    }})",
                            channels, filters, kernel, text, kernel / 2));
}

TEST(ResidualConvolution, GivesTheSameAsTheNodesOneByOne) {
  for (const int kernel : {1, 3}) {
    const Model model = model_of(8, 64, kernel);
    for (const std::int64_t batch : {4, 1}) {
      const std::vector<Tensor> inputs = {noise({batch, 8, 42, 110}, 3), noise({batch, 64, 42, 110}, 4)};
      const std::vector<Tensor> plain = run_graph(*model.graph, inputs, {.reference = true});
      ASSERT_EQ(plain.size(), 1U);
      std::vector<Tensor> first;
      for (const int threads : {1, 2, 3}) {
        const std::vector<Tensor> fast = run_graph(*model.graph, inputs, {.threads = threads});
        ASSERT_EQ(fast.size(), 1U);
        EXPECT_LT(relative_difference(fast[0].data<float>(), plain[0].data<float>()), 1e-5) << kernel;
        if (first.empty()) first = fast;
        EXPECT_EQ(fast[0], first[0]) << threads << " threads";
      }
    }
  }
}

TEST(ResidualConvolution, PaysForLargeTargetsThatCanBeCut) {
  onednn::ConvolutionSpec spec;
  spec.source = {8, 64, 56, 56};
  spec.target = {8, 256, 56, 56};
  spec.weights = {256, 64, 1, 1};
  spec.strides = spec.dilations = {1, 1};
  spec.pads_begin = spec.pads_end = {0, 0};
  spec.layout = onednn::Layout::kChannelsLast;
  const auto pays = [&](const auto& change, int threads) {
    onednn::ConvolutionSpec other = spec;
    change(other);
    return kernels::ResidualConvolution::pays(other, 1, threads);
  };
  EXPECT_TRUE(pays([](auto&) {}, 1));
  EXPECT_TRUE(pays([](auto&) {}, 2));
  EXPECT_FALSE(pays([](auto& s) { s.layout = onednn::Layout::kPlain; }, 1));
  EXPECT_FALSE(pays([](auto& s) { s.source[0] = s.target[0] = 1; }, 1)) << "it fits the cache";
  EXPECT_FALSE(pays(
      [](auto& s) {
        s.weights = {256, 64, 3, 3}, s.pads_begin = {1, 1};
      },
      1))
      << "an image does not fit the cache, and its rows depend on each other";
}

}  // namespace
}  // namespace press
