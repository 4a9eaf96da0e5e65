#include "pipeline/node_story.h"

#include <gtest/gtest.h>

#include "press/onnx/text.h"
#include "press/pipeline/optimize.h"

namespace press {
namespace {

Model model() {
  auto parsed = parse_model_text(R"(<ir_version: 8, opset_import: ["" : 13]>
      net (float[N,1,4,4] x) => (float[N,1,4,4] y, float[N,1,4,4] z)
      <float[1,1,1,1] w = {2.0}, float[1] one = {1.0}, float half = {0.5}, float root = {1.4142135}> {
        c = Conv(x, w)
        i = Identity(c)
        n = BatchNormalization(i, one, one, one, one)
        y = Relu(n)
        d = Div(x, root)
        e = Erf(d)
        f = Add(e, one)
        g = Mul(x, f)
        z = Mul(g, half)
      })");
  EXPECT_TRUE(parsed.ok()) << parsed.error().message();
  return std::move(parsed).value();
}

std::string story(const std::string& node) {
  Model subject = model();
  const auto report = optimize(subject, Recipe(), {.explain = node});
  EXPECT_TRUE(report.ok()) << report.error().message();
  std::string text;
  for (const std::string& line : report->explanation) text += line + "\n";
  return text;
}

TEST(NodeStory, TellsWhatRemovedANodeAndWhoTookItsPlace) {
  EXPECT_NE(
      story("i").find(
          "eliminate_identity removed it; what BatchNormalization that makes 'n' reads is now made by Conv"),
      std::string::npos);
  EXPECT_NE(
      story("n").find("fuse_conv_batchnorm removed it; what Relu that makes 'y' reads is now made by Conv"),
      std::string::npos);
}

TEST(NodeStory, TellsWhatANodeBecame) {
  EXPECT_NE(story("c").find("fuse_conv_batchnorm made it: c = Conv(x, "), std::string::npos);
}

TEST(NodeStory, TellsWhyNotMore) {
  EXPECT_NE(story("z").find("fuse_activations declined: it is Gelu, which needs operator set 20"),
            std::string::npos);
}

TEST(NodeStory, SaysThatNothingHappened) {
  EXPECT_NE(story("e").find("no pass touched it"), std::string::npos);
}

TEST(NodeStory, KnowsWhichNodesThereAre) {
  Model subject = model();
  const auto report = optimize(subject, Recipe(), {.explain = "nn"});
  ASSERT_FALSE(report.ok());
  EXPECT_NE(report.error().message().find("the model has no node 'nn'"), std::string::npos);
}

}  // namespace
}  // namespace press
