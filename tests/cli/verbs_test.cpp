// What the verbs print and write when all goes well.
#include <nlohmann/json.hpp>

#include "cli/command_fixture.h"

namespace press::test {
namespace {

using Names = std::vector<std::string>;

class VerbTest : public CommandTest {
 protected:
  Finished done(const Names& arguments, const RunOptions& options = {}) const {
    Finished finished = run(arguments, options);
    EXPECT_EQ(finished.code, 0) << finished.err;
    return finished;
  }
};

TEST_F(VerbTest, InspectPrintsFactsWithin100Columns) {
  const Finished finished = done({"inspect", path("model.onnx"), "--per-layer"});
  EXPECT_EQ(finished.err, "");
  for (const char* part :
       {"opset onnx 17", "image: float32[N,3,8,8]", "BatchNormalization 1", "Conv 1", "576"}) {
    EXPECT_NE(finished.out.find(part), std::string::npos) << part << "\n" << finished.out;
  }
  std::istringstream lines(finished.out.substr(finished.out.find('\n')));  // the first line holds the path
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 102U) << line;
}

TEST_F(VerbTest, InspectJsonHoldsEverything) {
  const auto json = nlohmann::json::parse(done({"inspect", path("model.onnx"), "--json"}).out);
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["parameters"], 9 + 4 * 3);
  EXPECT_EQ(json["multiply_accumulates"], 576);
  EXPECT_EQ(json["inputs"][0]["shape"], nlohmann::json::parse(R"(["N",3,8,8])"));
  EXPECT_EQ(json["layers"].size(), 5U);
}

TEST_F(VerbTest, ModelsGoThroughPipes) {
  done({"optimize", "-", "-o", "-", "--fuse"}, {.input = path("model.onnx"), .output = path("piped.onnx")});
  done({"optimize", path("model.onnx"), "-o", path("fused.onnx"), "--fuse"});
  EXPECT_EQ(text_of(path("piped.onnx")), text_of(path("fused.onnx")));
}

TEST_F(VerbTest, NothingAskedForSaysWhatItDoes) {
  const Finished finished = done({"optimize", path("model.onnx"), "-o", path("small.onnx")});
  EXPECT_EQ(finished.out, "");
  EXPECT_NE(finished.err.find("cleaning up and fusing"), std::string::npos);
  EXPECT_NE(finished.err.find("fuse_conv_batchnorm"), std::string::npos);
  EXPECT_EQ(done({"optimize", path("model.onnx"), "-o", path("quiet.onnx"), "-q"}).err, "");
}

TEST_F(VerbTest, DryRunWritesNothingAndReports) {
  const Names before = files();
  const Finished finished = done({"optimize", path("model.onnx"), "--dry-run", "--json"});
  EXPECT_EQ(files(), before);
  const auto json = nlohmann::json::parse(finished.out);
  EXPECT_EQ(json["after"]["nodes"], 4);
  done({"optimize", path("model.onnx"), "-o", path("small.onnx")});
  EXPECT_EQ(json["after"]["bytes"], std::filesystem::file_size(path("small.onnx")));
}

TEST_F(VerbTest, SameBytesWithAnyNumberOfThreadsAndASecondTime) {
  const auto quantized = [&](const std::string& name, const char* threads) {
    done({"quantize", path("model.onnx"), "-o", path(name), "--calibration", path("images"), "--preprocess",
          "cifar10", "--threads", threads, "--batch", "2"});
    return text_of(path(name));
  };
  const std::string one = quantized("one.onnx", "1");
  EXPECT_NE(one.find("QuantizeLinear"), std::string::npos);
  EXPECT_EQ(quantized("two.onnx", "2"), one);
  EXPECT_EQ(quantized("again.onnx", "2"), one);
}

TEST_F(VerbTest, RecipeAndFlagsGiveTheSameModel) {
  const std::string recipe =
      folder_.write("r.toml", "fuse = true\n[prune]\nmethod = 'magnitude'\nsparsity = 0.5\n");
  done({"optimize", path("model.onnx"), "-o", path("a.onnx"), "--recipe", recipe});
  done({"optimize", path("model.onnx"), "-o", path("b.onnx"), "--fuse", "--prune", "magnitude", "--sparsity",
        "0.5"});
  EXPECT_EQ(text_of(path("a.onnx")), text_of(path("b.onnx")));
  // Flags stand above the recipe.
  done({"optimize", path("model.onnx"), "-o", path("c.onnx"), "--recipe", recipe, "--prune", "none"});
  EXPECT_NE(text_of(path("a.onnx")), text_of(path("c.onnx")));
}

TEST_F(VerbTest, EvaluatePrintsALineForEachModel) {
  done({"optimize", path("model.onnx"), "-o", path("fused.onnx")});
  const Finished finished = done({"evaluate", path("model.onnx"), path("fused.onnx"), "--images",
                                  path("images"), "--preprocess", "cifar10", "--json", path("report.json")});
  EXPECT_NE(finished.out.find("top-1 %"), std::string::npos) << finished.out;
  EXPECT_NE(finished.out.find("fused.onnx"), std::string::npos) << finished.out;
  const auto json = nlohmann::json::parse(text_of(path("report.json")));
  EXPECT_EQ(json["samples"], 12);
  ASSERT_EQ(json["models"].size(), 2U);
  EXPECT_EQ(json["models"][0]["labelled"], 12);
  EXPECT_EQ(json["models"][0]["agreement_percent"], 100.0);
  EXPECT_EQ(json["models"][0]["top1_count"], json["models"][1]["top1_count"]);
  EXPECT_GT(json["models"][1]["latency"]["median_ms"], 0.0);
}

TEST_F(VerbTest, CompareTellsEqualModelsApartFromDifferentOnes) {
  done({"prune", path("model.onnx"), "-o", path("pruned.onnx"), "--sparsity", "0.8"});
  const Finished same = done({"compare", path("model.onnx"), path("model.onnx"), "--images", path("images"),
                              "--preprocess", "cifar10"});
  EXPECT_NE(same.out.find("equal"), std::string::npos) << same.out;
  const auto json =
      nlohmann::json::parse(done({"compare", path("model.onnx"), path("pruned.onnx"), "--images",
                                  path("images"), "--preprocess", "cifar10", "--json"})
                                .out);
  EXPECT_TRUE(json["models"][0]["outputs"][0]["sqnr_db"].is_null());
  EXPECT_TRUE(json["models"][1]["outputs"][0]["sqnr_db"].is_number());
}

TEST_F(VerbTest, MissingPreprocessingIsWarnedOf) {
  const Finished finished = done({"evaluate", path("model.onnx"), "--images", path("images"), "--no-timing"});
  EXPECT_NE(finished.err.find("warning: no --preprocess"), std::string::npos) << finished.err;
}

TEST_F(VerbTest, ProgressShowsOnATerminalAndOnlyThere) {
  std::string list;
  for (int i = 0; i < 20'000; ++i) list += "images/red/0.ppm,2\n";
  const std::string csv = folder_.write("long.csv", list);
  const Names arguments{"evaluate", path("model.onnx"), "--images", csv, "--preprocess",
                        "cifar10",  "--no-timing",      "--batch",  "4"};
  const std::optional<Finished> terminal = run_on_terminal(arguments);
  if (!terminal) GTEST_SKIP() << "no pseudo-terminal can be opened here";
  EXPECT_EQ(terminal->code, 0) << terminal->out;
  EXPECT_NE(terminal->out.find("evaluating ["), std::string::npos);
  EXPECT_NE(terminal->out.find("/s"), std::string::npos);
  EXPECT_NE(terminal->out.find(" left"), std::string::npos);
  const Finished file = done(arguments);
  EXPECT_EQ(file.err.find("evaluating ["), std::string::npos);
  EXPECT_EQ(file.err.find('\x1b'), std::string::npos);
}

TEST_F(VerbTest, ModelIsNotWrittenToATerminal) {
  const std::optional<Finished> terminal = run_on_terminal({"optimize", path("model.onnx"), "-o", "-"});
  if (!terminal) GTEST_SKIP() << "no pseudo-terminal can be opened here";
  EXPECT_EQ(terminal->code, 2);
  EXPECT_NE(terminal->out.find("terminal"), std::string::npos);
}

}  // namespace
}  // namespace press::test
