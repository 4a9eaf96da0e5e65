#include "press/pipeline/pass_manager.h"

#include <gtest/gtest.h>

#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kText = R"(
  <ir_version: 8, opset_import: ["" : 17]>
  agraph (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1, 2, 3, 4}> {
    i = Identity(w)
    t = Transpose<perm = [1, 0]>(i)
    d = Dropout(x)
    u = MatMul(d, t)
    unused = Relu(u)
    y = Relu(u)
  })";

std::vector<PassReport> run(Model& model, const std::vector<PassGroup>& groups,
                            const PassManagerOptions& options = {}, const PassContext& context = {}) {
  auto reports = run_passes(model, groups, context, options);
  EXPECT_TRUE(reports.ok()) << (reports.ok() ? "" : reports.error().message());
  return reports.ok() ? std::move(reports).value() : std::vector<PassReport>();
}

std::vector<std::string> names(const std::vector<PassReport>& reports) {
  std::vector<std::string> result;
  for (const PassReport& report : reports) result.push_back(report.name);
  return result;
}

TEST(PassManager, ReportsWhatEachPassDid) {
  Model model = parse(kText);
  const auto reports = run(model, {cleanup_group()});
  ASSERT_EQ(names(reports), cleanup_group().passes);
  EXPECT_EQ(reports[0].family, "cleanup");
  EXPECT_EQ(reports[0].numerics, Numerics::kExact);
  EXPECT_EQ(reports[0].rewrites, 2U);  // Identity, Dropout
  EXPECT_EQ(reports[0].nodes_before, 6U);
  EXPECT_EQ(reports[1].rewrites, 1U);  // Transpose
  EXPECT_EQ(reports.back().nodes_after, 2U);
  EXPECT_GE(reports[0].seconds, 0);
  expect_model(model, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N,2] x) => (float[N,2] y) <float[2,2] t = {1, 3, 2, 4}> { u = MatMul(x, t) y = Relu(u) })");
}

TEST(PassManager, RemovesWhatAPassLeavesDead) {
  Model model = parse(kText);
  run(model, {{.passes = {"eliminate_identity"}}});
  EXPECT_EQ(operators(model), "Transpose MatMul Relu");
}

TEST(PassManager, RepeatsAGroupUntilItIsStable) {
  // Folding makes the Identity between Concat and Reshape visible only in the second round.
  Model model = parse(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[2,3] x) => (float[2,3] y) {
      s = Shape(x)
      z = Reshape(x, s)
      y = Relu(z)
    })");
  const auto reports =
      run(model, {{.passes = {"fold_constants", "eliminate_identity"}, .until_stable = true}});
  EXPECT_EQ(operators(model), "Relu");
  EXPECT_EQ(reports.size(), 2U);
}

TEST(PassManager, StopsAfterTheLastRoundAllowed) {
  Model model = parse(kText);
  const auto reports = run(model, {cleanup_group()}, {.max_rounds = 1});
  ASSERT_FALSE(reports.empty());
  EXPECT_EQ(reports[0].notes, std::vector<std::string>{"still rewriting after 1 rounds"});
}

TEST(PassManager, RunsOnlyWhatTheFiltersLet) {
  Model model = parse(kText);
  const std::vector<PassGroup> groups = {cleanup_group(),
                                         {.passes = {"fuse_conv_batchnorm", "prune_magnitude"}}};
  EXPECT_EQ(names(run(model, groups, {.only = {"prune_magnitude", "fold_constants"}})),
            (std::vector<std::string>{"fold_constants", "prune_magnitude"}));
  EXPECT_EQ(names(run(model, groups,
                      {.only = {"prune_magnitude", "fold_constants"}, .disable = {"prune_magnitude"}})),
            std::vector<std::string>{"fold_constants"});
}

TEST(PassManager, RejectsNamesOfNoPass) {
  Model model = parse(kText);
  for (const auto& options :
       {PassManagerOptions{.only = {"fuse"}}, PassManagerOptions{.disable = {"fuse"}}}) {
    const auto reports = run_passes(model, {cleanup_group()}, {}, options);
    ASSERT_FALSE(reports.ok());
    EXPECT_EQ(reports.error().code(), ErrorCode::kUsage);
  }
  const auto reports = run_passes(model, {{.passes = {"fuse"}}}, {});
  ASSERT_FALSE(reports.ok());
  EXPECT_EQ(reports.error().code(), ErrorCode::kUsage);
  EXPECT_NE(reports.error().message().find("fuse_conv_batchnorm"), std::string::npos);
}

TEST(PassManager, NamesThePassThatFails) {
  Model model = parse(kText);
  PassContext context;
  context.prune.sparsity = 2;
  const auto reports = run_passes(model, {{.passes = {"prune_magnitude"}}}, context);
  ASSERT_FALSE(reports.ok());
  EXPECT_EQ(reports.error().code(), ErrorCode::kUsage);
  EXPECT_EQ(reports.error().message().rfind("pass prune_magnitude: ", 0), 0U);
}

TEST(PassManager, TellsProgressAndDumps) {
  Model model = parse(kText);
  std::vector<std::string> progress, dumps;
  PassManagerOptions options;
  options.progress = [&](const PassInfo& pass, std::size_t index, std::size_t count) {
    progress.push_back(std::string(pass.name) + " " + std::to_string(index) + "/" + std::to_string(count));
  };
  options.dump = [&](const PassInfo&, const std::string& text) { dumps.push_back(text); };
  run(model, {{.passes = {"eliminate_identity", "prune_magnitude"}}}, options);
  EXPECT_EQ(progress, (std::vector<std::string>{"eliminate_identity 0/2", "prune_magnitude 1/2"}));
  ASSERT_EQ(dumps.size(), 2U);
  EXPECT_EQ(dumps.back(), to_text(*model.graph));
}

/// A pass that does not keep its word, or the graph's invariants.
void expect_internal_error(PassFunction function, std::string_view message) {
  Model model = parse(kText);
  const PassInfo pass{"test", "liar", Numerics::kExact, "Does not keep its word", function};
  const auto report = press::run_pass(model, pass, {});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code(), ErrorCode::kInternal);
  EXPECT_EQ(report.error().message().rfind("pass liar: ", 0), 0U) << report.error().message();
  EXPECT_NE(report.error().message().find(message), std::string::npos) << report.error().message();
}

TEST(PassManager, CatchesAPassThatHidesARewrite) {
  expect_internal_error(
      [](Model& model, const PassContext&) -> Result<PassOutcome> {
        (*model.graph->nodes().begin())->set_attribute("axis", std::int64_t{1});
        return PassOutcome{.rewrites = 0};
      },
      "it reports 0 rewrites, but the model changed");
}

TEST(PassManager, CatchesAPassThatClaimsARewrite) {
  expect_internal_error(
      [](Model&, const PassContext&) -> Result<PassOutcome> { return PassOutcome{.rewrites = 3}; },
      "it reports 3 rewrites, but the model is the same");
}

TEST(PassManager, CatchesAPassThatBreaksTheGraph) {
  expect_internal_error(
      [](Model& model, const PassContext&) -> Result<PassOutcome> {
        const std::vector<Node*> nodes = model.graph->nodes_snapshot();
        model.graph->move_before(nodes.back(), nodes.front());
        return PassOutcome{.rewrites = 1};
      },
      "before it is made");
}

TEST(PassManager, TakesTimeInProportionToTheNodes) {
  Model model;
  Graph& graph = *model.graph;
  graph.set_opset("", 17);
  Value* value = graph.add_input("x", {DataType::kFloat, Shape{Dim("N"), 2}, {}});
  Value* weight = graph.add_constant(Tensor::of({2, 2}, std::vector<float>{1, 2, 3, 4}), "w");
  for (int i = 0; i < 10'000; ++i) {
    constexpr const char* kTypes[] = {"MatMul", "Identity", "Relu", "Dropout"};
    Node* node = graph.add_node({.op_type = kTypes[i % 4], .inputs = {value}});
    if (i % 4 == 0) graph.set_input(node, 1, weight);
    value = node->output();
  }
  graph.add_output("y", value, {DataType::kFloat, std::nullopt, {}});
  double seconds = 0;
  for (const PassReport& report : run(model, {cleanup_group(), {.passes = {"fuse_conv_batchnorm"}}})) {
    seconds += report.seconds;
  }
  EXPECT_EQ(graph.node_count(), 5'000U);
  EXPECT_LT(seconds, 10);  // a tenth of a second, but for sanitizers and busy machines
}

}  // namespace
}  // namespace press::test
