// compress evaluate: limits and their exit code, reports in every format, another engine.
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <sstream>

#include "cli/command_fixture.h"
#include "support/json_schema.h"

namespace press::test {
namespace {

using Names = std::vector<std::string>;

class EvaluateTest : public CommandTest {
 protected:
  Names arguments(const Names& more = {}) const {
    Names all{"evaluate",     path("model.onnx"), path("small.onnx"), "--images",
              path("images"), "--preprocess",     "cifar10"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  void SetUp() override {
    CommandTest::SetUp();
    ASSERT_EQ(run({"prune", path("model.onnx"), "-o", path("small.onnx"), "--sparsity", "0.8"}).code, 0);
    figures_ = nlohmann::json::parse(run(arguments({"--json", "-"})).out);
  }

  nlohmann::json figures_;
};

TEST_F(EvaluateTest, EachLimitIsKeptOnOneSideAndMissedOnTheOther) {
  const auto& first = figures_["models"][0];
  const auto& model = figures_["models"][1];
  const double top1 = model["top1_percent"];
  const double drop = first["top1_percent"].get<double>() - top1;
  const double agreement = model["agreement_percent"];
  const double sqnr = model["outputs"][0]["sqnr_db"];
  const double bytes = model["bytes"];
  const double ratio = bytes / first["bytes"].get<double>();
  // flag -> a limit that is kept, one that is missed
  const std::map<std::string, std::pair<double, double>> limits{
      {"--min-top1", {top1, top1 + 0.25}},         {"--min-top5", {100, 100.5}},
      {"--max-drop", {drop + 1e-9, drop - 0.25}},  {"--min-agreement", {agreement, agreement + 0.5}},
      {"--min-sqnr", {sqnr - 0.5, sqnr + 0.5}},    {"--max-size", {bytes, bytes - 1}},
      {"--max-size-ratio", {ratio, ratio - 0.01}}, {"--max-latency", {1e6, 1e-9}},
      {"--max-latency-ratio", {1e6, 1e-9}}};
  const auto text = [](double number) {
    std::ostringstream stream;
    stream.precision(17);
    stream << number;
    return stream.str();
  };
  Names keep{"--json", path("kept.json")}, miss{"--json", path("missed.json")};
  for (const auto& [flag, sides] : limits) {
    keep.push_back(flag + "=" + text(sides.first));
    miss.push_back(flag + "=" + text(sides.second));
  }
  const Finished kept = run(arguments(keep));
  EXPECT_EQ(kept.code, 0) << kept.err;
  const Finished missed = run(arguments(miss));
  EXPECT_EQ(missed.code, 5) << missed.err;
  EXPECT_NE(missed.out.find("top-1 %"), std::string::npos) << "the table is printed all the same";
  const auto kept_gates = nlohmann::json::parse(text_of(path("kept.json")))["gates"];
  const auto missed_gates = nlohmann::json::parse(text_of(path("missed.json")))["gates"];
  ASSERT_EQ(kept_gates.size(), limits.size());
  ASSERT_EQ(missed_gates.size(), limits.size());
  for (std::size_t i = 0; i < limits.size(); ++i) {
    EXPECT_TRUE(kept_gates[i]["passed"]) << kept_gates[i];
    EXPECT_FALSE(missed_gates[i]["passed"]) << missed_gates[i];
    const std::string sentence = missed_gates[i]["sentence"];
    EXPECT_NE(sentence.find(": missed by "), std::string::npos) << sentence;
    EXPECT_NE(missed.err.find(sentence), std::string::npos) << missed.err;
  }
}

TEST_F(EvaluateTest, SentencesTellByHowMuch) {
  const Finished missed = run(arguments({"--max-size", "0.1kB", "--min-top1=0", "--no-timing"}));
  EXPECT_EQ(missed.code, 5);
  EXPECT_NE(missed.err.find("at most 100 B is asked: missed by "), std::string::npos) << missed.err;
  EXPECT_NE(missed.err.find("at least 0.00 % as asked"), std::string::npos) << missed.err;
}

TEST_F(EvaluateTest, AccuracyThatIsNotKnownMissesItsLimit) {
  ASSERT_EQ(folder_.write("list.csv", "images/red/0.ppm\n").empty(), false);
  const Finished finished = run({"evaluate", path("model.onnx"), "--images", path("images/red"),
                                 "--preprocess", "cifar10", "--no-timing", "--min-top1", "0"});
  EXPECT_EQ(finished.code, 5) << finished.err;
  EXPECT_NE(finished.err.find("top-1 is not known"), std::string::npos) << finished.err;
}

TEST_F(EvaluateTest, LimitsThatMakeNoSenseAreUsageErrors) {
  expect_error(run(arguments({"--max-size", "much"})), 2, "no number of bytes");
  expect_error(run(arguments({"--min-top1", "high"})), 2, "--min-top1");
  expect_error(run(arguments({"--max-latency-ratio", "1", "--no-timing"})), 2, "exclude each other");
  expect_error(run(arguments({"--profile", "--no-timing"})), 2, "--profile");
  expect_error(run(arguments({"--json", "-", "--csv", "-"})), 2, "standard output");
  expect_error(run(arguments({"--junit", "report.txt"})), 2, ".xml");
}

TEST_F(EvaluateTest, JsonKeepsItsSchema) {
  EXPECT_EQ(schema_breach(figures_, "evaluation-1.json"), "");
  const auto gated = run(arguments({"--json", "-", "--min-top1", "101"}));
  EXPECT_EQ(gated.code, 5);
  const auto json = nlohmann::json::parse(gated.out);
  EXPECT_EQ(schema_breach(json, "evaluation-1.json"), "");
  ASSERT_EQ(json["gates"].size(), 1U);
  EXPECT_FALSE(json["gates"][0]["passed"]);
  const auto profiled = nlohmann::json::parse(run(arguments({"--json", "-", "--profile"})).out);
  EXPECT_EQ(schema_breach(profiled, "evaluation-1.json"), "");
  EXPECT_FALSE(profiled["models"][0]["latency"]["steps"].empty());
  auto broken = figures_;
  broken["models"][0]["bytes"] = "many";
  EXPECT_NE(schema_breach(broken, "evaluation-1.json"), "");
  const auto compared = run({"compare", path("model.onnx"), path("small.onnx"), "--images", path("images"),
                             "--preprocess", "cifar10", "--json"});
  EXPECT_EQ(schema_breach(nlohmann::json::parse(compared.out), "evaluation-1.json"), "");
}

TEST_F(EvaluateTest, ClassesAddUpToTheWhole) {
  for (const auto& model : figures_["models"]) {
    std::int64_t labelled = 0, top1 = 0, answers = 0;
    for (const auto& of_class : model["per_class"]) {
      labelled += of_class["labelled"].get<std::int64_t>();
      top1 += of_class["top1_count"].get<std::int64_t>();
      for (const auto& [label, samples] : of_class["answers"].items()) answers += samples.get<std::int64_t>();
    }
    EXPECT_EQ(labelled, model["labelled"]);
    EXPECT_EQ(answers, model["labelled"]);
    EXPECT_EQ(top1, model["top1_count"]);
  }
  const Finished finished = run(arguments({"--per-class", "--confusion", "--no-timing"}));
  EXPECT_NE(finished.out.find("precision %"), std::string::npos) << finished.out;
}

TEST_F(EvaluateTest, JunitIsReadByAParser) {
  const Finished finished =
      run(arguments({"--junit", path("ci.xml"), "--min-top1=0", "--max-size=1B", "--no-timing"}));
  EXPECT_EQ(finished.code, 5);
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_file(path("ci.xml").c_str());
  ASSERT_TRUE(parsed) << parsed.description();
  const pugi::xml_node suite = document.child("testsuites").child("testsuite");
  EXPECT_EQ(suite.attribute("tests").as_int(), 2);
  EXPECT_EQ(suite.attribute("failures").as_int(), 1);
  int cases = 0, failures = 0;
  for (const pugi::xml_node test : suite.children("testcase")) {
    ++cases;
    EXPECT_EQ(std::string(test.attribute("classname").value()), path("small.onnx"));
    if (!test.child("failure")) continue;
    ++failures;
    EXPECT_NE(std::string(test.child("failure").attribute("message").value()).find("missed by"),
              std::string::npos);
  }
  EXPECT_EQ(cases, 2);
  EXPECT_EQ(failures, 1);
}

TEST_F(EvaluateTest, CsvAndMarkdownHoldALineForEachModel) {
  const std::string csv = run(arguments({"--csv", "--no-timing"})).out;
  std::istringstream lines(csv);
  std::string line;
  std::size_t count = 0, commas = 0;
  while (std::getline(lines, line)) {
    const auto here = static_cast<std::size_t>(std::count(line.begin(), line.end(), ','));
    if (count++ == 0) commas = here;
    EXPECT_EQ(here, commas) << line;
  }
  EXPECT_EQ(count, 3U);
  const std::string markdown = run(arguments({"--markdown", "--max-size=1B", "--no-timing"})).out;
  EXPECT_NE(markdown.find("| model |"), std::string::npos) << markdown;
  EXPECT_NE(markdown.find("**missed:**"), std::string::npos) << markdown;
}

TEST_F(EvaluateTest, OnnxRuntimeAnswersLikeOurRuntime) {
  const char* library = std::getenv("PRESS_ORT_LIBRARY");
  const Names engine = library == nullptr ? Names{"--engine", "onnxruntime"}
                                          : Names{"--engine", "onnxruntime", "--ort-library", library};
  Names all = arguments({"--json", "-"});
  all.insert(all.end(), engine.begin(), engine.end());
  const Finished finished = run(all);
  if (library == nullptr && finished.code == 3) {
    GTEST_SKIP() << "PRESS_ORT_LIBRARY names no libonnxruntime.so, and the system has none";
  }
  ASSERT_EQ(finished.code, 0) << finished.err;
  const auto json = nlohmann::json::parse(finished.out);
  EXPECT_EQ(json["engine"].get<std::string>().find("ONNX Runtime"), 0U);
  for (std::size_t m = 0; m < 2; ++m) {
    EXPECT_EQ(json["models"][m]["top1_count"], figures_["models"][m]["top1_count"]);
    EXPECT_GT(json["models"][m]["latency"]["median_ms"], 0.0);
  }
  EXPECT_NEAR(json["models"][1]["outputs"][0]["sqnr_db"].get<double>(),
              figures_["models"][1]["outputs"][0]["sqnr_db"].get<double>(), 0.01);
}

TEST_F(EvaluateTest, LibraryThatIsNoneIsAnInputError) {
  const std::string text = folder_.write("library.so", "no library");
  expect_error(run(arguments({"--engine", "onnxruntime", "--ort-library", text})), 3, "ONNX Runtime");
  expect_error(run(arguments({"--ort-library", text})), 2, "--engine onnxruntime");
  expect_error(run(arguments({"--engine", "onnxruntime", "--ort-library", "libz.so.1"})), 3, "OrtGetApiBase");
}

}  // namespace
}  // namespace press::test
