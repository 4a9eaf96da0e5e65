// Conv and ConvTranspose against loops in double precision that follow the definition.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <numeric>

#include "runtime/session_support.h"

namespace press {
namespace {

struct Case {
  Dims source;
  Dims weights;
  std::int64_t groups = 1;
  Dims strides, dilations, pads;  // pads: begin, then end
  bool bias = true;
  bool transposed = false;
  Dims output_padding = {};
};

std::string attributes(const Case& c) {
  std::string text =
      fmt::format("group = {}, strides = [{}], dilations = [{}], pads = [{}]", c.groups,
                  fmt::join(c.strides, ","), fmt::join(c.dilations, ","), fmt::join(c.pads, ","));
  if (!c.output_padding.empty())
    text += fmt::format(", output_padding = [{}]", fmt::join(c.output_padding, ","));
  return text;
}

Model model_of(const Case& c) {
  const std::string any(c.source.size() * 2 - 1, '?');
  std::string dims = "A";
  for (std::size_t i = 1; i < c.source.size(); ++i) dims += fmt::format(",D{}", i);
  std::string weight_dims = "O";
  for (std::size_t i = 1; i < c.weights.size(); ++i) weight_dims += fmt::format(",W{}", i);
  return parsed(fmt::format(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[{0}] x, float[{1}] w{2}) => (float[{0}] y) {{ y = {3}<{4}>(x, w{5}) }})",
                            dims, weight_dims, c.bias ? ", float[B] b" : "",
                            c.transposed ? "ConvTranspose" : "Conv", attributes(c), c.bias ? ", b" : ""));
}

/// Splits a flat index into coordinates.
Dims coordinates(std::int64_t index, const Dims& dims) {
  Dims result(dims.size());
  for (std::size_t i = dims.size(); i-- > 0;) {
    result[i] = index % dims[i];
    index /= dims[i];
  }
  return result;
}

std::int64_t flat(const Dims& at, const Dims& dims) {
  std::int64_t index = 0;
  for (std::size_t i = 0; i < dims.size(); ++i) index = index * dims[i] + at[i];
  return index;
}

/// Every product of an input element and a weight goes where the definition says.
std::vector<float> expected(const Case& c, const Tensor& x, const Tensor& w, const Tensor& b,
                            const Dims& target) {
  const std::int64_t count = *element_count(target);
  std::vector<double> sums(static_cast<std::size_t>(count), 0);
  const std::size_t axes = c.source.size() - 2;
  const std::int64_t outputs_per_group = target[1] / c.groups;
  const std::int64_t inputs_per_group = c.source[1] / c.groups;
  // Walk over (small side, weight): for Conv the output, for ConvTranspose the input.
  const Dims& small = c.transposed ? c.source : target;
  const Dims& large = c.transposed ? target : c.source;
  for (std::int64_t i = 0; i < *element_count(small); ++i) {
    const Dims at = coordinates(i, small);
    const std::int64_t per_group = c.transposed ? inputs_per_group : outputs_per_group;
    for (std::int64_t j = 0; j < w.size(); ++j) {
      const Dims tap = coordinates(j, c.weights);
      if (tap[0] != at[1]) continue;
      Dims other = at;
      other[1] = at[1] / per_group * (c.transposed ? outputs_per_group : inputs_per_group) + tap[1];
      bool inside = true;
      for (std::size_t k = 0; k < axes; ++k) {
        other[k + 2] = at[k + 2] * c.strides[k] - c.pads[k] + tap[k + 2] * c.dilations[k];
        inside = inside && other[k + 2] >= 0 && other[k + 2] < large[k + 2];
      }
      if (!inside) continue;
      const auto from = static_cast<std::size_t>(c.transposed ? i : flat(other, large));
      const auto to = static_cast<std::size_t>(c.transposed ? flat(other, large) : i);
      sums[to] += static_cast<double>(x.data<float>()[from]) * w.data<float>()[static_cast<std::size_t>(j)];
    }
  }
  std::vector<float> result;
  for (std::int64_t i = 0; i < count; ++i) {
    const double bias = c.bias ? b.data<float>()[static_cast<std::size_t>(coordinates(i, target)[1])] : 0.0;
    result.push_back(static_cast<float>(sums[static_cast<std::size_t>(i)] + bias));
  }
  return result;
}

TEST(Convolution, FollowsTheDefinition) {
  const std::vector<Case> cases = {
      {{2, 3, 7, 9}, {4, 3, 3, 3}, 1, {1, 1}, {1, 1}, {1, 1, 1, 1}},
      {{1, 3, 8, 8}, {5, 3, 3, 2}, 1, {2, 3}, {1, 1}, {0, 1, 2, 0}},
      {{1, 4, 9, 9}, {6, 2, 3, 3}, 2, {1, 1}, {2, 1}, {2, 1, 2, 1}, false},
      {{3, 16, 6, 6}, {16, 1, 3, 3}, 16, {2, 2}, {1, 1}, {1, 1, 1, 1}},
      {{1, 32, 5, 5}, {64, 32, 1, 1}, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, false},
      {{2, 3, 20}, {4, 3, 5}, 1, {2}, {2}, {3, 1}},
      {{1, 2, 5, 6, 7}, {3, 2, 2, 3, 3}, 1, {1, 2, 1}, {1, 1, 2}, {0, 1, 2, 1, 1, 2}},
      {{1, 3, 5, 5}, {3, 4, 3, 3}, 1, {2, 2}, {1, 1}, {1, 1, 1, 1}, true, true, {1, 1}},
      {{2, 4, 6, 5}, {4, 3, 2, 3}, 2, {1, 2}, {2, 1}, {0, 1, 1, 0}, false, true},
      {{1, 6, 9}, {6, 1, 4}, 6, {2}, {1}, {1, 1}, true, true},
  };
  for (const Case& c : cases) {
    const Model model = model_of(c);
    const Tensor x = noise(c.source, 1);
    const Tensor w = noise(c.weights, 2);
    const Tensor b = noise({c.transposed ? c.weights[1] * c.groups : c.weights[0]}, 3);
    std::vector<Tensor> inputs = {x, w};
    if (c.bias) inputs.push_back(b);
    for (const int threads : {1, 2}) {
      const std::vector<Tensor> outputs = run_graph(*model.graph, inputs, {.threads = threads});
      ASSERT_EQ(outputs.size(), 1U) << attributes(c);
      const std::vector<float> wanted = expected(c, x, w, b, outputs[0].dims());
      EXPECT_LT(relative_difference(outputs[0].data<float>(), wanted), 1e-5) << attributes(c);
    }
  }
}

/// The error of a 3x3 convolution with these attributes on inputs of these dims.
std::string complaint(const std::string& attributes, Dims x = {1, 2, 5, 5}, Dims w = {2, 2, 3, 3}) {
  const Model model = parsed(fmt::format(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[A,B,C,D] x, float[E,F,G,H] w) => (float[I,J,K,L] y) {{ y = Conv<{}>(x, w) }})",
                                         attributes));
  return failure(*model.graph, {noise(std::move(x)), noise(std::move(w))});
}

TEST(Convolution, RefusesWhatMakesNoSense) {
  for (const char* attributes :
       {"strides = [0, 1]", "strides = [1]", "dilations = [1, 0]", "pads = [-1, 0, 0, 0]", "pads = [1, 1]",
        "group = 0", "group = 3", "group = -1", "auto_pad = \"BOGUS\"", "kernel_shape = [2, 2]",
        "pads = [4611686018427387904, 0, 0, 0]"}) {
    EXPECT_NE(complaint(attributes), "") << attributes;
  }
  EXPECT_NE(complaint("group = 1", {1, 2, 2, 2}), "") << "a kernel larger than the input";
  EXPECT_NE(complaint("group = 1", {1, 3, 5, 5}), "") << "channels that do not fit";
  EXPECT_NE(complaint("pads = [1000000, 1000000, 1000000, 1000000]"), "") << "more than memory";
}

TEST(Convolution, AcceptsEmptyBatchesAndChannels) {
  EXPECT_EQ(complaint("group = 1", {0, 2, 5, 5}), "");
  EXPECT_EQ(complaint("group = 1", {1, 0, 5, 5}, {2, 0, 3, 3}), "");
}

}  // namespace
}  // namespace press
