// Sessions that merge steps and turn activations give what node-by-node execution gives.
#include "runtime/session_support.h"

namespace press {
namespace {

void expect_same_as_reference(const std::string& body, const Dims& input) {
  const Model model = parsed(R"(<ir_version: 8, opset_import: ["" : 17]> )" + body);
  const std::vector<Tensor> inputs = {noise(input, 5)};
  const std::vector<Tensor> fast = run_graph(*model.graph, inputs);
  const std::vector<Tensor> plain = run_graph(*model.graph, inputs, {.reference = true});
  ASSERT_EQ(fast.size(), plain.size());
  for (std::size_t i = 0; i < fast.size(); ++i) {
    ASSERT_EQ(fast[i].dims(), plain[i].dims());
    EXPECT_LT(relative_difference(fast[i].data<float>(), plain[i].data<float>()), 1e-5) << body;
  }
}

// A 3x2x1x1 weight and parameters of three channels.
constexpr const char* kWeights = R"(<float[3,2,1,1] w = {0.5, -1, 2, 1, -0.25, 3}, float[3] s = {1, 2, 0.5},
  float[3] t = {0, -1, 1}, float[3] m = {0.1, 0.2, 0.3}, float[3] v = {1, 2, 0.5}>)";

TEST(PlanOptimizer, AbsorbsNormalizationResidualAndActivation) {
  expect_same_as_reference(std::string("g (float[N,2,4,5] x) => (float[N,3,4,5] y) ") + kWeights + R"({
    a = Conv(x, w)
    b = BatchNormalization(a, s, t, m, v)
    c = Relu(b)
    d = Conv(x, w)
    e = BatchNormalization(d, s, t, m, v)
    f = Add(e, c)
    y = LeakyRelu(f)
  })",
                           {2, 2, 4, 5});
}

TEST(PlanOptimizer, AbsorbsNormalizationAfterTransposedConvolution) {
  expect_same_as_reference(R"(g (float[N,2,4,5] x) => (float[N,6,5,6] y)
    <float[2,3,2,2] w = {1,2,3,4,5,6,7,8,9,10,11,12,-1,-2,-3,-4,-5,-6,-7,-8,-9,-10,-11,-12},
     float[6] s = {1, 2, 0.5, 3, 1, -1}, float[6] t = {0, -1, 1, 0, 2, 3}, float[6] m = {0, 0.2, 0.3, 0, 1, 2},
     float[6] v = {1, 2, 0.5, 1, 1, 1}> {
    a = ConvTranspose<group = 2>(x, w)
    y = BatchNormalization(a, s, t, m, v)
  })",
                           {1, 2, 4, 5});
}

TEST(PlanOptimizer, KeepsWhatHasTwoReaders) {
  expect_same_as_reference(
      std::string("g (float[N,2,4,5] x) => (float[N,3,4,5] y, float[N,3,4,5] a) ") + kWeights + R"({
    a = Conv(x, w)
    y = Relu(a)
  })",
      {1, 2, 4, 5});
}

TEST(PlanOptimizer, PoolsWithChannelsLast) {
  for (const char* pool :
       {"MaxPool<kernel_shape = [3, 2], strides = [2, 1], pads = [1, 0, 1, 1]>",
        "MaxPool<kernel_shape = [2, 2], dilations = [2, 1], ceil_mode = 1>",
        "AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = 1>",
        "AveragePool<kernel_shape = [2, 3], strides = [2, 2], pads = [0, 1, 1, 0], ceil_mode = 1>",
        "GlobalAveragePool", "GlobalMaxPool"}) {
    expect_same_as_reference(std::string("g (float[N,2,6,7] x) => (float[N,3,H,W] y) ") + kWeights +
                                 "{ a = Conv(x, w)\n y = " + pool + "(a) }",
                             {2, 2, 6, 7});
  }
}

TEST(PlanOptimizer, TurnsConstantsOfElementwiseOperators) {
  expect_same_as_reference(R"(g (float[N,2,4,5] x) => (float[N,6,4,5] y)
    <float[3,2,1,1] w = {0.5, -1, 2, 1, -0.25, 3}, float[3,1,1] k = {1, -2, 3}, float[5] row = {1, 2, 3, 4, 5},
     float one = {2.0}, float[1,3,1,1] slope = {0.1, 0.2, 0.3}> {
    a = Conv(x, w)
    b = Mul(a, k)
    c = Add(row, b)
    d = PRelu(c, slope)
    e = Div(d, one)
    y = Concat<axis = 1>(e, a)
  })",
                           {2, 2, 4, 5});
}

TEST(PlanOptimizer, MultipliesByGatesOfAnotherShape) {
  expect_same_as_reference(std::string("g (float[N,2,4,5] x) => (float[N,3,4,5] y) ") + kWeights + R"({
    a = Conv(x, w)
    p = GlobalAveragePool(a)
    q = Sigmoid(p)
    y = Mul(a, q)
  })",
                           {2, 2, 4, 5});
}

TEST(PlanOptimizer, QuantizesAndBackInOneStep) {
  expect_same_as_reference(
      std::string("g (float[N,2,4,5] x) => (float[N,3,4,5] y) ") +
          R"(<float[3,2,1,1] w = {0.5, -1, 2, 1, -0.25, 3}, float scale = {0.02}, uint8 zero = {100},
                                   float other = {0.03}> {
    a = Conv(x, w)
    b = QuantizeLinear(a, scale, zero)
    c = DequantizeLinear(b, scale, zero)
    d = QuantizeLinear(c, scale, zero)
    y = DequantizeLinear(d, other, zero)
  })",
      {2, 2, 4, 5});
}

TEST(PlanOptimizer, FlattensInTheOrderOfTheGraph) {
  expect_same_as_reference(std::string("g (float[N,2,4,5] x) => (float[N,60] y) ") + kWeights + R"({
    a = Conv(x, w)
    b = Clip(a)
    y = Flatten(b)
  })",
                           {2, 2, 4, 5});
}

TEST(PlanOptimizer, MatrixProductsAbsorbBiasResidualAndActivation) {
  for (const char* sum : {"c = Add(x, b)", "c = Add(b, u)", "c = Add(b, row)"}) {
    expect_same_as_reference(std::string(R"(g (float[N,3,2] x) => (float[N,3,2] y)
    <float[2,2] w = {0.5, -1, 2, 1}, float[2] v = {0.25, -0.5}, float[3,1] row = {1, 2, 3}> {
    u = Neg(x)
    a = MatMul(x, w)
    b = Add(v, a)
    )") + sum + "\n    y = Relu(c) }",
                             {2, 3, 2});
  }
}

TEST(PlanOptimizer, ResidualsThatAreReadAgainAreNotOverwritten) {
  expect_same_as_reference(R"(g (float[N,2,3,4] x) => (float[N,2,3,4] y, float[N,2,3,4] z)
    <float[2,2,1,1] w = {0.5, -1, 2, 1}> {
    u = Neg(x)
    a = Conv(x, w)
    y = Add(a, u)
    b = Conv(x, w)
    c = Add(b, x)
    d = Exp(u)
    z = Mul(c, d)
  })",
                           {2, 2, 3, 4});
}

}  // namespace
}  // namespace press
