#include "press/numeric/quantization.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "press/passes/quantize.h"
#include "press/passes/recover.h"
#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kPass = "quantize_static";

/// A table that says of each value that it was seen in the given range.
CalibrationTable table_of(const std::map<std::string, Range>& ranges) {
  CalibrationTable table;
  for (const auto& [name, range] : ranges) table[name].add(std::vector<float>{range.lo, range.hi});
  return table;
}

PassRun quantize(std::string_view text, const CalibrationTable& table,
                 PassRunOptions options = {.executable = false}) {
  options.context.calibration = &table;
  return run_pass(kPass, text, options);
}

/// The values that got a pair, in order: "x relu".
std::string pairs(const Model& model) {
  std::string text;
  for (const Node* node : model.graph->nodes()) {
    if (node->is("QuantizeLinear")) text += (text.empty() ? "" : " ") + node->input(0)->name();
  }
  return text;
}

const Node* find_node(const Model& model, std::string_view op_type) {
  for (const Node* node : model.graph->nodes()) {
    if (node->is(op_type)) return node;
  }
  ADD_FAILURE() << "no " << op_type;
  return nullptr;
}

/// Scale and zero point of the pair behind a value.
QuantParams params_of(const Model& model, std::string_view value) {
  for (const Node* node : model.graph->nodes()) {
    if (!node->is("QuantizeLinear") || node->input(0)->name() != value) continue;
    const Tensor& zero_point = *node->input(2)->constant();
    const std::int32_t zero = zero_point.type() == DataType::kUint8 ? zero_point.data<std::uint8_t>()[0]
                                                                    : zero_point.data<std::int8_t>()[0];
    return {node->input(1)->constant()->data<float>()[0], zero, zero_point.type()};
  }
  ADD_FAILURE() << value << " is not quantized";
  return {};
}

constexpr std::string_view kConvRelu = R"(
  <ir_version: 7, opset_import: ["": 13]>
  g (float[N,1,2,2] x) => (float[N,2,2,2] y)
  <float[2,1,1,1] w = {127, -63.5}, float[2] b = {3, -2}> {
    c = Conv(x, w, b)
    y = Relu(c)
  })";

TEST(QuantizeStatic, LetsSaturationDoTheWorkOfARelu) {
  const CalibrationTable table = table_of({{"x", {-128, 127}}, {"c", {-500, 500}}, {"y", {0, 255}}});
  const PassRun run = quantize(kConvRelu, table);
  EXPECT_EQ(run.outcome.rewrites, 1U);
  EXPECT_TRUE(run.outcome.declined.empty());
  expect_model(run.after, R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,1,2,2] x) => (float[N,2,2,2] y)
    <int8[2,1,1,1] wq = {127, -127}, float[2] ws = {1, 0.5}, int32[2] bq = {3, -4}, float[2] bs = {1, 0.5},
     float s = {1}, uint8 z = {128}, uint8 zero = {0}> {
      xq = QuantizeLinear(x, s, z)
      xd = DequantizeLinear(xq, s, z)
      wd = DequantizeLinear <axis = 0> (wq, ws)
      bd = DequantizeLinear <axis = 0> (bq, bs)
      c = Conv(xd, wd, bd)
      rq = QuantizeLinear(c, s, zero)
      y = DequantizeLinear(rq, s, zero)
    })");
}

TEST(QuantizeStatic, KeepsNamesOfActivationsAndWeights) {
  const CalibrationTable table = table_of({{"x", {-128, 127}}, {"y", {0, 255}}});
  const PassRun run = quantize(kConvRelu, table);
  const Node* conv = find_node(run.after, "Conv");
  EXPECT_EQ(conv->input(1)->name(), "w");
  EXPECT_EQ(conv->output()->name(), "c");
}

TEST(QuantizeStatic, TakesSignedActivationsOnRequest) {
  const CalibrationTable table = table_of({{"x", {-128, 127}}, {"y", {0, 255}}});
  PassRunOptions options{.executable = false};
  options.context.quantize.signed_activations = true;
  const PassRun run = quantize(kConvRelu, table, options);
  EXPECT_EQ(params_of(run.after, "x"), (QuantParams{1, 0, DataType::kInt8}));
  EXPECT_EQ(params_of(run.after, "c"), (QuantParams{1, -128, DataType::kInt8}));
}

TEST(QuantizeStatic, FlattensTheBiasOfAGemm) {
  const CalibrationTable table = table_of({{"x", {-1, 1}}, {"y", {-4, 4}}});
  const PassRun run = quantize(R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1, 2, 3, 4}, float[1,2] b = {1, -1}> { y = Gemm(x, w, b) })",
                               table, {.tolerance = 0.05});
  EXPECT_EQ(find_node(run.after, "Gemm")->input(2)->producer()->input(0)->constant()->dims(), Dims{2});
}

TEST(QuantizeStatic, LeavesAGemmWithABiasForEachRow) {
  const CalibrationTable table = table_of({{"x", {-1, 1}}, {"y", {-4, 4}}});
  const PassRun run = quantize(R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[2,2] x) => (float[2,2] y) <float[2,2] w = {1, 2, 3, 4}, float[2,1] b = {1, -1}> { y = Gemm(x, w, b) })",
                               table);
  EXPECT_EQ(run.outcome.rewrites, 0U);
}

TEST(QuantizeStatic, NamesLayersThatMaySaturateAndNarrowsThem) {
  const CalibrationTable table = table_of({{"x", {0, 255}}, {"y", {0, 255}}});
  constexpr std::string_view kNeighbours = R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,2,2,2] x) => (float[N,2,2,2] y) <float[2,2,1,1] w = {127, 63, 127, -127}> { y = Conv(x, w) })";
  const PassRun wide = quantize(kNeighbours, table);
  ASSERT_EQ(wide.outcome.notes.size(), 1U);
  EXPECT_NE(wide.outcome.notes[0].find("1 layers may saturate"), std::string::npos) << wide.outcome.notes[0];
  PassRunOptions options{.executable = false};
  options.context.quantize.narrow_weights = true;
  const PassRun narrow = quantize(kNeighbours, table, options);
  EXPECT_TRUE(narrow.outcome.notes.empty());
  const std::span<const std::int8_t> found =
      find_node(narrow.after, "Conv")->input(1)->producer()->input(0)->constant()->data<std::int8_t>();
  EXPECT_EQ(std::vector<int>(found.begin(), found.end()), (std::vector<int>{63, 31, 63, -63}));
}

PassRunOptions wide_activations() {
  PassRunOptions options;
  options.context.quantize.activation_bits = 16;
  return options;
}

TEST(QuantizeStatic, RaisesTheOpsetForActivationsOf16Bits) {
  const CalibrationTable table = table_of({{"x", {-32768, 32767}}, {"y", {0, 65535}}});
  PassRunOptions options = wide_activations();
  options.tolerance = 1;  // the seeded inputs are small beside the ranges
  const PassRun run = quantize(kConvRelu, table, options);
  EXPECT_EQ(run.outcome.notes, std::vector<std::string>{"opset raised to 21"});
  expect_model(run.after, R"(
    <ir_version: 10, opset_import: ["": 21]>
    g (float[N,1,2,2] x) => (float[N,2,2,2] y)
    <int8[2,1,1,1] wq = {127, -127}, float[2] ws = {1, 0.5}, int32[2] bq = {3, -4}, float[2] bs = {1, 0.5},
     float s = {1}, uint16 z = {32768}, uint16 zero = {0}> {
      xq = QuantizeLinear(x, s, z)
      xd = DequantizeLinear(xq, s, z)
      wd = DequantizeLinear <axis = 0> (wq, ws)
      bd = DequantizeLinear <axis = 0> (bq, bs)
      c = Conv(xd, wd, bd)
      rq = QuantizeLinear(c, s, zero)
      y = DequantizeLinear(rq, s, zero)
    })");
}

TEST(QuantizeStatic, IsTwoHundredTimesFinerWith16Bits) {
  const CalibrationTable table = table_of({{"x", {-1, 1}}, {"y", {0, 200}}});
  PassRunOptions options = wide_activations();
  options.tolerance = 2e-3;
  quantize(R"(
    <ir_version: 10, opset_import: ["": 21]>
    g (float[N,1,2,2] x) => (float[N,2,2,2] y) <float[2,1,1,1] w = {127, -63.5}, float[2] b = {3, -2}> {
      c = Conv(x, w, b)
      y = Relu(c)
    })",
           table, options);
}

TEST(QuantizeStatic, FallsBackToContributedOperatorsFor16Bits) {
  const CalibrationTable table = table_of({{"x", {-1, 1}}, {"y", {0, 200}}});
  PassRunOptions options = wide_activations();
  options.executable = false;
  options.context.quantize.signed_activations = true;
  const PassRun run = quantize(R"(
    <ir_version: 8, opset_import: ["": 18]>
    g (float[N,2,2,2] x) => (float[N,2,2,2] y)
    <float[2,2,1,1] w = {127, -63.5, 1, 2}, float[1] one = {1}, float[1] zero = {0}> {
      y = Conv(x, w)
      other = GroupNormalization <num_groups = 1> (x, one, zero)
    })",
                               table, options);
  const Node* quantize = find_node(run.after, "Conv")->input(0)->producer()->input(0)->producer();
  EXPECT_TRUE(quantize->is("QuantizeLinear", "com.microsoft"));
  EXPECT_EQ(quantize->input(2)->constant()->type(), DataType::kInt16);
  EXPECT_EQ(run.after.graph->opset("com.microsoft"), 1);
  ASSERT_EQ(run.outcome.notes.size(), 1U);
  EXPECT_NE(run.outcome.notes[0].find("com.microsoft, as the model stays below opset 21"), std::string::npos);
}

TEST(QuantizeStatic, KeepsBiasesInInt32BesideFineScales) {
  const CalibrationTable table = table_of({{"x", {0, 1e-3}}, {"y", {0, 1}}});
  PassRunOptions options = wide_activations();
  options.tolerance = 1e-3;
  const PassRun run = quantize(R"(
    <ir_version: 10, opset_import: ["": 21]>
    g (float[N,1,2,2] x) => (float[N,1,2,2] y) <float[1,1,1,1] w = {1e-6}, float[1] b = {1}> {
      y = Conv(x, w, b)
    })",
                               table, options);
  const Node* conv = find_node(run.after, "Conv");
  const std::int32_t bias = conv->input(2)->producer()->input(0)->constant()->data<std::int32_t>()[0];
  EXPECT_GT(bias, 1 << 29);
  EXPECT_LE(bias, 1 << 30);
}

TEST(QuantizeStatic, TakesOneScaleAWeightOnRequest) {
  const CalibrationTable table = table_of({{"x", {-128, 127}}, {"y", {0, 255}}});
  PassRunOptions options{.executable = false};
  options.context.quantize.per_channel = false;
  const PassRun run = quantize(kConvRelu, table, options);
  const Node* weight = find_node(run.after, "Conv")->input(1)->producer();
  EXPECT_FALSE(weight->has_attribute("axis"));
  EXPECT_EQ(weight->input(1)->constant()->dims(), Dims{});
  EXPECT_EQ(weight->input(0)->constant()->data<std::int8_t>()[1], -64);  // -63.5 to even
}

TEST(QuantizeStatic, EndsTheRangeWhereAClipEnds) {
  const CalibrationTable table = table_of({{"x", {-1, 1}}, {"r", {0, 6}}, {"y", {-1, 1}}});
  const PassRun run = quantize(R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,1,2,2] x) => (float[N,1,2,2] y)
    <float[1,1,1,1] w = {1}, float[1,1,1,1] v = {1}, float lo = {0}, float hi = {6}> {
      c = Conv(x, w)
      r = Clip(c, lo, hi)
      y = Conv(r, v)
    })",
                               table);
  EXPECT_EQ(pairs(run.after), "x c y");
  EXPECT_EQ(params_of(run.after, "c").zero_point, 0);
  EXPECT_LE(params_of(run.after, "c").reach().hi, 6.0F);
}

TEST(QuantizeStatic, KeepsAReluThatOthersSeeOrThatCutsMore) {
  const CalibrationTable table =
      table_of({{"x", {-1, 1}}, {"a", {-1, 1}}, {"b", {0, 1}}, {"k", {-1, 1}}, {"y", {-1, 1}}});
  const PassRun run = quantize(R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,1,2,2] x) => (float[N,1,2,2] y, float[N,1,2,2] b)
    <float[1,1,1,1] w = {1}, float[1,2,1,1] v = {1, 1}> {
      a = Conv(x, w)
      b = Relu(a)
      k = Concat <axis = 1> (a, b)
      y = Conv(k, v)
    })",
                               table);
  EXPECT_NE(find_node(run.after, "Relu"), nullptr);
}

TEST(QuantizeStatic, RoundsBeforeAClipThatDoesNotHoldZero) {
  const CalibrationTable table = table_of({{"x", {-1, 1}}, {"c", {-1, 3}}, {"y", {1, 2}}});
  const PassRun run = quantize(R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,1,2,2] x) => (float[N,1,2,2] y)
    <float[1,1,1,1] w = {1}, float lo = {1}, float hi = {2}> {
      c = Conv(x, w)
      y = Clip(c, lo, hi)
    })",
                               table);
  EXPECT_EQ(pairs(run.after), "x c");
}

TEST(QuantizeStatic, QuantizesBothInputsOfAResidualAdd) {
  const CalibrationTable table =
      table_of({{"x", {-1, 1}}, {"a", {0, 2}}, {"c", {-3, 3}}, {"y", {0, 5}}, {"s", {-3, 5}}});
  const PassRun run = quantize(R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,1,2,2] x) => (float[N,1,2,2] y)
    <float[1,1,1,1] w = {1}, float[1,1,1,1] v = {1}> {
      p = Conv(x, w)
      a = Relu(p)
      c = Conv(a, v)
      s = Add(c, a)
      y = Relu(s)
    })",
                               table);
  EXPECT_EQ(operators(run.after),
            "QuantizeLinear DequantizeLinear DequantizeLinear Conv QuantizeLinear DequantizeLinear "
            "DequantizeLinear Conv QuantizeLinear DequantizeLinear Add QuantizeLinear DequantizeLinear");
  EXPECT_EQ(pairs(run.after), "x p c s");
  const Node* add = find_node(run.after, "Add");
  EXPECT_EQ(add->input(0)->producer()->input(0)->producer()->input(0)->name(), "c");
  EXPECT_EQ(add->input(1)->producer()->input(0)->producer()->input(0)->name(), "p");
}

TEST(QuantizeStatic, SharesTheScaleAcrossMaxPool) {
  const CalibrationTable table = table_of({{"x", {-1, 1}}, {"r", {0, 4}}, {"p", {0, 3}}, {"y", {-1, 1}}});
  const PassRun run = quantize(R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,1,4,4] x) => (float[N,1,2,2] y)
    <float[1,1,1,1] w = {1}, float[1,1,1,1] v = {1}> {
      c = Conv(x, w)
      r = Relu(c)
      p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)
      y = Conv(p, v)
    })",
                               table);
  EXPECT_EQ(pairs(run.after), "x c p y");
  EXPECT_EQ(params_of(run.after, "p"), params_of(run.after, "c"));
  EXPECT_EQ(run.outcome.rewrites, 3U);
}

constexpr std::string_view kConcat = R"(
  <ir_version: 7, opset_import: ["": 13]>
  g (float[N,1,2,2] x) => (float[N,1,2,2] y)
  <float[1,1,1,1] w = {1}, float[1,2,1,1] v = {1, 1}> {
    a = Conv(x, w)
    c = Conv(x, w)
    b = Relu(c)
    k = Concat <axis = 1> (a, b)
    y = Conv(k, v)
  })";

TEST(QuantizeStatic, SharesTheScaleOfAConcat) {
  const CalibrationTable table =
      table_of({{"x", {-1, 1}}, {"a", {0, 1}}, {"b", {0, 3}}, {"k", {0, 3}}, {"y", {-1, 1}}});
  const PassRun run = quantize(kConcat, table);
  EXPECT_EQ(pairs(run.after), "x a c k y");
  EXPECT_EQ(params_of(run.after, "a"), params_of(run.after, "k"));
  EXPECT_EQ(params_of(run.after, "c"), params_of(run.after, "k"));
  EXPECT_FLOAT_EQ(params_of(run.after, "k").scale, 3.0F / 255);
}

TEST(QuantizeStatic, LetsAConcatRescaleWhereAReluWouldLoseItsRange) {
  const CalibrationTable table =
      table_of({{"x", {-1, 1}}, {"a", {-1, 1}}, {"b", {0, 3}}, {"k", {-1, 3}}, {"y", {-1, 1}}});
  const PassRun run = quantize(kConcat, table);
  EXPECT_EQ(params_of(run.after, "c").zero_point, 0);
  EXPECT_EQ(params_of(run.after, "k").zero_point, 64);
}

TEST(QuantizeStatic, StoresASharedWeightOnce) {
  const CalibrationTable table =
      table_of({{"x", {-1, 1}}, {"a", {0, 1}}, {"b", {0, 3}}, {"k", {0, 3}}, {"y", {-1, 1}}});
  const PassRun run = quantize(kConcat, table);
  const Node* conv = find_node(run.after, "Conv");
  EXPECT_EQ(conv->input(1)->name(), "w");
  EXPECT_EQ(conv->input(1)->uses().size(), 2U);
}

constexpr std::string_view kGemm = R"(
  <ir_version: 7, opset_import: ["": 13]>
  g (float[N,2] x) => (float[N,2] y)
  <float[2,2] w = {127, 0, 254, 127}, float[2] b = {1, 2}, float[2,2] v = {127, 0, 254, 127}> {
    h = Gemm <transB = 1> (x, w, b)
    r = Relu(h)
    y = Gemm(r, v, b)
  })";

TEST(QuantizeStatic, ComputesTheScalesOfALongBias) {
  Model model;
  Graph& graph = *model.graph;
  graph.set_opset("", 13);
  Value* x = graph.add_input("x", {DataType::kFloat, Shape{Dim("N"), 1, 2, 2}, {}});
  Value* weight = graph.add_constant(seeded_tensor(DataType::kFloat, {32, 1, 1, 1}, 3), "w");
  Value* bias = graph.add_constant(seeded_tensor(DataType::kFloat, {32}, 4), "b");
  Node* conv = graph.add_node({.op_type = "Conv", .inputs = {x, weight, bias}, .outputs = {"c"}});
  graph.add_output("y", conv->output(), {DataType::kFloat, Shape{Dim("N"), 32, 2, 2}, {}});
  const CalibrationTable table = table_of({{"x", {-1, 1}}, {"c", {-2, 2}}});
  PassRunOptions options{.executable = false};
  options.context.calibration = &table;
  const PassRun run = run_pass(kPass, model, options);
  const Node* scale = find_node(run.after, "Conv")->input(2)->producer()->input(1)->producer();
  ASSERT_NE(scale, nullptr);
  EXPECT_TRUE(scale->is("Mul"));
  EXPECT_EQ(scale->input(0), find_node(run.after, "Conv")->input(1)->producer()->input(1));
  EXPECT_EQ(scale->input(1), find_node(run.after, "QuantizeLinear")->input(1));
}

TEST(QuantizeStatic, LeavesTheResultOfAGemmInFloat) {
  const CalibrationTable table = table_of({{"x", {-128, 127}}, {"r", {0, 510}}});
  const PassRun run = quantize(kGemm, table);
  expect_model(run.after, R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,2] x) => (float[N,2] y)
    <int8[2,2] wq = {127, 0, 127, 64}, float[2] ws = {1, 2}, int8[2] wz = {0, 0},
     int32[2] bq = {1, 1}, float[2] bs = {1, 2},
     int8[2,2] vq = {64, 0, 127, 127}, float[2] vs = {2, 1},
     int32[2] dq = {0, 1}, float[2] ds = {4, 2},
     float s = {1}, uint8 z = {128}, float two = {2}, uint8 zero = {0}> {
      xq = QuantizeLinear(x, s, z)
      xd = DequantizeLinear(xq, s, z)
      wd = DequantizeLinear <axis = 0> (wq, ws, wz)
      bd = DequantizeLinear <axis = 0> (bq, bs)
      h = Gemm <transB = 1> (xd, wd, bd)
      rq = QuantizeLinear(h, two, zero)
      rd = DequantizeLinear(rq, two, zero)
      vd = DequantizeLinear(vq, vs, wz)
      dd = DequantizeLinear <axis = 0> (dq, ds)
      y = Gemm(rd, vd, dd)
    })");
}

TEST(QuantizeStatic, TakesTheAddBehindAMatMulAsItsBias) {
  const CalibrationTable table = table_of({{"x", {-128, 127}}});
  const PassRun run = quantize(R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,2] x) => (float[N,2] y)
    <float[2,2] w = {127, 0, 254, 127}, float[2] b = {4, 2}> {
      m = MatMul(x, w)
      y = Add(m, b)
    })",
                               table);
  const Node* add = find_node(run.after, "Add");
  EXPECT_EQ(add->input(0), find_node(run.after, "MatMul")->output());
  EXPECT_EQ(add->input(1)->producer()->input(0)->constant()->type(), DataType::kInt32);
  EXPECT_EQ(pairs(run.after), "x");
}

TEST(QuantizeStatic, StaysCloseToTheFloatNetwork) {
  Model model;
  Graph& graph = *model.graph;
  graph.set_opset("", 13);
  Value* x = graph.add_input("x", {DataType::kFloat, Shape{Dim("N"), 3, 8, 8}, {}});
  const auto weight = [&](const char* name, const Dims& dims, std::uint32_t seed) {
    return graph.add_constant(seeded_tensor(DataType::kFloat, dims, seed), name);
  };
  const Attribute pads{"pads", std::vector<std::int64_t>{1, 1, 1, 1}, {}};
  Node* first = graph.add_node({.op_type = "Conv",
                                .inputs = {x, weight("w", {4, 3, 3, 3}, 5), weight("b", {4}, 6)},
                                .outputs = {"a"},
                                .attributes = {pads}});
  Node* second =
      graph.add_node({.op_type = "Conv",
                      .inputs = {first->output(), weight("v", {4, 2, 3, 3}, 7), weight("d", {4}, 8)},
                      .outputs = {"c"},
                      .attributes = {pads, {"group", std::int64_t{2}, {}}}});
  graph.add_output("y", second->output(), {DataType::kFloat, Shape{Dim("N"), 4, 8, 8}, {}});

  const std::vector<Tensor> inputs = seeded_inputs(graph);
  CalibrationTable table;
  table["x"].add(inputs[0].data<float>());
  table["c"].add(outputs_of(graph, inputs)[0].data<float>());
  auto session = Session::create(graph);
  ASSERT_TRUE(session.ok());
  const Value* watched[] = {first->output()};
  ASSERT_TRUE(
      session->run(inputs, watched, [&](const Value&, const Tensor& t) { table["a"].add(t.data<float>()); })
          .ok());

  PassRunOptions options{.tolerance = 0.02};
  options.context.calibration = &table;
  const PassRun run = run_pass(kPass, model, options);
  EXPECT_EQ(pairs(run.after), "x a c");
}

TEST(QuantizeStatic, RaisesTheScaleOfADeadChannel) {
  const CalibrationTable table = table_of({{"x", {-128, 127}}, {"y", {0, 255}}});
  const PassRun run = quantize(R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,1,2,2] x) => (float[N,2,2,2] y)
    <float[2,1,1,1] w = {127, 1e-30}, float[2] b = {3, 2}> { y = Conv(x, w, b) })",
                               table);
  const Node* bias = find_node(run.after, "Conv")->input(2)->producer();
  const auto integers = bias->input(0)->constant()->data<std::int32_t>();
  const auto units = bias->input(1)->constant()->data<float>();
  EXPECT_LE(integers[1], 1 << 30);
  EXPECT_NEAR(static_cast<float>(integers[1]) * units[1], 2, 1e-6);
  EXPECT_EQ(run.outcome.notes.size(), 1U);
}

TEST(QuantizeStatic, RaisesTheOpsetForScalesPerChannel) {
  const CalibrationTable table = table_of({{"x", {-128, 127}}, {"r", {0, 255}}});
  const PassRun run = quantize(R"(
    <ir_version: 6, opset_import: ["": 10]>
    g (float[N,1,2,2] x) => (float[N,2,2,2] r)
    <float[2,1,1,1] w = {127, -63.5}> {
      c = Conv(x, w)
      r = Clip <min = 0.0> (c)
    })",
                               table);
  EXPECT_EQ(run.after.graph->opset(), 13);
  EXPECT_EQ(run.after.ir_version, 7);
  ASSERT_EQ(run.outcome.notes.size(), 1U);
  EXPECT_EQ(run.outcome.notes[0], "opset raised from 10 to 13");
  EXPECT_EQ(find_node(run.after, "Conv")->input(1)->producer()->int_attribute("axis", 1), 0);
}

TEST(QuantizeStatic, FallsBackToOneScaleAWeightBelowOpset13) {
  const CalibrationTable table = table_of({{"x", {-128, 127}}, {"c", {-255, 255}}});
  constexpr std::string_view kText = R"(
    <ir_version: 6, opset_import: ["": {}]>
    g (float[N,1,2,2] x) => (float[N,2,2,2] y)
    <float[2,1,1,1] w = {127, -63.5}> {
      c = Conv(x, w)
      y = Vanished(c)
    })";
  const auto with_opset = [&](std::string_view opset) {
    std::string text(kText.substr(0, kText.find("{}")));
    return text.append(opset).append(kText.substr(kText.find("{}") + 2));
  };
  const PassRun run = quantize(with_opset("11"), table);
  EXPECT_EQ(run.after.graph->opset(), 11);
  EXPECT_FALSE(find_node(run.after, "Conv")->input(1)->producer()->has_attribute("axis"));
  ASSERT_EQ(run.outcome.notes.size(), 1U);
  EXPECT_NE(run.outcome.notes[0].find("Vanished"), std::string::npos);

  Model old = parse(with_opset("9"));
  PassContext context;
  context.calibration = &table;
  const auto outcome = find_pass(kPass)->run(old, context);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(outcome.error().message().find("opset 10"), std::string::npos);
}

TEST(QuantizeStatic, DeclinesAWeightThatIsComputed) {
  const CalibrationTable table = table_of({{"x", {-1, 1}}, {"y", {0, 1}}});
  PassRunOptions options{.executable = false};
  options.context.calibration = &table;
  expect_declines(kPass, R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,1,2,2] x, float[1,1,1,1] w) => (float[N,1,2,2] y) { y = Conv(x, w) })",
                  "not constant", options);
}

TEST(QuantizeStatic, DeclinesWhatWasNotCalibrated) {
  const CalibrationTable table = table_of({{"x", {-1, 1}}});
  PassRunOptions options{.executable = false};
  options.context.calibration = &table;
  expect_declines(kPass, kConvRelu, "no calibration data of 'y'", options);
}

TEST(QuantizeStatic, DeclinesExcludedNodes) {
  const CalibrationTable table = table_of({{"x", {-1, 1}}, {"y", {0, 1}}});
  PassRunOptions options{.executable = false};
  options.context.calibration = &table;
  options.context.quantize.nodes.exclude = {"^c$"};
  expect_declines(kPass, kConvRelu, "not selected", options);
}

TEST(QuantizeStatic, DeclinesAModelThatIsQuantizedAlready) {
  const CalibrationTable table = table_of({{"x", {-128, 127}}, {"y", {0, 255}}});
  PassRunOptions options{.executable = false};
  options.context.calibration = &table;
  expect_declines(kPass, R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,1,2,2] x) => (float[N,1,2,2] y)
    <float[1,1,1,1] w = {1}, float s = {1}, uint8 z = {0}> {
      q = QuantizeLinear(x, s, z)
      d = DequantizeLinear(q, s, z)
      y = Conv(d, w)
    })",
                  "quantized already", options);
}

TEST(QuantizeStatic, NamesTheWeightThatIsNotFinite) {
  Model model = parse(kConvRelu);
  for (Value* value : model.graph->constants()) {
    if (value->name() != "w") continue;
    value->set_constant(
        Tensor::of({2, 1, 1, 1}, std::vector<float>{1, std::numeric_limits<float>::infinity()}));
  }
  const CalibrationTable table = table_of({{"x", {-1, 1}}, {"y", {0, 1}}});
  PassContext context;
  context.calibration = &table;
  const auto outcome = find_pass(kPass)->run(model, context);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code(), ErrorCode::kInput);
  EXPECT_NE(outcome.error().message().find("'w'"), std::string::npos);
}

TEST(QuantizeStatic, AsksForCalibration) {
  Model model = parse(kConvRelu);
  const auto outcome = find_pass(kPass)->run(model, {});
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code(), ErrorCode::kUsage);
}

TEST(QuantizeStatic, AsksForATableThatFitsTheObserver) {
  Model model = parse(kConvRelu);
  CalibrationTable table;
  for (const char* name : {"x", "y"}) {
    table.emplace(name, Histogram::Detail::kExtremes).first->second.add(std::vector<float>{-1, 1});
  }
  PassContext context;
  context.calibration = &table;
  context.quantize.observer = Observer::kPercentile;
  const auto outcome = find_pass(kPass)->run(model, context);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code(), ErrorCode::kUsage);
}

TEST(ValuesToCalibrate, AreThoseThatGetAScale) {
  const Model model = parse(kConvRelu);
  const auto values = values_to_calibrate(model, {});
  ASSERT_TRUE(values.ok());
  ASSERT_EQ(values->size(), 2U);
  EXPECT_EQ((*values)[0]->name(), "x");
  EXPECT_EQ((*values)[1]->name(), "y");
}

TEST(QuantizeStatic, TakesTheIntegersThatRecoveryChose) {
  const CalibrationTable table = table_of({{"x", {-128, 127}}, {"y", {0, 255}}});
  WeightGrids grids;
  grids["w"] = {.limits = {-8, 7, true}, .scales = {63.5F, 63.5F}, .zero_points = {0, 0}};
  PassRunOptions options{.executable = false};
  options.context.grids = &grids;
  const PassRun eight = quantize(kConvRelu, table, options);
  EXPECT_EQ(eight.after.graph->opset(), 13);
  const Node* conv = find_node(eight.after, "Conv");
  const std::span<const std::int8_t> found =
      conv->input(1)->producer()->input(0)->constant()->data<std::int8_t>();
  EXPECT_EQ(std::vector<std::int8_t>(found.begin(), found.end()), (std::vector<std::int8_t>{2, -1}));

  // Asked for 4 bits, they are stored in 4 and become int8 while a runtime loads them.
  options.context.quantize.weight_bits = 4;
  const PassRun four = quantize(kConvRelu, table, options);
  EXPECT_EQ(four.after.graph->opset(), 21);
  const Node* cast = find_node(four.after, "Conv")->input(1)->producer()->input(0)->producer();
  ASSERT_NE(cast, nullptr);
  EXPECT_TRUE(cast->is("Cast"));
  EXPECT_EQ(cast->input(0)->constant()->type(), DataType::kInt4);
}

TEST(LayersToQuantize, AreThoseWithAWeightOfTheirOwn) {
  const Model model = parse(kConvRelu);
  const auto layers = layers_to_quantize(model, {});
  ASSERT_TRUE(layers.ok());
  ASSERT_EQ(layers->size(), 1U);
  EXPECT_TRUE((*layers)[0].node->is("Conv"));
  const auto per_tensor = layers_to_quantize(model, {.per_channel = false});
  ASSERT_TRUE(per_tensor.ok());
  EXPECT_TRUE(per_tensor->empty());
}

TEST(SimulateActivations, PutsPairsAroundAndLeavesWeightsAlone) {
  const CalibrationTable table = table_of({{"x", {-128, 127}}, {"y", {0, 255}}});
  Model model = parse(kConvRelu);
  PassContext context;
  context.calibration = &table;
  ASSERT_TRUE(simulate_activations(model, context).ok());
  EXPECT_TRUE(verify(*model.graph).ok());
  EXPECT_EQ(operators(model), "QuantizeLinear DequantizeLinear Conv Relu QuantizeLinear DequantizeLinear");
  EXPECT_TRUE(find_node(model, "Conv")->input(1)->is_constant());
}

}  // namespace
}  // namespace press::test
