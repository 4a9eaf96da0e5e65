// compress quantize --min-agreement, --max-drop: layers that stay wider until the network keeps its answers.
#include <nlohmann/json.hpp>

#include "cli/command_fixture.h"

namespace press::test {
namespace {

using Names = std::vector<std::string>;

class GoalTest : public CommandTest {
 protected:
  /// With one scale a weight, the first layer loses all but its last channel, which the Relu cuts off.
  static constexpr const char* kOneSensitiveLayer = R"(<ir_version: 8, opset_import: ["" : 17]>
      net (float[N,3,8,8] image) => (float[N,3] scores)
      <float[4,3,1,1] w = {0.01,0,0, 0,0.01,0, 0,0,0.01, -1000,-1000,-1000},
       float[3,4,1,1] v = {1,0,0,0, 0,1,0,0, 0,0,1,0}> {
        c = Conv(image, w)
        r = Relu(c)
        d = Conv(r, v)
        p = GlobalAveragePool(d)
        scores = Flatten(p)
      })";

  void SetUp() override {
    CommandTest::SetUp();
    model("net.onnx", kOneSensitiveLayer, {{"c", "first"}, {"d", "second"}});
  }

  Names arguments(const Names& more) const {
    Names all{"quantize",         path("net.onnx"), "-o",       path("small.onnx"),
              "--calibration",    path("images"),   "--resize", "8x8",
              "--no-per-channel", "--threads",      "1",        "--json",
              path("report.json")};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  nlohmann::json goal() const { return nlohmann::json::parse(text_of(path("report.json")))["goal"]; }
};

TEST_F(GoalTest, SparesTheSensitiveLayerAlone) {
  const Finished finished = run(arguments({"--min-agreement", "75"}));
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_NE(finished.err.find("first stays wider"), std::string::npos) << finished.err;
  EXPECT_TRUE(goal()["met"].get<bool>());
  ASSERT_EQ(goal()["spared"].size(), 1U);
  EXPECT_EQ(goal()["spared"][0]["layer"], "first");
  ASSERT_EQ(goal()["attempts"].size(), 3U);  // none, both, one
  EXPECT_LT(goal()["attempts"][0]["agreement_percent"].get<double>(), 75);
}

TEST_F(GoalTest, SparesNothingWhereNothingIsLost) {
  const Finished finished = run(arguments({"--max-drop", "100"}));
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_TRUE(goal()["spared"].empty());
  EXPECT_EQ(goal()["attempts"].size(), 1U);
}

TEST_F(GoalTest, WritesTheBestWhereTheGoalIsMissed) {
  // With weights of 2 bits the sensitive ones keep 8, still with one scale.
  const Finished finished =
      run(arguments({"--weight-bits", "2", "--recover", "none", "--min-agreement", "100"}));
  EXPECT_EQ(finished.code, 5) << finished.err;
  EXPECT_NE(finished.err.find("the goal is missed"), std::string::npos) << finished.err;
  EXPECT_TRUE(std::filesystem::exists(path("small.onnx")));
}

TEST_F(GoalTest, NeedsSamplesAndSomethingToQuantize) {
  const Finished without =
      run({"quantize", path("net.onnx"), "-o", path("small.onnx"), "--type", "w8", "--min-agreement", "99"});
  EXPECT_EQ(without.code, 2);
  EXPECT_NE(without.err.find("give --calibration"), std::string::npos) << without.err;
}

}  // namespace
}  // namespace press::test
