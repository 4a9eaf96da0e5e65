// Quantized networks run on integers and give what the operators' definitions give, within one step of the
// result.
#include <fmt/format.h>

#include <random>

#include "runtime/session_support.h"

namespace press {
namespace {

constexpr const char* kHeader =
    R"(<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1, "local" : 1]> )";

/// Repeatable integers between low and high, as text.
std::string integers(std::size_t count, int low, int high, unsigned seed) {
  std::mt19937 random(seed);
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ",
                        low + static_cast<int>(random() % static_cast<unsigned>(high - low + 1)));
  }
  return text;
}

/// Scales around `scale`, as text.
std::string scales(std::size_t count, double scale, unsigned seed) {
  std::mt19937 random(seed);
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text +=
        fmt::format("{}{}", i == 0 ? "" : ", ", scale * (0.5 + static_cast<double>(random() % 1000) / 1000));
  }
  return text;
}

std::vector<int> bytes_of(const Tensor& tensor) {
  std::vector<int> values;
  if (tensor.type() == DataType::kInt8) {
    values.assign(tensor.data<std::int8_t>().begin(), tensor.data<std::int8_t>().end());
  } else if (tensor.type() == DataType::kUint8) {
    values.assign(tensor.data<std::uint8_t>().begin(), tensor.data<std::uint8_t>().end());
  }
  return values;
}

/// Outputs of bytes: equal within one step; of floats: within 1e-5. `integer_steps`: at least as many steps
/// work on integers.
void expect_within_one_step(const std::string& body, const std::vector<Tensor>& inputs, int integer_steps) {
  const Model model = parsed(kHeader + body);
  ASSERT_NE(model.graph, nullptr);
  const std::vector<Tensor> plain = run_graph(*model.graph, inputs, {.reference = true});
  for (const int threads : {1, 2}) {
    Result<Session> session = Session::create(*model.graph, {.threads = threads, .profile = true});
    ASSERT_TRUE(session.ok()) << session.error().message();
    Result<std::vector<Tensor>> fast = session->run(inputs);
    ASSERT_TRUE(fast.ok()) << fast.error().message() << "\n" << body;
    ASSERT_EQ(fast->size(), plain.size());
    int found = 0;
    std::string steps;
    for (const StepTime& step : session->profile()) {
      found += step.operators.ends_with(" int8") ? 1 : 0;
      steps += step.operators + "\n";
    }
    EXPECT_GE(found, integer_steps) << body << "\n" << steps;
    for (std::size_t i = 0; i < plain.size(); ++i) {
      ASSERT_EQ((*fast)[i].type(), plain[i].type());
      ASSERT_EQ((*fast)[i].dims(), plain[i].dims());
      if (plain[i].type() == DataType::kFloat) {
        EXPECT_LT(relative_difference((*fast)[i].data<float>(), plain[i].data<float>()), 1e-5) << body;
        continue;
      }
      const std::vector<int> a = bytes_of((*fast)[i]);
      const std::vector<int> b = bytes_of(plain[i]);
      ASSERT_FALSE(a.empty());
      for (std::size_t j = 0; j < a.size(); ++j)
        ASSERT_LE(std::abs(a[j] - b[j]), 1) << "output " << i << ", element " << j << body << "\n" << steps;
      // Steps apart are rare: they come of ties that floats do not see.
      std::size_t apart = 0;
      for (std::size_t j = 0; j < a.size(); ++j) apart += a[j] != b[j] ? 1 : 0;
      EXPECT_LE(apart, 1 + a.size() / 50) << body;
    }
  }
}

struct Byte {
  const char* type;
  int zero_point;
};
constexpr Byte kBytes[] = {{"uint8", 0}, {"uint8", 113}, {"int8", 0}, {"int8", -128}, {"int8", 11}};

TEST(IntegerSteps, Convolutions) {
  struct Shape {
    int channels, filters, groups, kernel;
    const char* attributes;
  };
  const Shape shapes[] = {{3, 8, 1, 3, "pads = [1, 1, 1, 1]"},
                          {16, 16, 16, 3, "pads = [1, 1, 1, 1], strides = [2, 2]"},
                          {6, 4, 2, 3, "pads = [0, 1, 2, 1]"},
                          {5, 7, 1, 1, "strides = [1, 2]"},
                          {4, 4, 4, 3, "dilations = [2, 1], auto_pad = \"SAME_UPPER\""},
                          {32, 16, 1, 1, "kernel_shape = [1, 1]"}};
  unsigned seed = 0;
  for (const Shape& shape : shapes) {
    for (const Byte& in : kBytes) {
      for (const char* activation : {"Identity", "Relu", "Clip", "Sigmoid"}) {
        const Byte& out = kBytes[++seed % std::size(kBytes)];
        const bool clip = std::string_view(activation) == "Clip";
        const auto f = static_cast<std::size_t>(shape.filters);
        const int per_group = shape.channels / shape.groups;
        expect_within_one_step(
            fmt::format(
                R"(g (float[N,{c},7,6] x) => ({ot}[N,{f},H,W] y)
    <float s = {{0.011}}, {it} z = {{{iz}}}, int8[{f},{pg},{k},{k}] w = {{{w}}}, float[{f}] ws = {{{ws}}},
     int32[{f}] b = {{{b}}}, float[{f}] bs = {{{bs}}}, float os = {{{os}}}, {ot} oz = {{{oz}}},
     float zero = {{0}}, float six = {{0.5}}> {{
    q = QuantizeLinear(x, s, z)
    d = DequantizeLinear(q, s, z)
    wd = DequantizeLinear<axis = 0>(w, ws)
    bd = DequantizeLinear<axis = 0>(b, bs)
    c = Conv<group = {g}, {attributes}>(d, wd, bd)
    r = {activation}(c{bounds})
    y = QuantizeLinear(r, os, oz)
  }})",
                fmt::arg("c", shape.channels), fmt::arg("f", f), fmt::arg("pg", per_group),
                fmt::arg("k", shape.kernel), fmt::arg("g", shape.groups),
                fmt::arg("attributes", shape.attributes), fmt::arg("activation", activation),
                fmt::arg("bounds", clip ? ", zero, six" : ""), fmt::arg("it", in.type),
                fmt::arg("iz", in.zero_point), fmt::arg("ot", out.type), fmt::arg("oz", out.zero_point),
                fmt::arg("os", 0.007), fmt::arg("b", integers(f, -3000, 3000, seed)),
                fmt::arg("bs", scales(f, 0.0001, seed)),
                fmt::arg("w", integers(f * static_cast<std::size_t>(per_group * shape.kernel * shape.kernel),
                                       -127, 127, seed)),
                fmt::arg("ws", scales(f, 0.002, seed))),
            {noise({2, shape.channels, 7, 6}, seed)}, 1);
      }
    }
  }
}

TEST(IntegerSteps, ResidualsAreAddedInPlaceWithTheRoundingBetween) {
  for (const Byte& type : kBytes) {
    for (const char* activation : {"Identity", "Relu", "Clip"}) {
      for (const bool again : {false, true}) {  // the residual is read once more: it may not be overwritten
        expect_within_one_step(
            fmt::format(R"(g (float[N,8,5,6] x) => ({t}[N,8,5,6] y, {t}[N,8,5,6] u)
    <float s = {{0.013}}, {t} z = {{{z}}}, int8[8,8,3,3] w = {{{w}}}, float[8] ws = {{{ws}}}, float cs = {{0.02}},
     {t} cz = {{{cz}}}, float os = {{0.021}}, {t} oz = {{{z}}},
     float lo = {{-0.3}}, float hi = {{0.9}}> {{
    q = QuantizeLinear(x, s, z)
    d = DequantizeLinear(q, s, z)
    wd = DequantizeLinear<axis = 0>(w, ws)
    a = Conv<pads = [1, 1, 1, 1]>(d, wd)
    aq = QuantizeLinear(a, cs, cz)
    ad = DequantizeLinear(aq, cs, cz)
    c = Conv<pads = [1, 1, 1, 1]>(ad, wd)
    b = {activation}(c{bounds})
    bq = QuantizeLinear(b, cs, cz)
    bd = DequantizeLinear(bq, cs, cz)
    sum = Add(bd, {other})
    r = {activation}(sum{bounds})
    y = QuantizeLinear(r, os, oz)
    rest = Relu({other})
    u = QuantizeLinear(rest, os, oz)
  }})",
                        fmt::arg("t", type.type), fmt::arg("z", type.zero_point),
                        fmt::arg("cz", type.type[0] == 'u' ? 128 : 3), fmt::arg("activation", activation),
                        fmt::arg("bounds", activation[0] == 'C' ? ", lo, hi" : ""),
                        fmt::arg("other", again ? "d" : "ad"), fmt::arg("w", integers(576, -127, 127, 5)),
                        fmt::arg("ws", scales(8, 0.0005, 6))),
            {noise({2, 8, 5, 6}, 3)}, 3);
      }
    }
  }
}

TEST(IntegerSteps, WeightsThatFunctionsMakeOfConstantsAreKnown) {
  // No type is declared behind the call: that the shapes of the sum agree follows from what the call gives.
  const std::string body =
      fmt::format(R"(g (float[N,8,5,6] x) => (uint8[N,8,5,6] y)
    <float s = {{0.013}}, uint8 z = {{120}}, int8[64] w = {{{w}}}, int64[4] shape = {{8, 8, 1, 1}},
     float[8] ws = {{{ws}}}> {{
    q = QuantizeLinear(x, s, z)
    d = DequantizeLinear(q, s, z)
    made = local.Make(w, shape)
    wd = DequantizeLinear<axis = 0>(made, ws)
    a = Conv(d, wd)
    aq = QuantizeLinear(a, s, z)
    ad = DequantizeLinear(aq, s, z)
    m = MaxPool<kernel_shape = [1, 1]>(d)
    mq = QuantizeLinear(m, s, z)
    md = DequantizeLinear(mq, s, z)
    sum = Add(ad, md)
    y = QuantizeLinear(sum, s, z)
  }}
  <domain: "local", opset_import: ["" : 17]>
  Make (flat, shape) => (whole) {{
    whole = Reshape(flat, shape)
  }})",
                  fmt::arg("w", integers(64, -127, 127, 5)), fmt::arg("ws", scales(8, 0.002, 6)));
  const std::vector<Tensor> inputs = {noise({2, 8, 5, 6}, 3)};
  expect_within_one_step(body, inputs, 2);
  const Model model = parsed(kHeader + body);
  Result<Session> session = Session::create(*model.graph, {.profile = true});
  ASSERT_TRUE(session.ok() && session->run(inputs).ok());
  EXPECT_TRUE(std::ranges::any_of(session->profile(), [](const StepTime& step) {
    return step.operators == "Conv+QuantizeLinear int8+Add+QuantizeLinear int8";
  }));
}

TEST(IntegerSteps, ResidualsOfLargeConvolutionsAreAddedPartByPart) {
  const std::string body = fmt::format(R"(g (uint8[N,16,H,W] x, uint8[N,64,H,W] r) => (uint8[N,64,H,W] y)
    <float s = {{0.02}}, uint8 z = {{128}}, int8[64,16,1,1] w = {{{}}}, float ws = {{0.01}}, int8 wz = {{0}}> {{
    d = DequantizeLinear(x, s, z)
    e = DequantizeLinear(r, s, z)
    f = Relu(e)
    q = QuantizeLinear(f, s, z)
    g = DequantizeLinear(q, s, z)
    wd = DequantizeLinear(w, ws, wz)
    c = Conv(d, wd)
    cq = QuantizeLinear(c, s, z)
    cd = DequantizeLinear(cq, s, z)
    a = Add(cd, g)
    y = QuantizeLinear(a, s, z)
  }})",
                                       integers(std::size_t{64} * 16, -40, 40, 5));
  const auto bytes = [](const Dims& dims, unsigned seed) {
    Tensor tensor = Tensor::allocate(DataType::kUint8, dims).value();
    std::mt19937 random(seed);
    for (std::uint8_t& value : tensor.mutable_data<std::uint8_t>())
      value = static_cast<std::uint8_t>(random());
    return tensor;
  };
  expect_within_one_step(body, {bytes({6, 16, 60, 64}, 1), bytes({6, 64, 60, 64}, 2)}, 2);
}

TEST(IntegerSteps, MatrixProducts) {
  for (const Byte& in : kBytes) {
    for (const char* product : {"Gemm<transB = 1>(d, wd, bd)", "Gemm(d, vd, bd)", "MatMul(d, vd)"}) {
      expect_within_one_step(
          fmt::format(R"(g (float[N,9] x) => ({t}[N,5] y, float[N,5] plain)
    <float s = {{0.009}}, {t} z = {{{z}}}, int8[5,9] w = {{{w}}}, float[5] ws = {{{ws}}}, uint8[9,5] v = {{{v}}},
     float vs = {{0.004}}, uint8 vz = {{128}}, int32[5] b = {{{b}}}, float[5] bs = {{{bs}}}, float os = {{0.01}},
     {t} oz = {{{z}}}> {{
    q = QuantizeLinear(x, s, z)
    d = DequantizeLinear(q, s, z)
    wd = DequantizeLinear<axis = 0>(w, ws)
    vd = DequantizeLinear(v, vs, vz)
    bd = DequantizeLinear<axis = 0>(b, bs)
    m = {product}
    y = QuantizeLinear(m, os, oz)
    p = {product}
    plain = Tanh(p)
  }})",
                      fmt::arg("t", in.type), fmt::arg("z", in.zero_point), fmt::arg("product", product),
                      fmt::arg("w", integers(45, -127, 127, 1)), fmt::arg("ws", scales(5, 0.003, 2)),
                      fmt::arg("v", integers(45, 1, 255, 3)), fmt::arg("b", integers(5, -999, 999, 4)),
                      fmt::arg("bs", scales(5, 0.0002, 5))),
          {noise({7, 9}, 4)}, 2);
    }
  }
}

TEST(IntegerSteps, VectorsAreAddedBehindQuantizedProducts) {
  for (const Byte& in : kBytes) {
    expect_within_one_step(
        fmt::format(R"(g (float[N,4,9] x) => ({t}[N,4,21] y)
    <float s = {{0.009}}, {t} z = {{{z}}}, int8[9,21] w = {{{w}}}, float ws = {{0.004}}, int8 wz = {{0}},
     int8[21] v = {{{v}}}, float os = {{0.02}}> {{
    q = QuantizeLinear(x, s, z)
    d = DequantizeLinear(q, s, z)
    wd = DequantizeLinear(w, ws, wz)
    m = MatMul(d, wd)
    mq = QuantizeLinear(m, os, z)
    md = DequantizeLinear(mq, os, z)
    vd = DequantizeLinear(v, s, wz)
    sum = Add(vd, md)
    y = QuantizeLinear(sum, os, z)
  }})",
                    fmt::arg("t", in.type), fmt::arg("z", in.zero_point),
                    fmt::arg("w", integers(189, -127, 127, 1)), fmt::arg("v", integers(21, -127, 127, 3))),
        {noise({2, 4, 9}, 4)}, 2);
  }
}

TEST(IntegerSteps, ElementwiseOperatorsAndMeans) {
  for (const Byte& a : kBytes) {
    for (const Byte& b : kBytes) {
      for (const char* node : {"Add(p, r)", "Mul(p, r)", "Add(p, g)", "Mul(g, p)"}) {
        expect_within_one_step(
            fmt::format(R"(g (float[N,3,5,4] x, float[N,3,5,4] u) => ({bt}[N,3,5,4] y, {at}[N,3,1,1] m)
    <float s = {{0.009}}, {at} z = {{{az}}}, float t = {{0.012}}, {bt} v = {{{bz}}}, float o = {{0.015}}> {{
    xq = QuantizeLinear(x, s, z)
    p = DequantizeLinear(xq, s, z)
    uq = QuantizeLinear(u, t, v)
    r = DequantizeLinear(uq, t, v)
    mean = GlobalAveragePool(p)
    m = QuantizeLinear(mean, s, z)
    g = DequantizeLinear(m, s, z)
    e = {node}
    y = QuantizeLinear(e, o, v)
  }})",
                        fmt::arg("at", a.type), fmt::arg("az", a.zero_point), fmt::arg("bt", b.type),
                        fmt::arg("bz", b.zero_point), fmt::arg("node", node)),
            {noise({2, 3, 5, 4}, 8), noise({2, 3, 5, 4}, 9)}, 2);
      }
    }
  }
}

TEST(IntegerSteps, FunctionsOfOneElementBecomeTables) {
  for (const Byte& in : kBytes) {
    for (const char* nodes : {"e = Sigmoid(d)", "h = HardSwish(d)\n e = Neg(h)", "e = LeakyRelu(d)",
                              "e = Mul(two, d)", "h = Erf(d)\n i = Add(h, two)\n e = Pow(i, two)"}) {
      expect_within_one_step(
          fmt::format(R"(g (float[N,300] x) => (uint8[N,300] y)
    <float s = {{0.009}}, {t} z = {{{z}}}, float two = {{2}}, float o = {{0.02}}, uint8 v = {{90}}> {{
    q = QuantizeLinear(x, s, z)
    d = DequantizeLinear(q, s, z)
    {nodes}
    y = QuantizeLinear(e, o, v)
  }})",
                      fmt::arg("t", in.type), fmt::arg("z", in.zero_point), fmt::arg("nodes", nodes)),
          {noise({2, 300}, 8)}, 1);
    }
  }
}

TEST(IntegerSteps, ValuesThatPassUnchangedPassAsIntegers) {
  expect_within_one_step(R"(g (float[N,2,4,6] x) => (uint8[M,K] y, float[N,2,2,3] pooled, uint8[N,4,4,6] both)
    <float s = {0.009}, uint8 z = {100}, float t = {0.011}, int64[2] shape = {-1, 4}> {
    q = QuantizeLinear(x, s, z)
    d = DequantizeLinear(q, s, z)
    pooled = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(d)
    turned = Transpose<perm = [0, 2, 3, 1]>(pooled)
    flat = Reshape(turned, shape)
    y = QuantizeLinear(flat, s, z)
    e = Relu(d)
    f = QuantizeLinear(e, t, z)
    g = DequantizeLinear(f, t, z)
    c = Concat<axis = 1>(d, g)
    both = QuantizeLinear(c, t, z)
  })",
                         {noise({2, 2, 4, 6}, 8)}, 6);
}

TEST(IntegerSteps, QLinearOperators) {
  for (const Byte& in : kBytes) {
    expect_within_one_step(
        fmt::format(R"(g (float[N,4,5,5] x) => ({t}[N,6,5,5] y, {t}[N,4,5,3] p)
    <float s = {{0.009}}, {t} z = {{{z}}}, int8[6,4,3,3] w = {{{w}}}, float[6] ws = {{{ws}}}, int8[6] wz = {{0, 0, 0, 0, 0, 0}},
     int32[6] b = {{{b}}}, float os = {{0.02}}, int8[5,3] v = {{{v}}}, float vs = {{0.004}}, int8 vz = {{0}}> {{
    q = QuantizeLinear(x, s, z)
    y = QLinearConv<pads = [1, 1, 1, 1]>(q, s, z, w, ws, wz, os, z, b)
    p = QLinearMatMul(q, s, z, v, vs, vz, os, z)
  }})",
                    fmt::arg("t", in.type), fmt::arg("z", in.zero_point),
                    fmt::arg("w", integers(216, -127, 127, 1)), fmt::arg("ws", scales(6, 0.002, 2)),
                    fmt::arg("b", integers(6, -3000, 3000, 4)), fmt::arg("v", integers(15, -127, 127, 3))),
        {noise({2, 4, 5, 5}, 8)}, 2);
  }
}

TEST(IntegerSteps, ContributedQLinearOperators) {
  for (const Byte& in : kBytes) {
    for (const int transposed : {0, 1}) {
      expect_within_one_step(
          fmt::format(R"(g (float[N,15] x, float[N,4,5,6] i) => ({t}[N,7] y, float[N,7] f, {t}[N,4,1,1] a)
    <float s = {{0.009}}, {t} z = {{{z}}}, int8[{rows},{columns}] w = {{{w}}}, float[7] ws = {{{ws}}},
     int8[7] wz = {{0, 0, 0, 0, 0, 0, 0}}, int32[7] b = {{{b}}}, float os = {{0.02}}> {{
    q = QuantizeLinear(x, s, z)
    y = com.microsoft.QGemm<transB = {transposed}, alpha = 1.5>(q, s, z, w, ws, wz, b, os, z)
    f = com.microsoft.QGemm<transB = {transposed}>(q, s, z, w, ws, wz)
    r = QuantizeLinear(i, s, z)
    a = com.microsoft.QLinearGlobalAveragePool(r, s, z, os, z)
  }})",
                      fmt::arg("t", in.type), fmt::arg("z", in.zero_point),
                      fmt::arg("transposed", transposed), fmt::arg("rows", transposed != 0 ? 7 : 15),
                      fmt::arg("columns", transposed != 0 ? 15 : 7),
                      fmt::arg("w", integers(105, -127, 127, 1)), fmt::arg("ws", scales(7, 0.002, 2)),
                      fmt::arg("b", integers(7, -3000, 3000, 4))),
          {noise({3, 15}, 8), noise({3, 4, 5, 6}, 9)}, 3);
    }
  }
}

/// int32 results are the same as node by node, bit for bit.
void expect_equal_sums(const std::string& body, const std::vector<Tensor>& inputs, int integer_steps) {
  const Model model = parsed(kHeader + body);
  const std::vector<Tensor> plain = run_graph(*model.graph, inputs, {.reference = true});
  for (const int threads : {1, 2}) {
    Result<Session> session = Session::create(*model.graph, {.threads = threads, .profile = true});
    ASSERT_TRUE(session.ok()) << session.error().message();
    for (int turn = 0; turn < 2; ++turn) {
      Result<std::vector<Tensor>> fast = session->run(inputs);
      ASSERT_TRUE(fast.ok()) << fast.error().message() << body;
      EXPECT_EQ(*fast, plain) << body;
    }
    EXPECT_EQ(std::ranges::count_if(session->profile(),
                                    [](const StepTime& step) { return step.operators.ends_with(" int8"); }),
              integer_steps);
  }
}

TEST(IntegerSteps, SumsOfMatrixProductsAreExact) {
  for (const char* weights : {"int8", "uint8"}) {
    const bool centred = weights[0] == 'i';
    expect_equal_sums(
        fmt::format(R"(g (float[N,3,20] x) => (int32[N,3,12] y, int32[N,3,12] u)
    <{t}[20,12] w = {{{w}}}, {t}[12] z = {{{z}}}, {t} one = {{{one}}}> {{
    q, s, zero = DynamicQuantizeLinear(x)
    y = MatMulInteger(q, w, zero, z)
    u = MatMulInteger(q, w, zero, one)
  }})",
                    fmt::arg("t", weights),
                    fmt::arg("w", centred ? integers(240, -60, 60, 4) : integers(240, 80, 180, 4)),
                    fmt::arg("z", centred ? integers(12, -3, 3, 5) : integers(12, 120, 130, 5)),
                    fmt::arg("one", centred ? 0 : 128)),
        {noise({2, 3, 20}, 9)}, 2);
  }
  // Weights that do not fit int8 around their zero point; a zero point for each row of the source.
  expect_equal_sums(R"(g (uint8[2,2] x, uint8[2] rows) => (int32[2,2] y, int32[2,2] u)
    <uint8[2,2] w = {0, 255, 3, 9}, uint8 z = {7}, int8[2,2] v = {1, -2, 3, -4}> {
    y = MatMulInteger(x, w, z, z)
    u = MatMulInteger(x, v, rows)
  })",
                    {Tensor::of<std::uint8_t>({2, 2}, std::vector<std::uint8_t>{0, 255, 13, 77}),
                     Tensor::of<std::uint8_t>({2}, std::vector<std::uint8_t>{9, 201})},
                    0);
}

TEST(IntegerSteps, SumsOfConvolutionsAreExact) {
  for (const char* attributes : {"pads = [1, 1, 1, 1]", "strides = [2, 1], pads = [0, 2, 1, 0]", "group = 2",
                                 "dilations = [1, 2], auto_pad = \"SAME_UPPER\""}) {
    const bool grouped = std::string_view(attributes).starts_with("group");
    expect_equal_sums(
        fmt::format(R"(g (float[N,6,9,8] x) => (int32[N,4,H,W] y)
    <uint8[4,{c},3,3] w = {{{w}}}, uint8 z = {{128}}> {{
    q, s, zero = DynamicQuantizeLinear(x)
    y = ConvInteger<{attributes}>(q, w, zero, z)
  }})",
                    fmt::arg("c", grouped ? 3 : 6), fmt::arg("w", integers(grouped ? 108 : 216, 1, 255, 6)),
                    fmt::arg("attributes", attributes)),
        {noise({2, 6, 9, 8}, 10)}, 1);
  }
}

TEST(IntegerSteps, WithoutAZeroPointTheTypeIsThatOfTheIntegers) {
  for (const char* type : {"int8", "uint8", "int32"}) {
    const Model model = parsed(std::string(kHeader) + "g (" + type + R"([N,4] q) => (uint8[N,3] y)
    <float s = {0.1}, int8[4,3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}> {
    d = DequantizeLinear(q, s)
    wd = DequantizeLinear(w, s)
    m = MatMul(d, wd)
    y = QuantizeLinear(m, s)
  })");
    const Tensor q =
        type[0] == 'u'   ? Tensor::of<std::uint8_t>({1, 4}, std::vector<std::uint8_t>{1, 2, 3, 200})
        : type[3] == '8' ? Tensor::of<std::int8_t>({1, 4}, std::vector<std::int8_t>{-1, 2, 3, 100})
                         : Tensor::of<std::int32_t>({1, 4}, std::vector<std::int32_t>{-1, 2, 3, 500});
    EXPECT_EQ(run_graph(*model.graph, {q}), run_graph(*model.graph, {q}, {.reference = true})) << type;
  }
}

TEST(IntegerSteps, WhatCannotBeIntegersStaysFloat) {
  // Weights with a scale along another axis; a scale that varies; the value between is an output.
  expect_within_one_step(R"(g (float[N,2,3,3] x, float t) => (uint8[N,2,3,3] y, float[N,2,3,3] d)
    <float s = {0.009}, uint8 z = {100}, int8[2,2,1,1] w = {1, 2, 3, 4}, float[2] ws = {0.1, 0.2}> {
    q = QuantizeLinear(x, s, z)
    d = DequantizeLinear(q, s, z)
    wd = DequantizeLinear<axis = 1>(w, ws)
    c = Conv(d, wd)
    y = QuantizeLinear(c, t, z)
  })",
                         {noise({2, 2, 3, 3}, 8), Tensor::scalar<float>(0.01F)}, 0);
}

TEST(IntegerSteps, WeightsAreThereAsRealNumbersWhereTheyAreAskedFor) {
  // As an output, in the branch that captures them, and behind a function of theirs.
  const std::string body =
      R"(g (float[N,2] x, bool some) => (uint8[N,2] y, float[2,2] wd, float[2,2] b, float[2,2] t)
    <float s = {0.009}, uint8 z = {100}, int8[2,2] w = {1, 2, 3, 4}, float[2] ws = {0.1, 0.2}> {
    q = QuantizeLinear(x, s, z)
    d = DequantizeLinear(q, s, z)
    wd = DequantizeLinear<axis = 1>(w, ws)
    c = MatMul(d, wd)
    y = QuantizeLinear(c, s, z)
    t = Transpose(wd)
    b = If<then_branch = yes () => (float[2,2] m) { m = Neg(wd) },
           else_branch = no () => (float[2,2] n) { n = Identity(t) }>(some)
  })";
  for (const bool some : {true, false}) {
    expect_within_one_step(body, {noise({3, 2}, 8), Tensor::scalar(some)}, 1);
  }
  const Model model = parsed(kHeader + body);
  const Value* weights = model.graph->outputs()[1].value;
  Result<Session> session = Session::create(*model.graph);
  ASSERT_TRUE(session.ok());
  std::vector<float> seen;
  const std::vector<const Value*> watched = {weights};
  ASSERT_TRUE(session
                  ->run(std::vector<Tensor>{noise({3, 2}, 8), Tensor::scalar(true)}, watched,
                        [&](const Value&, const Tensor& tensor) {
                          seen.assign(tensor.data<float>().begin(), tensor.data<float>().end());
                        })
                  .ok());
  EXPECT_EQ(seen, (std::vector<float>{0.1F, 0.4F, 0.3F, 0.8F}));
}

}  // namespace
}  // namespace press
