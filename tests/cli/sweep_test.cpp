// compress sweep and compress report: cells, resuming, shards, failures, and what is drawn of them.
#include <chrono>
#include <csignal>
#include <map>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <thread>

#include "cli/command_fixture.h"

namespace press::test {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

class SweepTest : public CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    spec_ = folder_.write("sweep.toml", R"([base]
fuse = true
preprocess.preset = "cifar10"
[[grid]]
quantize.type = ["none", "fp16", "int8"]
calibration.images = ")" + path("images") + R"("
[[grid]]
prune.method = "magnitude"
prune.sparsity = [0.2, 0.4, 0.6]
)");
  }

  Names arguments(const std::string& out, const Names& more = {}) const {
    Names all{"sweep", path("model.onnx"), "--spec",      spec_,       "--images", path("images"),
              "-o",    path(out),          "--no-timing", "--threads", "1"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  Finished done(const Names& all) const {
    Finished finished = run(all);
    EXPECT_EQ(finished.code, 0) << finished.err;
    return finished;
  }

  /// Every file below a folder with its bytes.
  std::map<std::string, std::string> tree(const std::string& out) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(path(out))) {
      if (entry.is_regular_file()) files[fs::relative(entry.path(), path(out))] = text_of(entry.path());
    }
    return files;
  }

  /// Runs the sweep and kills it with SIGKILL as soon as it has finished a cell.
  void run_and_kill(const Names& all, const std::string& out) const {
    const auto kill_it = [&](pid_t child) {
      const fs::path cells = fs::path(path(out)) / "cells";
      const auto finished_one = [&] {
        if (!fs::exists(cells)) return false;
        const fs::directory_iterator files(cells);
        return std::any_of(begin(files), end(files),
                           [](const auto& file) { return file.path().extension() == ".json"; });
      };
      for (int i = 0; i < 10'000 && !finished_one(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      ::kill(child, SIGKILL);
    };
    run(all, {.started = kill_it});
  }

  std::string spec_;
};

TEST_F(SweepTest, MakesEveryCellOnceAndDrawsTheReport) {
  const Finished first = done(arguments("out"));
  EXPECT_NE(first.err.find("7 cells: 7 made, 0 were there"), std::string::npos) << first.err;
  // One for int8 and one for fp16, which look at different values.
  EXPECT_NE(first.err.find("2 calibration runs"), std::string::npos) << first.err;
  const auto files = tree("out");
  const Finished second = done(arguments("out"));
  EXPECT_NE(second.err.find("7 cells: 0 made, 7 were there"), std::string::npos) << second.err;
  EXPECT_EQ(tree("out"), files);

  const auto json = nlohmann::json::parse(files.at("results.json"));
  ASSERT_EQ(json["cells"].size(), 7U);
  EXPECT_EQ(json["cells"][0]["label"], "original");
  EXPECT_EQ(json["cells"][2]["label"], "fp16");
  EXPECT_EQ(json["cells"][0]["figures"]["agreement_percent"], 100.0);
  const std::string id = json["cells"][3]["id"];
  EXPECT_EQ(files.count("models/" + id + ".onnx"), 1U);
  EXPECT_EQ(files.at("models/" + id + ".onnx").size(), json["cells"][3]["figures"]["bytes"]);
  EXPECT_NE(json["cells"][3]["command"].get<std::string>().find("--quantize int8"), std::string::npos);
}

TEST_F(SweepTest, KilledInTheMiddleItGoesOnToTheSameBytes) {
  done(arguments("whole"));
  run_and_kill(arguments("broken"), "broken");
  const Finished finished = done(arguments("broken"));
  EXPECT_EQ(finished.err.find(" 0 were there"), std::string::npos)
      << "the first cell was kept: " << finished.err;
  auto broken = tree("broken");
  for (auto file = broken.begin(); file != broken.end();) {
    // What the killed run was writing lies under a temporary name.
    const bool leftover = tree("whole").count(file->first) == 0;
    file = leftover ? broken.erase(file) : std::next(file);
  }
  EXPECT_EQ(broken, tree("whole"));
}

TEST_F(SweepTest, ShardsAndJobsGiveTheSameBytes) {
  done(arguments("whole"));
  done(arguments("jobs", {"--jobs", "3"}));
  EXPECT_EQ(tree("jobs"), tree("whole"));
  const Finished part = done(arguments("shards", {"--shard", "1/2"}));
  EXPECT_NE(part.err.find("3 cells are left to other shards"), std::string::npos) << part.err;
  done(arguments("shards", {"--shard", "2/2"}));
  EXPECT_EQ(tree("shards"), tree("whole"));
}

TEST_F(SweepTest, FailuresAreCells) {
  spec_ = folder_.write(
      "failing.toml", "[base]\npreprocess.preset = 'cifar10'\n[[grid]]\nquantize.type = ['int8', 'fp16']\n");
  const Finished finished = done(arguments("out"));
  EXPECT_NE(finished.err.find("1 failed"), std::string::npos) << finished.err;
  const auto json = nlohmann::json::parse(text_of(path("out/results.json")));
  EXPECT_NE(json["cells"][1]["error"].get<std::string>().find("--calibration"), std::string::npos);
  EXPECT_TRUE(json["cells"][2]["error"].is_null());
  EXPECT_NE(text_of(path("out/report.html")).find("failed: "), std::string::npos);
  EXPECT_NE(done(arguments("out")).err.find("0 made"), std::string::npos);
  EXPECT_NE(done(arguments("out", {"--retry"})).err.find("1 made"), std::string::npos);
}

TEST_F(SweepTest, ReportDrawsAgainAndPicturesAreSvg) {
  Names timed = arguments("out", {"--shard", "1/3"});
  std::replace(timed.begin(), timed.end(), std::string("--no-timing"), std::string("--timing"));
  done(timed);
  EXPECT_FALSE(fs::exists(path("out/report.html")));
  done({"report", path("out"), "--svg", path("pictures")});
  const std::string page = text_of(path("out/report.html"));
  EXPECT_NE(page.find("unfinished: 3 of 7 cells"), std::string::npos);
  EXPECT_EQ(page.find("http://"), page.find("http://www.w3.org/2000/svg")) << "no reference to other places";
  EXPECT_EQ(page.find("https://"), std::string::npos);
  done({"report", path("out")});
  EXPECT_EQ(text_of(path("out/report.html")), page);
  for (const char* name : {"accuracy-against-size.svg", "accuracy-against-time.svg"}) {
    pugi::xml_document document;
    const auto parsed = document.load_file((path("pictures/") + name).c_str());
    ASSERT_TRUE(parsed) << name << ": " << parsed.description();
    EXPECT_STREQ(document.first_child().name(), "svg");
  }
  expect_error(run({"report", path("images")}), 3, "holds no sweep");
}

TEST_F(SweepTest, EmitsWhatEnginesRun) {
  const Finished make = done(arguments("out", {"--emit", "make", "--shards", "3"}));
  EXPECT_NE(make.out.find("report: shard-1 shard-2 shard-3\n"), std::string::npos) << make.out;
  EXPECT_NE(make.out.find("--shard $*/3"), std::string::npos) << make.out;
  const Finished slurm = done(arguments("out", {"--emit", "slurm", "--shards", "3"}));
  EXPECT_EQ(slurm.out.rfind("#!/bin/sh\n", 0), 0U);
  EXPECT_NE(slurm.out.find("#SBATCH --array=1-3\n"), std::string::npos) << slurm.out;
  EXPECT_FALSE(fs::exists(path("out")));
}

TEST_F(SweepTest, MistakesAreUsageErrors) {
  expect_error(run(arguments("out", {"--shard", "3/2"})), 2, "--shard");
  const std::string wrong = folder_.write("wrong.toml", "[[grid]]\nprune.sparsity = [0.1, 2]\n");
  expect_error(
      run({"sweep", path("model.onnx"), "--spec", wrong, "--images", path("images"), "-o", path("out")}), 2,
      "line 2");
  expect_error(run({"sweep", path("model.onnx"), "--spec", spec_, "-o", path("out")}), 2, "--images");
}

}  // namespace
}  // namespace press::test
