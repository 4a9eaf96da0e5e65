#include <gtest/gtest.h>

#include <cmath>

#include "press/numeric/calibration_table.h"
#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kPass = "convert_fp16";

void expect_converts(std::string_view before, std::string_view after,
                     PassRunOptions options = {.executable = false}) {
  const PassRun run = run_pass(kPass, before, options);
  EXPECT_GT(run.outcome.rewrites, 0U);
  EXPECT_TRUE(run.outcome.declined.empty());
  expect_model(run.after, after);
}

constexpr std::string_view kGemmRelu = R"(
  <ir_version: 8, opset_import: ["": 17]>
  g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1, 2, 3, 4}, float[2] b = {0.5, -0.25}> {
    h = Gemm(x, w, b)
    y = Relu(h)
  })";

/// A constant of the float16 numbers that the given ones become.
Model with_halves(std::string_view text) {
  Model model = parse(text);
  for (Value* constant : model.graph->constants()) {
    if (constant->constant()->type() != DataType::kFloat) continue;
    std::vector<Float16> halves;
    for (const float element : constant->constant()->data<float>()) halves.push_back(to_float16(element));
    constant->set_constant(Tensor::of(constant->constant()->dims(), halves));
  }
  return model;
}

TEST(ConvertFp16, CastsAtTheInterfaceOnly) {
  const PassRun run = run_pass(kPass, kGemmRelu, {.tolerance = 2e-3});
  EXPECT_EQ(run.outcome.rewrites, 2U);
  const Model expected = with_halves(R"(
    <ir_version: 8, opset_import: ["": 17]>
    g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1, 2, 3, 4}, float[2] b = {0.5, -0.25}> {
      c = Cast <to = 10> (x)
      h = Gemm(c, w, b)
      r = Relu(h)
      y = Cast <to = 1> (r)
    })");
  EXPECT_EQ(fingerprint(*run.after.graph), fingerprint(*expected.graph)) << to_text(*run.after.graph);
}

TEST(ConvertFp16, ConvertsTheInterfaceOnRequest) {
  PassRunOptions options{.executable = false, .keeps_interface = false};
  options.context.fp16.keep_io = false;
  const PassRun run = run_pass(kPass, kGemmRelu, options);
  EXPECT_EQ(operators(run.after), "Gemm Relu");
  EXPECT_EQ(run.after.graph->inputs()[0]->type().element, DataType::kFloat16);
  EXPECT_EQ(run.after.graph->outputs()[0].type.element, DataType::kFloat16);
}

TEST(ConvertFp16, LeavesIntegersAndShapeArithmeticAlone) {
  expect_converts(R"(
    <ir_version: 8, opset_import: ["": 17]>
    g (float[N,2,4,4] x) => (float[] y) {
      s = Shape(x)
      f = Cast <to = 1> (s)
      h = Mul(f, f)
      i = Cast <to = 7> (h)
      e = Relu(x)
      y = Reshape(e, i)
    })",
                  R"(
    <ir_version: 8, opset_import: ["": 17]>
    g (float[N,2,4,4] x) => (float[] y) {
      c = Cast <to = 10> (x)
      s = Shape(x)
      f = Cast <to = 1> (s)
      h = Mul(f, f)
      i = Cast <to = 7> (h)
      e = Relu(c)
      r = Reshape(e, i)
      y = Cast <to = 1> (r)
    })");
}

TEST(ConvertFp16, KeepsTheScalesOfResize) {
  expect_converts(R"(
    <ir_version: 8, opset_import: ["": 17]>
    g (float[1,1,2,2] x) => (float[] y) <float[4] s = {1, 1, 2, 2}> {
      r = Relu(x)
      y = Resize(r, , s)
    })",
                  R"(
    <ir_version: 8, opset_import: ["": 17]>
    g (float[1,1,2,2] x) => (float[] y) <float[4] s = {1, 1, 2, 2}> {
      c = Cast <to = 10> (x)
      r = Relu(c)
      z = Resize(r, , s)
      y = Cast <to = 1> (z)
    })");
}

TEST(ConvertFp16, ChangesAttributesThatNameAType) {
  expect_converts(R"(
    <ir_version: 8, opset_import: ["": 17]>
    g (uint8[4] x) => (float[4] y) {
      f = Cast <to = 1> (x)
      r = RandomNormalLike <dtype = 1> (f)
      y = Add(f, r)
    })",
                  R"(
    <ir_version: 8, opset_import: ["": 17]>
    g (uint8[4] x) => (float[4] y) {
      f = Cast <to = 10> (x)
      r = RandomNormalLike <dtype = 10> (f)
      a = Add(f, r)
      y = Cast <to = 1> (a)
    })");
}

TEST(ConvertFp16, KeepsOperatorsThatHaveNoFloat16) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["": 17]>
    g (float[4] x) => (float[4] y) {
      a = Relu(x)
      b = Celu(a)
      y = Relu(b)
    })",
                               {.executable = false});
  EXPECT_EQ(operators(run.after), "Cast Relu Cast Celu Cast Relu Cast");
}

TEST(ConvertFp16, CastsAValueOnceForAllItsUsers) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["": 17]>
    g (float[4] x) => (float[4] y) {
      a = Relu(x)
      b = Sigmoid(x)
      c = Celu(a)
      d = Celu(a)
      e = Add(c, d)
      y = Add(e, b)
    })",
                               {.executable = false});
  EXPECT_EQ(operators(run.after), "Cast Relu Cast Sigmoid Celu Cast Celu Cast Add Add Cast");
}

TEST(ConvertFp16, MovesDataBetweenKeptOperatorsInFloat32) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["": 17]>
    g (float[2,4] x) => (float[4,2] y) {
      a = Relu(x)
      b = Celu(a)
      c = Transpose(b)
      y = Celu(c)
    })",
                               {.executable = false});
  EXPECT_EQ(operators(run.after), "Cast Relu Cast Celu Transpose Celu");
}

TEST(ConvertFp16, KeepsAnOperatorWhoseConstantFloat16CannotHold) {
  for (const std::string_view number : {"1e5", "1e-12"}) {
    Model model = parse(kGemmRelu);
    for (Value* constant : model.graph->constants()) {
      const float element = std::stof(std::string(number));
      if (constant->name() == "b")
        constant->set_constant(Tensor::of({2}, std::vector<float>{element, element}));
    }
    const PassRun run = run_pass(kPass, model, {.executable = false});
    ASSERT_EQ(run.outcome.declined.size(), 1U);
    EXPECT_NE(run.outcome.declined[0].reason.find("'b'"), std::string::npos);
    EXPECT_EQ(operators(run.after), "Gemm Cast Relu Cast");
  }
}

TEST(ConvertFp16, KeepsOperatorsAroundAValueThatOverflows) {
  CalibrationTable table;
  table["h"].add(std::vector<float>{-1, 60000});
  PassRunOptions options{.executable = false};
  options.context.calibration = &table;
  const PassRun run = run_pass(kPass, kGemmRelu, options);
  EXPECT_EQ(run.outcome.rewrites, 0U);
  ASSERT_EQ(run.outcome.declined.size(), 2U);
  EXPECT_NE(run.outcome.declined[0].reason.find("60000"), std::string::npos);
}

TEST(ConvertFp16, KeepsExcludedOperators) {
  PassRunOptions options{.executable = false};
  options.context.fp16.nodes.exclude = {"^h$"};
  const PassRun run = run_pass(kPass, kGemmRelu, options);
  EXPECT_EQ(operators(run.after), "Gemm Cast Relu Cast");
  EXPECT_EQ(run.outcome.declined.size(), 1U);
}

TEST(ConvertFp16, ConvertsTheBodiesOfControlFlow) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["": 17]>
    g (float[4] x, bool c) => (float[4] y) {
      r = Relu(x)
      y = If (c) <then_branch = t () => (float[4] a) { a = Sigmoid(r) },
                  else_branch = e () => (float[4] b) { b = Celu(r) }>
    })",
                               {.executable = false});
  EXPECT_EQ(operators(run.after), "Cast Relu Cast If");
  const Node* branch = nullptr;
  for (const Node* node : run.after.graph->nodes()) {
    if (node->is("If")) branch = node;
  }
  ASSERT_NE(branch, nullptr);
  std::vector<std::string> bodies;
  for (const Graph* body : branch->subgraphs()) {
    std::string text;
    for (const Node* node : body->nodes()) text += node->op_type() + " ";
    bodies.push_back(text);
  }
  EXPECT_EQ(bodies, (std::vector<std::string>{"Sigmoid Cast ", "Celu "}));
}

TEST(ConvertFp16, LeavesOtherModelsAlone) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["": 17]>
    g (float16[4] x) => (float16[4] y) { y = Relu(x) })",
                  std::nullopt, {.executable = false});
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["": 17, "other": 1]>
    g (float[4] x) => (float[4] y) { y = other.Relu(x) })",
                  std::nullopt, {.executable = false});
}

}  // namespace
}  // namespace press::test
