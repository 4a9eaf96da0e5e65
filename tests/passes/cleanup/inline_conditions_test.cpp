#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kHead =
    R"(<ir_version: 8, opset_import: ["" : 13]> g (float[2] x, bool given) => (float[2] y) )";

std::string model(std::string_view condition, std::string_view rest = "") {
  return std::string(kHead) + "<bool yes = {1}, bool no = {0}> { y = If (" + std::string(condition) + R"() <
      then_branch = t () => (float[2] a) { b = Neg(x)
                                           a = Relu(b) },
      else_branch = e () => (float[2] c) { c = Tanh(x) }> )" +
         std::string(rest) + "}";
}

TEST(InlineConditions, TakesTheBranchOfAConstantCondition) {
  EXPECT_EQ(operators(run_pass("inline_conditions", model("yes")).after), "Neg Relu");
  EXPECT_EQ(operators(run_pass("inline_conditions", model("no")).after), "Tanh");
}

TEST(InlineConditions, LeavesAConditionThatARunDecides) {
  expect_declines("inline_conditions", model("given"), std::nullopt);
}

TEST(InlineConditions, InlinesInnerConditionsFirst) {
  const PassRun run = run_pass("inline_conditions", std::string(kHead) + R"(<bool yes = {1}> {
      y = If (yes) <
        then_branch = t () => (float[2] a) {
          a = If (yes) <then_branch = u () => (float[2] d) { d = Abs(x) }, else_branch = v () => (float[2] f) { f = Exp(x) }> },
        else_branch = e () => (float[2] c) { c = Tanh(x) }>
    })");
  EXPECT_EQ(operators(run.after), "Abs");
}

TEST(InlineConditions, LeavesABranchThatHoldsAGraph) {
  expect_declines("inline_conditions", std::string(kHead) + R"(<bool yes = {1}> {
      y = If (yes) <
        then_branch = t () => (float[2] a) {
          a = If (given) <then_branch = u () => (float[2] d) { d = Abs(x) }, else_branch = v () => (float[2] f) { f = Exp(x) }> },
        else_branch = e () => (float[2] c) { c = Tanh(x) }>
    })",
                  "holds a graph of its own");
}

}  // namespace
}  // namespace press::test
