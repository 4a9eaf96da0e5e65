#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kPass = "strip_model";

TEST(StripModel, ShortensInnerNamesAndDropsDefaults) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[1,1,1,1] x) => (float[1,1,2,2] y) <float[1,1,1,1] weight = {2}, float[1,1,2,2] other = {1, 2, 3, 4}> {
      hidden = Conv <kernel_shape = [1, 1], group = 1, strides = [1, 1], dilations = [1, 1], pads = [0, 0, 1, 1]> (x, weight)
      y = Mul(hidden, other)
    })");
  EXPECT_GT(run.outcome.rewrites, 0U);
  for (const Node* node : run.after.graph->nodes()) EXPECT_TRUE(node->name().empty());
  EXPECT_EQ(run.after.graph->inputs()[0]->name(), "x");
  EXPECT_EQ(run.after.graph->outputs()[0].name, "y");
  for (const Value* constant : run.after.graph->constants()) EXPECT_EQ(constant->name().size(), 1U);
  const Node& conv = **run.after.graph->nodes().begin();
  EXPECT_FALSE(conv.has_attribute("group"));
  EXPECT_FALSE(conv.has_attribute("strides"));
  EXPECT_FALSE(conv.has_attribute("kernel_shape"));
  EXPECT_TRUE(conv.has_attribute("pads"));
}

TEST(StripModel, LeavesGraphsWithSubgraphs) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (bool c, float[1] x) => (float[1] y) {
      y = If <then_branch = g1 () => (float[1] a) { a = Neg(x) },
              else_branch = g2 () => (float[1] b) { b = Abs(x) }>(c)
    })");
  EXPECT_EQ(run.outcome.rewrites, 0U);
  EXPECT_EQ(run.outcome.declined.size(), 1U);
}

}  // namespace
}  // namespace press::test
