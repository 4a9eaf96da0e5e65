#include <set>

#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kPass = "cluster_weights";

PassRunOptions shared_values(std::int64_t count) {
  PassRunOptions options;
  options.context.cluster.count = count;
  return options;
}

std::set<float> values_of(const Model& model) {
  const Tensor& weight = *model.graph->constants().front()->constant();
  const std::span<const float> data = weight.data<float>();
  return {data.begin(), data.end()};
}

constexpr std::string_view kMatMul = R"(
  <ir_version: 8, opset_import: ["" : 17]>
  agraph (float[N,2] x) => (float[N,4] y)
  <float[2,4] w = {1.0, 1.1, 0.0, -3.0, -3.2, 5.0, 0.0, 0.9}> { y = MatMul(x, w) })";

TEST(ClusterWeights, SharesTheCentroidsAndKeepsZeros) {
  const PassRun run = run_pass(kPass, kMatMul, shared_values(4));
  EXPECT_EQ(run.outcome.rewrites, 1U);
  expect_model(run.after, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N,2] x) => (float[N,4] y)
    <float[2,4] w = {1.0, 1.0, 0.0, -3.1, -3.1, 5.0, 0.0, 1.0}> { y = MatMul(x, w) })");
}

TEST(ClusterWeights, LeavesFewValuesAlone) {
  EXPECT_EQ(run_pass(kPass, kMatMul, shared_values(7)).outcome.rewrites, 0U);
  EXPECT_EQ(values_of(run_pass(kPass, kMatMul, shared_values(2)).after).size(), 2U);
}

TEST(ClusterWeights, DoesNotTouchAWeightThatIsAnEmbeddingToo) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N,2] x) => (float[N,4] y, float[4] z)
    <float[2,4] w = {1, 2, 3, 4, 5, 6, 7, 8}, int64 row = {0}> {
      y = MatMul(x, w)
      z = Gather(w, row)
    })",
                               shared_values(2));
  EXPECT_EQ(run.outcome.rewrites, 0U);
  EXPECT_EQ(run.outcome.declined.size(), 1U);
}

TEST(ClusterWeights, HeedsTheSelection) {
  PassRunOptions options = shared_values(2);
  options.context.cluster.nodes.exclude = {"y"};
  EXPECT_EQ(run_pass(kPass, kMatMul, options).outcome.rewrites, 0U);
}

}  // namespace
}  // namespace press::test
