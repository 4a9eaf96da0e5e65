#include <gtest/gtest.h>

#include <string>

#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kPass = "upgrade_opset";

/// A graph x -> y under a version of the operator set.
std::string graph(std::int64_t opset, const std::string& body, const std::string& x = "float[2,3,4,5] x",
                  const std::string& constants = "") {
  return "<ir_version: 7, opset_import: [\"\": " + std::to_string(opset) + "]> g (" + x +
         ") => (float[] y) " + constants + "{" + body + "}";
}

void expect_upgrades(std::int64_t from, const std::string& before, const std::string& after,
                     const std::string& constants = "", const std::string& x = "float[2,3,4,5] x") {
  Model model = parse(graph(from, before, x));
  model.graph->output_slot(0).type = {DataType::kFloat, std::nullopt, {}};
  const PassRun run = run_pass(kPass, model, {.executable = false});
  EXPECT_GT(run.outcome.rewrites, 0U);
  EXPECT_EQ(run.after.graph->opset(), 13);
  Model expected = parse(graph(13, after, x, constants));
  expected.graph->output_slot(0).type = {DataType::kFloat, std::nullopt, {}};
  EXPECT_EQ(fingerprint(*run.after.graph), fingerprint(*expected.graph)) << to_text(*run.after.graph);
}

TEST(UpgradeOpset, TurnsAttributesIntoInputs) {
  expect_upgrades(10, "y = Clip <min = 0.0, max = 6.0> (x)", "y = Clip(x, lo, hi)",
                  "<float lo = {0}, float hi = {6}>");
  expect_upgrades(10, "y = Clip <max = 6.0> (x)", "y = Clip(x, , hi)", "<float hi = {6}>");
  expect_upgrades(10, "y = Pad <pads = [0,0,1,1,0,0,1,1], value = 2.0> (x)", "y = Pad(x, p, v)",
                  "<int64[8] p = {0,0,1,1,0,0,1,1}, float v = {2}>");
  expect_upgrades(9, "y = Slice <starts = [0], ends = [2], axes = [1]> (x)", "y = Slice(x, s, e, a)",
                  "<int64[1] s = {0}, int64[1] e = {2}, int64[1] a = {1}>");
  expect_upgrades(9, "y, i = TopK <k = 3, axis = 1> (x)", "y, i = TopK <axis = 1> (x, k)",
                  "<int64[1] k = {3}>");
  expect_upgrades(12, "y, z = Split <axis = 1, split = [1,2]> (x)", "y, z = Split <axis = 1> (x, s)",
                  "<int64[2] s = {1,2}>");
  expect_upgrades(12, "y = Squeeze <axes = [0]> (x)", "y = Squeeze(x, a)", "<int64[1] a = {0}>");
  expect_upgrades(12, "y = Unsqueeze <axes = [0]> (x)", "y = Unsqueeze(x, a)", "<int64[1] a = {0}>");
  expect_upgrades(12, "y = ReduceSum <axes = [2], keepdims = 0> (x)", "y = ReduceSum <keepdims = 0> (x, a)",
                  "<int64[1] a = {2}>");
  expect_upgrades(11, "y = Dropout <ratio = 0.3> (x)", "y = Dropout(x)");
}

TEST(UpgradeOpset, KeepsWhatSoftmaxMeans) {
  expect_upgrades(12, "y = Softmax <axis = 3> (x)", "y = Softmax <axis = 3> (x)");
  expect_upgrades(12, "y = Softmax(x)", "y = Softmax <axis = 1> (x)", "", "float[2,10] x");
  expect_upgrades(12, "y = LogSoftmax(x)", "y = LogSoftmax <axis = 1> (x)", "", "float[N,10,1,1] x");
  expect_upgrades(12, "y = Softmax <axis = 2> (x)", R"(
    s = Shape(x)
    f = Flatten <axis = 2> (x)
    n = Softmax <axis = -1> (f)
    y = Reshape(n, s))");
}

TEST(UpgradeOpset, TurnsUpsampleIntoResize) {
  const std::string resize =
      "y = Resize <mode = \"nearest\", coordinate_transformation_mode = \"asymmetric\", nearest_mode = "
      "\"floor\"> (x, , s)";
  const std::string scales = "<float[4] s = {1,1,2,2}>";
  expect_upgrades(7, "y = Upsample <mode = \"nearest\", scales = [1.0,1.0,2.0,2.0]> (x)", resize, scales);
}

TEST(UpgradeOpset, DropsWhatBatchNormalizationLost) {
  const std::string x = "float[2,3] x, float[3] s, float[3] b, float[3] m, float[3] v";
  expect_upgrades(8, "y = BatchNormalization <spatial = 1> (x, s, b, m, v)",
                  "y = BatchNormalization(x, s, b, m, v)", "", x);
}

TEST(UpgradeOpset, ReachesIntoSubgraphs) {
  expect_upgrades(11, R"(y = If (c) <then_branch = t () => (float[] a) { a = Squeeze <axes = [0]> (x) },
                                     else_branch = e () => (float[] b) { b = Relu(x) }>)",
                  R"(y = If (c) <then_branch = t () => (float[] a) <int64[1] n = {0}> { a = Squeeze(x, n) },
                                 else_branch = e () => (float[] b) { b = Relu(x) }>)",
                  "", "float[1,3] x, bool c");
}

TEST(UpgradeOpset, NamesWhatItCannotCarryOver) {
  const PassRunOptions options{.executable = false};
  expect_declines(kPass, graph(9, "y = Vanished(x)"), "no adapter of Vanished from opset 9 to 13", options);
  expect_declines(kPass, graph(6, "y = Relu(x)"), "opset 6", options);
  expect_declines(kPass, graph(11, "d, m = Dropout(x) y = Add(d, m)"), "mask", options);
  expect_declines(kPass,
                  graph(8, "y = BatchNormalization <spatial = 0> (x, s, b, m, v)",
                        "float[2,3] x, float[3] s, float[3] b, float[3] m, float[3] v"),
                  "spatial", options);
}

TEST(UpgradeOpset, GoesOnToTheOperatorSetThatIsAskedFor) {
  const PassRunOptions to_18{.context = {.opset = 18}};
  const PassRun run = run_pass(kPass,
                               graph(11, R"(
      a, b = Split <axis = 1> (z)
      c = Add(a, b)
      y = ReduceMean <axes = [0, 1], keepdims = 0> (c))",
                                     "float[2,4] z"),
                               to_18);
  EXPECT_EQ(run.after.graph->opset(), 18);
  EXPECT_EQ(run.after.ir_version, 8);
  expect_model(
      run.after,
      R"(<ir_version: 8, opset_import: ["": 18]> g (float[2,4] z) => (float[] y) <int64[2] axes = {0, 1}> {
      a, b = Split <axis = 1, num_outputs = 2> (z)
      c = Add(a, b)
      y = ReduceMean <keepdims = 0> (c, axes)
    })");
}

TEST(UpgradeOpset, WritesDownDefaultsThatChanged) {
  const PassRunOptions to_20{.context = {.opset = 20}, .executable = false};
  const PassRun run = run_pass(kPass,
                               graph(16, R"(
      a = GridSample <mode = "bilinear"> (x, g1)
      y = RoiAlign <output_height = 2, output_width = 2> (a, r, i))",
                                     "float[1,1,4,4] x, float[1,4,4,2] g1, float[1,4] r, int64[1] i"),
                               to_20);
  const Node* sample = *run.after.graph->nodes().begin();
  EXPECT_EQ(sample->string_attribute("mode", ""), "linear");
  const PassRun older = run_pass(kPass,
                                 graph(13, "y = RoiAlign <output_height = 2, output_width = 2> (x, r, i)",
                                       "float[1,1,4,4] x, float[1,4] r, int64[1] i"),
                                 to_20);
  EXPECT_EQ((*older.after.graph->nodes().begin())->string_attribute("coordinate_transformation_mode", ""),
            "output_half_pixel");
}

TEST(UpgradeOpset, LeavesNewerModelsAlone) {
  expect_declines(kPass, graph(13, "y = Relu(x)"), std::nullopt, {.executable = false});
  expect_declines(kPass, graph(20, "y = Relu(x)"), std::nullopt, {.executable = false});
}

}  // namespace
}  // namespace press::test
