#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr const char* kPass = "inline_functions";

std::string model(std::string_view nodes, std::string_view functions) {
  return R"(<ir_version: 8, opset_import: ["" : 13, "local" : 1]> g (float[2,3] x) => (float[2,3] y) { )" +
         std::string(nodes) + " }\n" + std::string(functions);
}
std::string function(std::string_view name, std::string_view body, int opset = 13) {
  return "<domain: \"local\", opset_import: [\"\" : " + std::to_string(opset) + ", \"local\" : 1]> " +
         std::string(name) + " (a) => (b) { " + std::string(body) + " }\n";
}

TEST(InlineFunctions, PutsBodiesInThePlaceOfCalls) {
  const PassRun run = run_pass(
      kPass, model("t = local.Twice(x) u = local.Twice(t) y = Relu(u)", function("Twice", "b = Add(a, a)")));
  EXPECT_EQ(operators(run.after), "Add Add Relu");
  EXPECT_TRUE(run.after.graph->functions().empty());
}

TEST(InlineFunctions, FollowsCallsInBodies) {
  const PassRun run =
      run_pass(kPass, model("y = local.Outer(x)", function("Outer", "t = local.Inner(a) b = Relu(t)") +
                                                      function("Inner", "b = Neg(a)")));
  EXPECT_EQ(operators(run.after), "Neg Relu");
}

TEST(InlineFunctions, LeavesOtherOperatorSets) {
  expect_declines(kPass, model("y = local.Old(x)", function("Old", "b = Relu(a)", 11)), "version 11",
                  {.executable = false});
}

TEST(InlineFunctions, LeavesFunctionsThatCallThemselves) {
  expect_declines(kPass, model("y = local.Loop(x)", function("Loop", "b = local.Loop(a)")), "calls itself",
                  {.executable = false});
}

TEST(InlineFunctions, LeavesWhatGrowsWithoutBounds) {
  std::string functions = function("F0", "b = Neg(a)");
  for (int i = 1; i < 40; ++i) {
    const std::string called = "local.F" + std::to_string(i - 1);
    functions += function("F" + std::to_string(i), "c = " + called + "(a) b = " + called + "(c)");
  }
  expect_declines(kPass, model("y = local.F39(x)", functions), "more than", {.executable = false});
}

}  // namespace
}  // namespace press::test
