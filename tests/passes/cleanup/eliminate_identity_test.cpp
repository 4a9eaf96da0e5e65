#include <fmt/format.h>

#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kPass = "eliminate_identity";

/// A graph of x [N,3,4,5], one operator, and Relu.
std::string before_relu(std::string_view node, int opset = 17,
                        std::string_view constants = "float unused = {0}") {
  return fmt::format(R"(
    <ir_version: 8, opset_import: ["" : {}]>
    agraph (float[N,3,4,5] x) => (float[N,3,4,5] y) <{}> {{ z = {} y = Relu(z) }})",
                     opset, constants, node);
}

void expect_removed(const std::string& text) {
  const PassRun run = run_pass(kPass, text);
  EXPECT_EQ(run.outcome.rewrites, 1U) << text;
  EXPECT_EQ(operators(run.after), "Relu") << text;
}

TEST(EliminateIdentity, RemovesOperatorsWithoutEffect) {
  expect_removed(before_relu("Identity(x)"));
  expect_removed(before_relu("Dropout<ratio = 0.5>(x)", 11));
  expect_removed(before_relu("Dropout(x, ratio)", 13, "float ratio = {0.5}"));
  expect_removed(before_relu("Cast<to = 1>(x)"));
  expect_removed(before_relu("Transpose<perm = [0, 1, 2, 3]>(x)"));
  expect_removed(before_relu("Pad<pads = [0, 0, 0, 0, 0, 0, 0, 0]>(x)", 10));
  expect_removed(before_relu("Pad(x, pads)", 13, "int64[8] pads = {0, 0, 0, 0, 0, 0, 0, 0}"));
  expect_removed(before_relu("Concat<axis = 1>(x)"));
  expect_removed(before_relu("Sum(x)"));
  expect_removed(before_relu("Max(x)"));
  expect_removed(before_relu("Reshape(x, shape)", 17, "int64[4] shape = {0, 3, 4, 5}"));
  expect_removed(before_relu("Expand(x, shape)", 17, "int64[4] shape = {1, 3, 1, 5}"));
}

TEST(EliminateIdentity, KeepsOperatorsWithEffect) {
  expect_declines(kPass, before_relu("Neg(x)"), std::nullopt);
  expect_declines(kPass, before_relu("Clip(x)"), std::nullopt);
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,3] x) => (float[3,2] y) { z = Transpose<perm = [1, 0]>(x) y = Relu(z) })",
                  std::nullopt);
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,3] x) => (float[3,2] y) { z = Transpose(x) y = Relu(z) })",
                  std::nullopt);
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,3] x) => (float[2,4] y) <int64[4] pads = {0, 0, 0, 1}> { z = Pad(x, pads) y = Relu(z) })",
                  std::nullopt);
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,3] x) => (double[2,3] y) { z = Cast<to = 11>(x) y = Relu(z) })",
                  std::nullopt);
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,3] x) => (float[3,2] y) <int64[2] shape = {3, 2}> { z = Reshape(x, shape) y = Relu(z) })",
                  std::nullopt);
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,3] x) => (float[4,3] y) { z = Concat<axis = 0>(x, x) y = Relu(z) })",
                  std::nullopt);
}

TEST(EliminateIdentity, KeepsDropoutWhoseMaskIsUsed) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 13]>
    agraph (float[2,3] x) => (float[2,3] y, bool[2,3] mask) { z, mask = Dropout(x) y = Relu(z) })",
                  "its mask is used", {.executable = false});
}

TEST(EliminateIdentity, KeepsDropoutInTrainingMode) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 13]>
    agraph (float[2,3] x, bool training) => (float[2,3] y) { z = Dropout(x, , training) y = Relu(z) })",
                  "training_mode", {.executable = false});
}

TEST(EliminateIdentity, KeepsReshapeOfUnknownShape) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N,M] x, int64[2] shape) => (float[A,B] y) { z = Reshape(x, shape) y = Relu(z) })",
                  std::nullopt, {.executable = false});
}

TEST(EliminateIdentity, GivesOutputNameToTheValueBefore) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,3] x) => (float[2,3] y) { z = Relu(x) y = Identity(z) })");
  expect_model(run.after, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,3] x) => (float[2,3] y) { y = Relu(x) })");
}

TEST(EliminateIdentity, KeepsIdentityBetweenInputAndOutput) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,3] x) => (float[2,3] y) { y = Identity(x) })",
                  std::nullopt);
}

TEST(EliminateIdentity, KeepsIdentityBetweenTwoOutputs) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,3] x) => (float[2,3] y, float[2,3] z) { y = Relu(x) z = Identity(y) })",
                  std::nullopt);
}

TEST(EliminateIdentity, KeepsIdentityThatPassesAnOuterValueOutOfASubgraph) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (bool c, float[2] x) => (float[2] y) {
      y = If (c) <
        then_branch = then_graph () => (float[2] a) { a = Identity(x) },
        else_branch = else_graph () => (float[2] b) { b = Abs(x) }
      >
    })",
                  std::nullopt, {.executable = false});
}

TEST(EliminateIdentity, RemovesChains) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,3] x) => (float[2,3] y) { a = Identity(x) b = Identity(a) c = Dropout(b) y = Relu(c) })");
  EXPECT_EQ(run.outcome.rewrites, 3U);
  EXPECT_EQ(operators(run.after), "Relu");
}

}  // namespace
}  // namespace press::test
