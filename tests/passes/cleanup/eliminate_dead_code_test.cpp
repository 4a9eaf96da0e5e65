#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kPass = "eliminate_dead_code";

TEST(EliminateDeadCode, RemovesChainWithoutUsers) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,3] x) => (float[2,3] y) <float[1] unused = {1}, int64 one = {1}> {
      shape = Shape(x)
      rows = Gather(shape, one)
      y = Relu(x)
    })");
  EXPECT_EQ(run.outcome.rewrites, 4U);  // two nodes, two constants
  expect_model(run.after, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,3] x) => (float[2,3] y) { y = Relu(x) })");
}

TEST(EliminateDeadCode, KeepsWhatAnOutputDependsOn) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,3] x) => (float[2,3] y) <float[1] one = {1}> { z = Add(x, one) y = Relu(z) })",
                  std::nullopt);
}

TEST(EliminateDeadCode, KeepsUnknownOperatorsWithoutUsers) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17, "my.domain" : 1]>
    agraph (float[2,3] x) => (float[2,3] y) { z = my.domain.Log(x) y = Relu(x) })",
                  std::nullopt, {.executable = false});
}

TEST(EliminateDeadCode, KeepsNodeOfWhichOneOutputIsUsed) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 12]>
    agraph (float[2,4] x) => (float[2,2] y) { y, z = Split<axis = 1>(x) })",
                  std::nullopt);
}

TEST(EliminateDeadCode, KeepsWhatASubgraphUses) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (bool c, float[2] x) => (float[2] y) {
      z = Relu(x)
      y = If (c) <
        then_branch = then_graph () => (float[2] a) { a = Neg(z) },
        else_branch = else_graph () => (float[2] b) { b = Abs(x) }
      >
    })",
                  std::nullopt, {.executable = false});
}

TEST(EliminateDeadCode, RemovesDeadNodesOfSubgraphsAndWhatOnlyTheyUsed) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (bool c, float[2] x) => (float[2] y) {
      z = Relu(x)
      y = If (c) <
        then_branch = then_graph () => (float[2] a) { unused = Neg(z) a = Neg(x) },
        else_branch = else_graph () => (float[2] b) { b = Abs(x) }
      >
    })",
                               {.executable = false});
  EXPECT_EQ(run.outcome.rewrites, 2U);
  EXPECT_EQ(operators(run.after), "If");
}

}  // namespace
}  // namespace press::test
