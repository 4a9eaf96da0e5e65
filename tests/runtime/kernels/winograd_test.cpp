// Convolutions by Winograd's minimal filtering against the plain sums.
#include "runtime/kernels/winograd.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/session_support.h"

namespace press {
namespace {

struct Case {
  std::int64_t batch, channels, filters, height, width;
  const char* attributes;
  const char* tail;  // from c (and the residual r) to y
};

/// The first sample of a batch.
Tensor first_of(const Tensor& batch) {
  Dims dims = batch.dims();
  dims[0] = 1;
  Tensor sample = Tensor::allocate(batch.type(), dims).value();
  const std::span<std::byte> bytes = sample.mutable_bytes();
  std::ranges::copy(batch.bytes().first(bytes.size()), bytes.begin());
  return sample;
}

/// c = Conv(x) of constant weights and a bias, then the tail; r has the form of c.
std::string text_of(const Case& c) {
  const auto numbers = [](std::int64_t count, unsigned seed) {
    std::string text;
    const Tensor values = noise({count}, seed);
    for (const float value : values.data<float>()) {
      text += fmt::format("{}{:.6f}", text.empty() ? "" : ",", value);
    }
    return text;
  };
  return fmt::format(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,{0},{2},{3}] x, float[N,{1},{2},{3}] r) => (float[N,{1},P,Q] y)
    <float[{1},{0},3,3] w = {{{4}}}, float[{1}] b = {{{5}}}, float low = {{-6}}, float high = {{9}}> {{
      c = Conv<{6}>(x, w, b)
      {7}
    }})",
                     c.channels, c.filters, c.height, c.width, numbers(c.filters * c.channels * 9, 2),
                     numbers(c.filters, 3), c.attributes, c.tail);
}

TEST(Winograd, GivesWhatPlainSumsGive) {
  const Case cases[] = {
      {2, 32, 32, 16, 16, "pads = [1, 1, 1, 1]", "y = Relu(c)"},
      {3, 72, 40, 13, 18, "pads = [1, 1, 1, 1]", "y = LeakyRelu<alpha = 0.25>(c)"},
      {2, 40, 130, 17, 15, "pads = [0, 2, 1, 0]", "y = Clip(c, low, high)"},
      {2, 33, 32, 20, 20, "auto_pad = \"SAME_LOWER\"", "s = Add(c, r) y = Relu(s)"},
      {1, 32, 64, 30, 22, "auto_pad = \"SAME_UPPER\"", "y = Add(r, c)"},
  };
  for (const Case& c : cases) {
    const Model model = parsed(text_of(c));
    ASSERT_NE(model.graph, nullptr);
    const std::vector<Tensor> inputs = {noise({c.batch, c.channels, c.height, c.width}, 1),
                                        noise({c.batch, c.filters, c.height, c.width}, 4)};
    const std::vector<Tensor> plain = run_graph(*model.graph, inputs, {.reference = true});
    ASSERT_EQ(plain.size(), 1U);
    std::vector<Tensor> first;
    for (const int threads : {1, 2, 3}) {
      std::vector<Tensor> fast = run_graph(*model.graph, inputs, {.threads = threads});
      ASSERT_EQ(fast.size(), 1U);
      ASSERT_EQ(fast[0].dims(), plain[0].dims());
      EXPECT_LT(relative_difference(fast[0].data<float>(), plain[0].data<float>()), 1e-5) << c.tail;
      EXPECT_NE(fast[0], plain[0]) << "the plain sums were taken: " << c.tail;
      if (first.empty()) first = fast;
      EXPECT_EQ(fast[0], first[0]) << threads << " threads";
    }
    const std::vector<Tensor> single = {first_of(inputs[0]), first_of(inputs[1])};
    const std::vector<Tensor> alone = run_graph(*model.graph, single, {});
    ASSERT_EQ(alone.size(), 1U);
    EXPECT_EQ(alone[0], first_of(first[0])) << "another batch, other bits: " << c.tail;
  }
}

TEST(Winograd, PaysOnlyWhereItIsFaster) {
  onednn::ConvolutionSpec spec;
  spec.source = spec.target = {8, 64, 28, 28};
  spec.weights = {64, 64, 3, 3};
  spec.strides = spec.dilations = spec.pads_begin = spec.pads_end = {1, 1};
  spec.layout = onednn::Layout::kChannelsLast;
  EXPECT_TRUE(kernels::Winograd::pays(spec));
  const auto refuses = [&](const auto& change) {
    onednn::ConvolutionSpec other = spec;
    change(other);
    return !kernels::Winograd::pays(other);
  };
  EXPECT_TRUE(refuses([](auto& s) { s.strides = {1, 2}; }));
  EXPECT_TRUE(refuses([](auto& s) { s.dilations = {2, 1}; }));
  EXPECT_TRUE(refuses([](auto& s) { s.groups = 2; }));
  EXPECT_TRUE(refuses([](auto& s) { s.layout = onednn::Layout::kPlain; }));
  EXPECT_TRUE(refuses([](auto& s) { s.weights = {64, 64, 3, 1}; }));
  EXPECT_TRUE(refuses([](auto& s) { s.weights = {1024, 1024, 3, 3}; }));  // transformed, it takes 151 MB
  EXPECT_TRUE(refuses([](auto& s) { s.weights = {64, 3, 3, 3}; }));
  EXPECT_TRUE(refuses([](auto& s) { s.target = {1, 64, 7, 7}; }));
  EXPECT_TRUE(refuses([](auto& s) { s.activation.kind = onednn::Activation::Kind::kTanh; }));
}

}  // namespace
}  // namespace press
