#include "pipeline/sample_check.h"

#include <gtest/gtest.h>

#include "press/onnx/text.h"
#include "support/files.h"

namespace press {
namespace {

/// Tells blue, green and red pictures apart as long as pixels are 0 to 1: a class is its colour's mean, ten
/// times.
constexpr const char* kColours = R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[N,3,8,8] image) => (float[N,3] scores)
    <float[3,3,1,1] w = {0,0,10, 0,10,0, 10,0,0}, float zero = {0}, float one = {1}> {
      c = Clip(image, zero, one)
      s = Conv(c, w)
      p = GlobalAveragePool(s)
      scores = Flatten(p)
    })";

class SampleCheck : public ::testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 6; ++i) {
      picture("classes/blue/" + std::to_string(i), {10, 20, 200});
      picture("classes/green/" + std::to_string(i), {10, 200, 20});
      picture("classes/red/" + std::to_string(i), {200, 10, 20});
      picture("mixed/" + std::to_string(3 * i), {10, 20, 200});
      picture("mixed/" + std::to_string(3 * i + 1), {10, 200, 20});
      picture("mixed/" + std::to_string(3 * i + 2), {200, 10, 20});
      for (const char* wrong : {"wrong/a", "wrong/b", "wrong/c"})
        picture(std::string(wrong) + "/" + std::to_string(i),
                {i % 3 == 0 ? 250 : 0, i % 3 == 1 ? 250 : 0, 40});
    }
  }

  void picture(const std::string& name, const std::vector<int>& colour) const {
    std::string bytes = "P6\n8 8\n255\n";
    for (int pixel = 0; pixel < 64; ++pixel) {
      for (const int value : colour) bytes += static_cast<char>(value);
    }
    folder_.write(name + ".ppm", bytes);
  }

  std::string doubt(const std::string& images, const PreprocessOptions& steps,
                    const char* network = kColours) const {
    const Result<Model> model = parse_model_text(network);
    EXPECT_TRUE(model.ok());
    const SampleOptions samples{.path = (folder_.path() / images).string(), .preprocess = steps};
    return doubt_about_samples(*model->graph, samples, 18, 1).value_or("");
  }

  static PreprocessOptions scaled(double scale, ChannelOrder order = ChannelOrder::kRgb) {
    return {.scale = scale, .order = order};
  }

  test::TemporaryFolder folder_;
};

constexpr double kByte = 1.0 / 255;

TEST_F(SampleCheck, SaysNothingWhereTheNetworkIsRight) {
  EXPECT_EQ(doubt("classes", scaled(kByte)), "");
  EXPECT_EQ(doubt("mixed", scaled(kByte)), "");
}

TEST_F(SampleCheck, FindsTheScaleByLabels) {
  const std::string said = doubt("classes", scaled(1));
  EXPECT_NE(said.find("about 16 with pixels of 0 to 1"), std::string::npos) << said;
}

TEST_F(SampleCheck, FindsTheScaleWithoutLabels) {
  const std::string said = doubt("mixed", scaled(1));
  EXPECT_NE(said.find("hardly tells 16 of them apart, but does with"), std::string::npos) << said;
}

TEST_F(SampleCheck, FindsTheOrderOfColours) {
  const std::string said = doubt("classes", scaled(kByte, ChannelOrder::kBgr));
  EXPECT_NE(said.find("red and blue exchanged (--channels rgb)"), std::string::npos) << said;
}

TEST_F(SampleCheck, SaysThatTheNetworkGuesses) {
  const std::string said = doubt("wrong", scaled(kByte));
  EXPECT_NE(said.find("no more than one that guesses among 3 classes"), std::string::npos) << said;
}

TEST_F(SampleCheck, LeavesOtherNetworksAlone) {
  EXPECT_EQ(doubt("classes", scaled(1), R"(<ir_version: 8, opset_import: ["" : 17]>
      net (float[N,3,8,8] image) => (float[N,3,8,8] same) { same = Relu(image) })"),
            "");
  EXPECT_EQ(doubt("nowhere", scaled(1)), "");
}

}  // namespace
}  // namespace press
