#include "press/pipeline/optimize.h"

#include <gtest/gtest.h>

#include "press/onnx/model_io.h"
#include "press/onnx/text.h"

namespace press {
namespace {

Model small_model() {
  auto model = parse_model_text(R"(<ir_version: 8, opset_import: ["" : 17]>
      net (float[N,1,4,4] x) => (float[N,2,2,2] y)
      <float[2,1,3,3] w = {1,2,3, 4,5,6, 7,8,9, 9,8,7, 6,5,4, 3,2,1}, float[2] scale = {2, 0.5},
       float[2] shift = {1, -1}, float[2] mean = {0.5, 0}, float[2] var = {1, 4}> {
        c = Conv(x, w)
        i = Identity(c)
        n = BatchNormalization(i, scale, shift, mean, var)
        y = Relu(n)
      })");
  EXPECT_TRUE(model.ok()) << model.error().message();
  return std::move(model).value();
}

TEST(Optimize, NothingAskedForCleansUpAndFuses) {
  Model model = small_model();
  const auto report = optimize(model, Recipe());
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_EQ(model.graph->node_count(), 2U);  // Conv, Relu
  EXPECT_EQ(report->before.nodes, 4);
  EXPECT_EQ(report->after.nodes, 2);
  EXPECT_LT(report->after.bytes, report->before.bytes);
}

TEST(Optimize, PruneAloneDoesNotFuse) {
  Model model = small_model();
  Recipe recipe;
  recipe.prune = true;
  recipe.prune_options.sparsity = 0.5;
  const auto report = optimize(model, recipe);
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_EQ(model.graph->node_count(), 3U);
  EXPECT_EQ(report->after.zero_weights, 9);
}

TEST(Optimize, CommonAndOwnSelectionAreBothHeeded) {
  Model model = small_model();
  Recipe recipe;
  recipe.prune = true;
  recipe.nodes.exclude = {"."};  // every node with a name; an unnamed one is left alone as well
  (*model.graph->nodes().begin())->set_name("conv");
  const auto report = optimize(model, recipe);
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_EQ(report->after.zero_weights, 0);
  EXPECT_FALSE(report->warnings.empty());
}

TEST(Optimize, Int8WithoutSamplesIsAUsageError) {
  Model model = small_model();
  Recipe recipe;
  recipe.precision = Precision::kInt8;
  const auto report = optimize(model, recipe);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code(), ErrorCode::kUsage);
  EXPECT_NE(report.error().message().find("--calibration"), std::string::npos);
}

TEST(Optimize, UnknownPassNameIsAUsageError) {
  Model model = small_model();
  Recipe recipe;
  recipe.disabled_passes = {"fuse_conv"};
  const auto report = optimize(model, recipe);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code(), ErrorCode::kUsage);
}

TEST(Optimize, ProgressMayStopIt) {
  Model model = small_model();
  OptimizeOptions options;
  options.progress = [](std::string_view, std::int64_t, std::int64_t) -> Status {
    return Error(ErrorCode::kInterrupted, "stop");
  };
  const auto report = optimize(model, Recipe(), options);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code(), ErrorCode::kInterrupted);
}

TEST(Optimize, SameRunGivesTheSameBytesWithStamp) {
  std::string bytes[2];
  for (std::string& result : bytes) {
    Model model = small_model();
    const auto report = optimize(model, Recipe(), {.stamp = true});
    ASSERT_TRUE(report.ok()) << report.error().message();
    auto written = model_to_bytes(model);
    ASSERT_TRUE(written.ok());
    result = *written;
  }
  EXPECT_EQ(bytes[0], bytes[1]);
  EXPECT_NE(bytes[0].find("fuse_conv_batchnorm:1"), std::string::npos);
}

TEST(OptimizeReport, JsonAndSummaryTellTheSameStory) {
  Model model = small_model();
  const auto report = optimize(model, Recipe());
  ASSERT_TRUE(report.ok());
  const std::string json = to_json(*report);
  EXPECT_NE(json.find("\"schema\": 1"), std::string::npos);
  EXPECT_NE(json.find("\"fuse_conv_batchnorm\""), std::string::npos);
  EXPECT_NE(summary(*report, false).find("fuse_conv_batchnorm"), std::string::npos);
}

}  // namespace
}  // namespace press
