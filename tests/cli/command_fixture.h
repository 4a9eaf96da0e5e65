// Models and images for the tests of the command, in a folder that goes away with the test.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "press/onnx/model_io.h"
#include "press/onnx/text.h"
#include "support/command.h"
#include "support/files.h"

namespace press::test {

class CommandTest : public ::testing::Test {
 protected:
  /// A network of 8x8 RGB images with three classes.
  static constexpr const char* kNetwork = R"(<ir_version: 8, opset_import: ["" : 17]>
      net (float[N,3,8,8] image) => (float[N,3] scores)
      <float[3,3,1,1] w = {1,0.1,0, 0,1,0.2, 0.3,0,1}, float[3] scale = {1.5,1,0.5}, float[3] shift = {0.1,0.2,0.3},
       float[3] mean = {0,0.5,1}, float[3] var = {1,2,3}> {
        c = Conv(image, w)
        n = BatchNormalization(c, scale, shift, mean, var)
        r = Relu(n)
        p = GlobalAveragePool(r)
        scores = Flatten(p)
      })";
  static constexpr const char* kUnknownOperator = R"(<ir_version: 8, opset_import: ["" : 17, "my.ops" : 1]>
      net (float[N,3,8,8] image) => (float[N,3,8,8] out)
      <float[3,3,1,1] w = {1,2,3, 4,5,6, 7,8,9}> {
        c = Conv(image, w)
        out = my.ops.Mystery(c)
      })";

  void SetUp() override {
    model("model.onnx", kNetwork);
    for (int i = 0; i < 4; ++i) {
      image("images/blue/" + std::to_string(i) + ".ppm", {10, 20, 200 + i});
      image("images/green/" + std::to_string(i) + ".ppm", {10, 200 + i, 20});
      image("images/red/" + std::to_string(i) + ".ppm", {200 + i, 10, 20});
    }
  }

  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  /// `node_names`: by the first output of the node; the text form has none.
  void model(const std::string& name, const char* text,
             const std::map<std::string, std::string>& node_names = {}) const {
    const auto parsed = parse_model_text(text);
    ASSERT_TRUE(parsed.ok()) << parsed.error().message();
    for (Node* node : parsed->graph->nodes()) {
      const auto found = node_names.find(node->output(0)->name());
      if (found != node_names.end()) node->set_name(found->second);
    }
    const Status saved = save_model(*parsed, path(name));
    ASSERT_TRUE(saved.ok()) << saved.error().message();
  }

  /// 8x8 pixels of one colour.
  void image(const std::string& name, const std::vector<int>& colour) const {
    std::string bytes = colour.size() == 1 ? "P5\n8 8\n255\n" : "P6\n8 8\n255\n";
    for (int pixel = 0; pixel < 64; ++pixel) {
      for (const int value : colour) bytes += static_cast<char>(value);
    }
    folder_.write(name, bytes);
  }

  Finished run(const std::vector<std::string>& arguments, const RunOptions& options = {}) const {
    return run_command_line(folder_.path(), arguments, options);
  }

  /// One line on standard error that starts with "error: " and contains `part`, nothing on standard output,
  /// and `code`.
  static void expect_error(const Finished& finished, int code, const std::string& part) {
    EXPECT_EQ(finished.code, code) << finished.err;
    EXPECT_EQ(finished.out, "");
    const std::size_t at = finished.err.find("error: ");
    ASSERT_NE(at, std::string::npos) << finished.err;
    const std::string sentence = finished.err.substr(at);
    EXPECT_EQ(sentence.find('\n'), sentence.size() - 1) << finished.err;
    EXPECT_NE(sentence.find(part), std::string::npos) << finished.err;
  }

  /// The names in the folder, without sub-folders.
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      if (entry.is_regular_file()) names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  TemporaryFolder folder_;
};

}  // namespace press::test
