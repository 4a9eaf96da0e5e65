#include <gtest/gtest.h>

#include <string>

#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kPass = "store_bf16";

Model model_with_weight(std::int64_t opset = 13) {
  Model model = parse(R"(
    <ir_version: 7, opset_import: ["": )" +
                      std::to_string(opset) + R"(]>
    g (float[N,8] x) => (float[N,8] y) <float[1,1] w = {1}, float[2,2] small = {1, 2, 3, 4}, float[8] b = {1, 1, 1, 1, 1, 1, 1, 1}> {
      p = MatMul(x, w)
      y = Add(p, b)
    })");
  for (Value* value : model.graph->constants()) {
    if (value->name() == "w") value->set_constant(seeded_tensor(DataType::kFloat, {8, 8}, 5));
  }
  return model;
}

TEST(StoreBf16, PutsACastBehindWeights) {
  const PassRun run = run_pass(kPass, model_with_weight(), {.tolerance = 1e-2});
  EXPECT_EQ(operators(run.after), "Cast MatMul Add");
  EXPECT_EQ(run.outcome.rewrites, 1U);
  const Node* cast = *run.after.graph->nodes().begin();
  EXPECT_EQ(cast->output()->name(), "w");
  EXPECT_EQ(cast->input(0)->constant()->type(), DataType::kBFloat16);
}

TEST(StoreBf16, RaisesTheOpset) {
  const PassRun run = run_pass(kPass, model_with_weight(9), {.tolerance = 1e-2});
  EXPECT_EQ(run.after.graph->opset(), 13);
}

TEST(StoreBf16, LeavesWhatIsNotSelected) {
  PassRunOptions options;
  options.context.fp16.nodes.exclude = {"^p$"};
  EXPECT_EQ(run_pass(kPass, model_with_weight(), options).outcome.rewrites, 0U);
}

}  // namespace
}  // namespace press::test
