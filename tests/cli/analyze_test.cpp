// compress analyze: layers of a compressed model, and each layer by itself.
#include <nlohmann/json.hpp>

#include "cli/command_fixture.h"

namespace press::test {
namespace {

using Names = std::vector<std::string>;

class AnalyzeTest : public CommandTest {
 protected:
  static constexpr const char* kTwoLayers = R"(<ir_version: 8, opset_import: ["" : 17]>
      net (float[N,3,8,8] image) => (float[N,3] scores)
      <float[3,3,1,1] w = {1,0.1,0, 0,1,0.2, 0.3,0,1}, float[3,3,1,1] v = {1,0.01,0, 0.02,1,0, 0,0.03,1}> {
        c = Conv(image, w)
        r = Relu(c)
        d = Conv(r, v)
        p = GlobalAveragePool(d)
        scores = Flatten(p)
      })";

  void SetUp() override {
    CommandTest::SetUp();
    model("two.onnx", kTwoLayers, {{"c", "first"}, {"d", "second"}});
  }

  Names arguments(const Names& more) const {
    Names all{"analyze",      path("two.onnx"), "--images",  path("images"),
              "--preprocess", "cifar10",        "--threads", "1"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

TEST_F(AnalyzeTest, TellsWhichLayersDiffer) {
  ASSERT_EQ(run({"prune", path("two.onnx"), "-o", path("pruned.onnx"), "--sparsity", "0.5", "--scope",
                 "local", "--exclude", "first"})
                .code,
            0);
  const Finished finished =
      run(arguments({path("pruned.onnx"), "--json", path("layers.json"), "--svg", path("svg")}));
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_NE(finished.err.find("'second'"), std::string::npos) << finished.err;
  const auto layers = nlohmann::json::parse(text_of(path("layers.json")))["layers"];
  ASSERT_GE(layers.size(), 2U);
  EXPECT_EQ(layers[0]["name"], "first");
  EXPECT_TRUE(layers[0]["sqnr_db"].is_null()) << "the first layer was left alone";
  EXPECT_EQ(layers[0]["zero_weights"], 3);
  const auto second =
      std::find_if(layers.begin(), layers.end(), [](const auto& l) { return l["name"] == "second"; });
  ASSERT_NE(second, layers.end());
  EXPECT_TRUE((*second)["sqnr_db"].is_number());
  EXPECT_FALSE((*second)["original_weights"]["counts"].empty());
  EXPECT_TRUE(std::filesystem::exists(path("svg/layers.svg")));
}

TEST_F(AnalyzeTest, TellsChosenRanges) {
  ASSERT_EQ(run({"quantize", path("two.onnx"), "-o", path("int8.onnx"), "--calibration", path("images"),
                 "--preprocess", "cifar10"})
                .code,
            0);
  const Finished finished = run(arguments({path("int8.onnx"), "--json"}));
  ASSERT_EQ(finished.code, 0) << finished.err;
  const auto layers = nlohmann::json::parse(finished.out)["layers"];
  bool ranged = false;
  for (const auto& layer : layers) ranged = ranged || layer["range"].is_array();
  EXPECT_TRUE(ranged) << layers.dump(1);
}

TEST_F(AnalyzeTest, SaysWhatLeavingALayerOutGains) {
  const std::string recipe =
      folder_.write("prune.toml", "[prune]\nmethod = 'magnitude'\nscope = 'local'\nsparsity = 0.7\n");
  const Finished finished = run(arguments({"--recipe", recipe, "--worst", "1", "--json", path("s.json")}));
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_NE(finished.err.find("exclude '"), std::string::npos) << finished.err;
  EXPECT_NE(finished.err.find("points of top-1"), std::string::npos) << finished.err;
  const auto json = nlohmann::json::parse(text_of(path("s.json")));
  ASSERT_EQ(json["alone"].size(), 2U);
  EXPECT_EQ(json["alone"][0]["layer"], "first");
  ASSERT_EQ(json["left_out"].size(), 1U);
  EXPECT_GE(json["left_out"][0]["sqnr_db"].get<double>(), json["whole"]["sqnr_db"].get<double>());
}

TEST_F(AnalyzeTest, NeedsSomethingToAnalyze) {
  expect_error(run(arguments({})), 2, "--recipe");
  expect_error(run({"analyze", path("two.onnx"), path("two.onnx")}), 2, "--images");
}

}  // namespace
}  // namespace press::test
