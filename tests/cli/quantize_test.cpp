// Networks and samples that leave quantization little to hold on to: each ends in a file that runs, or in one
// sentence.
#include <limits>
#include <set>

#include "cli/command_fixture.h"

namespace press::test {
namespace {

using Names = std::vector<std::string>;

class QuantizeTest : public CommandTest {
 protected:
  Finished quantize(const std::string& model, const Names& more = {}) const {
    Names arguments{"quantize",     path(model),    "-o",      path("out.onnx"), "--calibration",
                    path("images"), "--preprocess", "cifar10", "--force"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  /// It is made, and answers with numbers.
  void expect_runs(const Finished& finished) const {
    ASSERT_EQ(finished.code, 0) << finished.err;
    const Finished compared = run({"compare", path("model.onnx"), path("out.onnx"), "--images",
                                   path("images"), "--preprocess", "cifar10"});
    EXPECT_EQ(compared.err.find("nan"), std::string::npos) << compared.err;
  }

  /// kNetwork with other numbers for its first weights and its input's opset.
  void network(const std::string& weights, const char* opset = "17") const {
    std::string text = kNetwork;
    text.replace(text.find("{1,0.1,0, 0,1,0.2, 0.3,0,1}"), 27, weights);
    text.replace(text.find(": 17"), 4, std::string(": ") + opset);
    std::filesystem::remove(path("model.onnx"));
    model("model.onnx", text.c_str());
  }
};

TEST_F(QuantizeTest, ImagesThatAreAllTheSame) {
  std::filesystem::remove_all(path("images"));
  for (int i = 0; i < 4; ++i) image("images/" + std::to_string(i) + ".ppm", {124, 116, 104});
  for (const char* observer : {"min-max", "ema", "percentile", "entropy", "mse"}) {
    expect_runs(quantize("model.onnx", {"--observer", observer}));
  }
  expect_runs(quantize("model.onnx", {"--type", "w3"}));
}

TEST_F(QuantizeTest, ImagesThatAreZeroEverywhere) {
  std::filesystem::remove_all(path("images"));
  for (int i = 0; i < 4; ++i) image("images/" + std::to_string(i) + ".ppm", {0, 0, 0});
  for (const char* observer : {"min-max", "ema", "percentile", "entropy", "mse"}) {
    expect_runs(run({"quantize", path("model.onnx"), "-o", path("out.onnx"), "--force", "--calibration",
                     path("images"), "--preprocess", "none", "--observer", observer}));
  }
}

TEST_F(QuantizeTest, ClustersStaySharedAsIntegers) {
  const Finished finished =
      run({"optimize", path("model.onnx"), "-o", path("out.onnx"), "--cluster", "2", "--quantize", "int8",
           "--calibration", path("images"), "--preprocess", "cifar10"});
  expect_runs(finished);
  const auto quantized = load_model(path("out.onnx"));
  ASSERT_TRUE(quantized.ok());
  std::size_t weights = 0;
  for (const Value* value : quantized->graph->constants()) {
    const Tensor& tensor = *value->constant();
    if (tensor.type() != DataType::kInt8 || tensor.rank() < 2) continue;
    ++weights;
    const std::span<const std::int8_t> numbers = tensor.data<std::int8_t>();
    const std::size_t row = numbers.size() / static_cast<std::size_t>(tensor.dims()[0]);
    for (std::size_t first = 0; first < numbers.size(); first += row) {
      const auto channel = numbers.subspan(first, row);
      EXPECT_LE(std::set<int>(channel.begin(), channel.end()).size(), 2U) << value->name();
    }
  }
  EXPECT_GT(weights, 0U);
}

TEST_F(QuantizeTest, Float16KeepsWhatSamplesShowToOverflow) {
  model("large.onnx", R"(<ir_version: 8, opset_import: ["" : 17]>
      net (float[N,3,8,8] image) => (float[N,3] scores) <float up = {400}, float down = {0.0025}> {
        a = Mul(image, up)
        b = Mul(a, down)
        p = GlobalAveragePool(b)
        scores = Flatten(p)
      })");
  const Finished blind = run({"quantize", path("large.onnx"), "-o", path("blind.onnx"), "--type", "fp16"});
  EXPECT_EQ(blind.code, 0) << blind.err;
  const Finished seeing = run({"quantize", path("large.onnx"), "-o", path("seeing.onnx"), "--type", "fp16",
                               "-v", "--calibration", path("images"), "--preprocess", "none"});
  EXPECT_EQ(seeing.code, 0) << seeing.err;
  EXPECT_NE(seeing.err.find("float16 ends at 65504"), std::string::npos) << seeing.err;
  const Finished compared = run({"compare", path("large.onnx"), path("seeing.onnx"), "--images",
                                 path("images"), "--preprocess", "none"});
  EXPECT_EQ(compared.code, 0) << compared.err;
  EXPECT_EQ(compared.err.find("nan"), std::string::npos) << compared.err;
}

TEST_F(QuantizeTest, ChannelsOfZeros) {
  network("{0,0,0, 0,1,0.2, 0.3,0,1}");
  for (const char* type : {"int8", "w8", "w4", "w2"}) expect_runs(quantize("model.onnx", {"--type", type}));
  expect_runs(quantize("model.onnx", {"--recover", "full"}));
  network("{0,0,0, 0,0,0, 0,0,0}");
  expect_runs(quantize("model.onnx", {"--recover", "full"}));
}

TEST_F(QuantizeTest, WeightsThatAreNoNumbersAreNamed) {
  std::string bytes = text_of(path("model.onnx"));
  const float weight = 0.3F, nan = std::numeric_limits<float>::quiet_NaN();
  const std::string old(reinterpret_cast<const char*>(&weight), 4);
  ASSERT_NE(bytes.find(old), std::string::npos);
  bytes.replace(bytes.find(old), 4, reinterpret_cast<const char*>(&nan), 4);
  folder_.write("nan.onnx", bytes);
  for (const char* type : {"int8", "w4"}) expect_error(quantize("nan.onnx", {"--type", type}), 3, "'");
}

TEST_F(QuantizeTest, ActivationsThatOverflowNameTheSample) {
  network("{3e38,3e38,3e38, 0,1,0.2, 0.3,0,1}");
  expect_error(quantize("model.onnx"), 3, ".ppm");
  expect_error(quantize("model.onnx", {"--type", "w4"}), 3, "no integer stands for that");
}

TEST_F(QuantizeTest, ASelectionOfNothingSaysSo) {
  const Finished finished = quantize("model.onnx", {"--include", "nothing_is_called_so"});
  EXPECT_EQ(finished.code, 0);
  EXPECT_NE(finished.err.find("found nothing to do"), std::string::npos) << finished.err;
}

TEST_F(QuantizeTest, OldOpsetsAreRaisedForAScaleAChannel) {
  network("{1,0.1,0, 0,1,0.2, 0.3,0,1}", "9");
  const Finished finished = quantize("model.onnx", {"--json"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_NE(finished.out.find("opset raised from 9 to 13"), std::string::npos) << finished.out;
}

TEST_F(QuantizeTest, LayersAtTheEndsAreLeftWiderOrAsTheyAre) {
  model("model3.onnx", R"(<ir_version: 8, opset_import: ["" : 17]>
      net (float[N,3,8,8] image) => (float[N,3] scores)
      <float[3,3,1,1] v = {1,0.1,0, 0,1,0.2, 0.3,0,1}, float[3,3,1,1] w = {1,0.15,0, 0,1,0.2, 0.3,0,1},
       float[3,3,1,1] u = {1,0.1,0, 0,1,0.25, 0.3,0,1}> {
        a = Conv(image, v)
        b = Relu(a)
        c = Conv(b, w)
        d = Relu(c)
        e = Conv(d, u)
        p = GlobalAveragePool(e)
        scores = Flatten(p)
      })");
  const Finished finished = quantize("model3.onnx", {"--weight-bits", "4", "--recover", "none"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const Result<Model> made = load_model(path("out.onnx"));
  ASSERT_TRUE(made.ok());
  // The Cast of integers so few is computed while the file is written.
  const auto fits_4_bits = [](const Value* value) {
    const Tensor* tensor = value->constant();
    return tensor != nullptr && tensor->type() == DataType::kInt8 && tensor->dims().size() == 4 &&
           std::ranges::all_of(tensor->data<std::int8_t>(), [](int code) { return code >= -8 && code <= 7; });
  };
  EXPECT_EQ(std::ranges::count_if(made->graph->values(), fits_4_bits), 1);

  ASSERT_EQ(quantize("model3.onnx", {"--keep-ends"}).code, 0);
  const Result<Model> kept = load_model(path("out.onnx"));
  ASSERT_TRUE(kept.ok());
  const auto of_type = [&](DataType type) {
    return std::ranges::count_if(kept->graph->values(), [&](const Value* value) {
      return value->constant() != nullptr && value->constant()->type() == type &&
             value->constant()->dims().size() == 4;
    });
  };
  EXPECT_EQ(of_type(DataType::kFloat), 2);
  EXPECT_EQ(of_type(DataType::kInt8), 1);
}

TEST_F(QuantizeTest, ShardsMergeToTheBytesOfOneRun) {
  const auto calibrate = [&](const std::string& out, const Names& more) {
    Names arguments{"calibrate",    path("model.onnx"), "-o",      path(out), "--images",
                    path("images"), "--preprocess",     "cifar10", "--batch", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished finished = run(arguments);
    EXPECT_EQ(finished.code, 0) << finished.err;
  };
  calibrate("whole.json", {"--threads", "1"});
  calibrate("threads.json", {"--threads", "2"});
  calibrate("first.json", {"--shard", "1/2"});
  calibrate("second.json", {"--shard", "2/2"});
  const Finished merged = run({"calibrate", "--merge", path("first.json"), "--merge", path("second.json"),
                               "-o", path("merged.json")});
  EXPECT_EQ(merged.code, 0) << merged.err;
  EXPECT_EQ(text_of(path("merged.json")), text_of(path("whole.json")));
  EXPECT_EQ(text_of(path("threads.json")), text_of(path("whole.json")));
}

}  // namespace
}  // namespace press::test
