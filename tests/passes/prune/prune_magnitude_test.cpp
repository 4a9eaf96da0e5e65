#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kPass = "prune_magnitude";

// Two layers: `first` with magnitudes 1 to 6, `second` with magnitudes 10 to 60.
constexpr std::string_view kTwoLayers = R"(
  <ir_version: 8, opset_import: ["" : 17]>
  agraph (float[N,2] x) => (float[N,2] y)
    <float[2,3] w1 = {1, -2, 3, -4, 5, -6}, float[3] b1 = {0.5, 0.25, 100}, float[3,2] w2 = {10, 20, -30, -40, 50, 60}> {
    h = Gemm(x, w1, b1)
    y = MatMul(h, w2)
  })";

PassRunOptions pruning(double sparsity, PruneScope scope, bool biases = false) {
  PassRunOptions options;
  options.context.prune = {.sparsity = sparsity, .scope = scope, .biases = biases, .nodes = {}};
  return options;
}

Model named(std::string_view text, const std::vector<std::string>& names) {
  Model model = parse(text);
  auto name = names.begin();
  for (Node* node : model.graph->nodes()) {
    if (name != names.end()) node->set_name(*name++);
  }
  return model;
}

std::vector<float> weights(const Model& model, std::string_view name) {
  for (const Value* value : model.graph->constants()) {
    if (value->name() != name) continue;
    const auto data = value->constant()->data<float>();
    return {data.begin(), data.end()};
  }
  ADD_FAILURE() << "no constant " << name;
  return {};
}

using Weights = std::vector<float>;

TEST(PruneMagnitude, ZeroesTheSmallestOfEachLayer) {
  const PassRun run = run_pass(kPass, kTwoLayers, pruning(0.5, PruneScope::kLocal));
  EXPECT_EQ(run.outcome.rewrites, 2U);
  EXPECT_EQ(weights(run.after, "w1"), (Weights{0, 0, 0, -4, 5, -6}));
  EXPECT_EQ(weights(run.after, "w2"), (Weights{0, 0, 0, -40, 50, 60}));
  EXPECT_EQ(weights(run.after, "b1"), weights(run.before, "b1"));
}

TEST(PruneMagnitude, ZeroesTheSmallestOfTheNetwork) {
  const PassRun run = run_pass(kPass, kTwoLayers, pruning(5.0 / 12, PruneScope::kGlobal));
  EXPECT_EQ(run.outcome.rewrites, 1U);
  EXPECT_EQ(weights(run.after, "w1"), (Weights{0, 0, 0, 0, 0, -6}));
  EXPECT_EQ(weights(run.after, "w2"), weights(run.before, "w2"));
}

TEST(PruneMagnitude, LeavesEachLayerItsLargestWeightGlobally) {
  const PassRun run = run_pass(kPass, kTwoLayers, pruning(0.5, PruneScope::kGlobal));
  EXPECT_EQ(weights(run.after, "w1"), (Weights{0, 0, 0, 0, 0, -6}));
  EXPECT_EQ(weights(run.after, "w2"), (Weights{0, 20, -30, -40, 50, 60}));

  const PassRun most = run_pass(kPass, kTwoLayers, pruning(0.99, PruneScope::kGlobal));
  EXPECT_EQ(weights(most.after, "w1"), (Weights{0, 0, 0, 0, 0, -6}));
  EXPECT_EQ(weights(most.after, "w2"), (Weights{0, 0, 0, 0, 0, 60}));
  ASSERT_FALSE(most.outcome.notes.empty());
  EXPECT_EQ(most.outcome.notes.front(), "2 of 12 zeros left out: each layer keeps its largest weight");
}

TEST(PruneMagnitude, ReportsTheSparsityOfEachLayer) {
  const PassRun run =
      run_pass(kPass, named(kTwoLayers, {"first", "second"}), pruning(0.5, PruneScope::kGlobal));
  EXPECT_EQ(run.outcome.notes, (std::vector<std::string>{"first: 5 of 6 weights are zero (83.3 %)",
                                                         "second: 1 of 6 weights are zero (16.7 %)",
                                                         "together: 6 of 12 weights are zero (50.0 %)"}));
}

TEST(PruneMagnitude, ReachesEverySparsityExactly) {
  Model model;
  Graph& graph = *model.graph;
  graph.set_opset("", 17);
  Value* x = graph.add_input("x", {DataType::kFloat, Shape{1, 37}, {}});
  Value* w = graph.add_constant(seeded_tensor(DataType::kFloat, {37, 27}, 5), "w");
  Node* node = graph.add_node({.op_type = "MatMul", .inputs = {x, w}});
  graph.add_output("y", node->output(), {DataType::kFloat, std::nullopt, {}});
  for (const double sparsity : {0.0, 0.001, 0.1, 0.5, 0.75, 0.9, 0.998, 1.0}) {
    const PassRun run = run_pass(kPass, model, pruning(sparsity, PruneScope::kLocal));
    const Weights before = weights(model, "w");
    const Weights after = run.outcome.rewrites > 0 ? weights(run.after, "w") : before;
    const auto zeros = std::ranges::count(after, 0.0F);
    EXPECT_EQ(zeros, std::llround(sparsity * 999)) << sparsity;
    float largest_gone = 0, smallest_left = 2;
    for (std::size_t i = 0; i < after.size(); ++i) {
      if (after[i] == 0) largest_gone = std::max(largest_gone, std::abs(before[i]));
      if (after[i] != 0) smallest_left = std::min(smallest_left, std::abs(after[i]));
    }
    EXPECT_LE(largest_gone, smallest_left);
  }
}

TEST(PruneMagnitude, TakesEqualMagnitudesInOrder) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[1,2] x) => (float[1,3] y) <float[2,3] w = {1, -1, 1, -1, 1, -1}> { y = MatMul(x, w) })",
                               pruning(0.5, PruneScope::kLocal));
  EXPECT_EQ(weights(run.after, "w"), (Weights{0, 0, 0, -1, 1, -1}));
}

TEST(PruneMagnitude, CountsZerosThatAreThere) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[1,2] x) => (float[1,3] y) <float[2,3] w = {1, 0, 3, 0, 5, 6}> { y = MatMul(x, w) })",
                               pruning(0.5, PruneScope::kLocal));
  EXPECT_EQ(weights(run.after, "w"), (Weights{0, 0, 3, 0, 5, 6}));

  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[1,2] x) => (float[1,3] y) <float[2,3] w = {0, 0, 3, 0, 5, 6}> { y = MatMul(x, w) })",
                  std::nullopt, pruning(0.5, PruneScope::kGlobal));
}

TEST(PruneMagnitude, PrunesEverythingOnlyWhenAskedTo) {
  const PassRun run = run_pass(kPass, kTwoLayers, pruning(1.0, PruneScope::kGlobal));
  EXPECT_EQ(weights(run.after, "w1"), Weights(6, 0.0F));
  EXPECT_EQ(weights(run.after, "w2"), Weights(6, 0.0F));
}

TEST(PruneMagnitude, PrunesBiasesOnRequest) {
  const PassRun run = run_pass(kPass, kTwoLayers, pruning(0.34, PruneScope::kLocal, true));
  EXPECT_EQ(weights(run.after, "b1"), (Weights{0.5, 0, 100}));
}

TEST(PruneMagnitude, CountsASharedWeightOnce) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[1,2] x) => (float[1,2] y) <float[2,2] w = {1, 2, 3, 4}> { h = MatMul(x, w) y = MatMul(h, w) })",
                               pruning(0.5, PruneScope::kGlobal));
  EXPECT_EQ(run.outcome.rewrites, 1U);
  EXPECT_EQ(weights(run.after, "w"), (Weights{0, 0, 3, 4}));
  EXPECT_EQ(run.outcome.notes.back(), "together: 2 of 4 weights are zero (50.0 %)");
}

TEST(PruneMagnitude, LeavesWeightsAloneThatOtherOperatorsUse) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,2] x) => (float[2,2] y) <float[2,2] w = {1, 2, 3, 4}> { h = MatMul(x, w) y = Add(h, w) })",
                  "is also used by", pruning(0.5, PruneScope::kGlobal));
}

TEST(PruneMagnitude, LeavesProductsOfComputedValuesAlone) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,2] x) => (float[2,2] y) { h = Relu(x) y = MatMul(x, h) })",
                  std::nullopt, pruning(0.5, PruneScope::kGlobal));
}

TEST(PruneMagnitude, LeavesQuantizedWeightsAlone) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,2] x) => (float[2,2] y) <int8[2,2] q = {1, 2, 3, 4}, float s = {0.5}, int8 z = {0}> {
      w = DequantizeLinear(q, s, z)
      y = MatMul(x, w)
    })",
                  "prune before quantizing", pruning(0.5, PruneScope::kGlobal));
}

TEST(PruneMagnitude, PrunesSelectedNodesOnly) {
  const Model model = named(kTwoLayers, {"block1/first", "block2/second"});
  PassRunOptions options = pruning(0.5, PruneScope::kGlobal);
  options.context.prune.nodes.include = {"^block"};
  options.context.prune.nodes.exclude = {"first$"};
  const PassRun run = run_pass(kPass, model, options);
  EXPECT_EQ(weights(run.after, "w1"), weights(run.before, "w1"));
  EXPECT_EQ(weights(run.after, "w2"), (Weights{0, 0, 0, -40, 50, 60}));
}

TEST(PruneMagnitude, LeavesWeightsAloneThatExcludedNodesUse) {
  const Model model = named(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[1,2] x) => (float[1,2] y) <float[2,2] w = {1, 2, 3, 4}> { h = MatMul(x, w) y = MatMul(h, w) })",
                            {"first", "second"});
  PassRunOptions options = pruning(0.5, PruneScope::kGlobal);
  options.context.prune.nodes.exclude = {"second"};
  const PassRun run = run_pass(kPass, model, options);
  EXPECT_EQ(run.outcome.rewrites, 0U);
  ASSERT_EQ(run.outcome.declined.size(), 1U);
}

TEST(PruneMagnitude, PrunesHalfPrecision) {
  Model model;
  Graph& graph = *model.graph;
  graph.set_opset("", 17);
  Value* x = graph.add_input("x", {DataType::kFloat16, Shape{1, 2}, {}});
  const std::vector<Float16> halves = {to_float16(-0.5F), to_float16(0.25F), to_float16(2.0F),
                                       to_float16(-4.0F)};
  Node* node = graph.add_node(
      {.op_type = "MatMul", .inputs = {x, graph.add_constant(Tensor::of({2, 2}, halves), "w")}});
  graph.add_output("y", node->output(), {DataType::kFloat16, std::nullopt, {}});
  const PassRun run = run_pass(kPass, model, pruning(0.5, PruneScope::kLocal));
  const Tensor& pruned = *run.after.graph->constants().front()->constant();
  EXPECT_EQ(as_doubles(pruned), (std::vector<double>{0, 0, 2, -4}));
}

TEST(PruneMagnitude, KeepsNotANumberLongest) {
  Model model = parse(kTwoLayers);
  Value* weight = model.graph->constants().front();
  Tensor changed = *weight->constant();
  changed.mutable_data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  weight->set_constant(changed);
  auto options = pruning(5.0 / 6, PruneScope::kLocal);
  options.executable = false;
  const PassRun run = run_pass(kPass, model, options);
  EXPECT_TRUE(std::isnan(weights(run.after, weight->name())[0]));
}

TEST(PruneMagnitude, RejectsRequestsThatMakeNoSense) {
  for (const double sparsity : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    Model model = parse(kTwoLayers);
    const auto outcome = find_pass(kPass)->run(model, pruning(sparsity, PruneScope::kLocal).context);
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.error().code(), ErrorCode::kUsage);
  }
  Model model = parse(kTwoLayers);
  PassContext context;
  context.prune.nodes.include = {"conv("};
  const auto outcome = find_pass(kPass)->run(model, context);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code(), ErrorCode::kUsage);
  EXPECT_NE(outcome.error().message().find("'conv('"), std::string::npos);
}

TEST(PruneMagnitude, SaysWhereNothingCouldBePruned) {
  Model model = parse(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2] x) => (float[2] y) { y = Relu(x) })");
  const auto outcome = find_pass(kPass)->run(model, {});
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->notes, std::vector<std::string>{"no selected node has a weight that can be pruned"});
}

}  // namespace
}  // namespace press::test
