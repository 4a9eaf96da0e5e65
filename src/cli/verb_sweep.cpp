// compress sweep: many recipes on one or more models, and the curve that they span.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "engine_flags.h"
#include "flags.h"
#include "press/pipeline/sweep.h"
#include "press/pipeline/sweep_report.h"
#include "press/support/text.h"
#include "verb.h"

namespace press {
namespace {

/// "2/4": this part of so many.
Result<std::pair<int, int>> parse_shard(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash != std::string::npos) {
    const auto part = parse_integer(text.substr(0, slash));
    const auto parts = parse_integer(text.substr(slash + 1));
    if (part.ok() && parts.ok() && *part >= 1 && *part <= *parts && *parts <= 100'000) {
      return std::pair(static_cast<int>(*part), static_cast<int>(*parts));
    }
  }
  return Error(ErrorCode::kUsage, fmt::format("--shard: '{}' is no part of a whole; write 2/4", text));
}

class SweepVerb : public Verb {
 public:
  std::string_view name() const override { return "sweep"; }
  std::string_view summary() const override {
    return "many settings at once: accuracy against size and time";
  }
  std::string_view description() const override {
    return "Makes a model for every combination of settings that the file SPEC lists, evaluates each one on "
           "labelled images, and draws the curve of accuracy against size and time as report.html, "
           "results.csv "
           "and results.json. Cells that are there already are not made again: an interrupted sweep goes on "
           "where it stopped, and a second one costs nothing. Times are measured at the end, one model after "
           "the other, each in turn with the original.";
  }
  std::string_view examples() const override {
    return "compress sweep model.onnx --spec sweep.toml --images test/ -o out\n"
           "compress sweep --spec sweep.toml -o out --shard 2/4\n"
           "compress sweep --spec sweep.toml -o out --emit slurm --shards 4 > sweep.sbatch";
  }

  void declare(CLI::App& app) override {
    app.add_option("MODEL", models_, "ONNX models, in the place of those that SPEC names")->type_name("");
    app.add_option("--spec", spec_, "TOML file with the lists of settings, see docs/sweep.md")
        ->required()
        ->type_name("FILE")
        ->group(kMainGroup);
    app.add_option("-o,--output", folder_, "folder for cells and report; made where it is missing")
        ->required()
        ->type_name("FOLDER")
        ->group(kMainGroup);
    flags_.add(app, "calibration.images",
               {.flag = "--images", .fallback = "as SPEC says", .help = "labelled samples to evaluate on"});
    flags_.add(app, "calibration.limit", {.fallback = "as SPEC says, else all"});
    app.add_option("-j,--jobs", jobs_, "cells that are made at the same time; they share the threads")
        ->check(CLI::Range(1, 1024))
        ->type_name("N")
        ->default_str("as many as threads")
        ->group(kMainGroup);
    app.add_flag("--timing,!--no-timing", timing_, "measure time")->default_str("true")->group(kMainGroup);
    app.add_flag("--retry", retry_, "make cells again that have failed")->group(kMainGroup);
    app.add_option("--shard", shard_,
                   "make only this part of the cells; machines that share FOLDER share the work")
        ->type_name("I/N")
        ->default_str("1/1")
        ->group(kMainGroup);
    app.add_option("--emit", emit_,
                   "make nothing; print a makefile or a Slurm job array that runs the shards")
        ->check(CLI::IsMember({"make", "slurm"}))
        ->type_name("make|slurm")
        ->group(kMainGroup);
    app.add_option("--shards", shards_, "number of shards for --emit")
        ->check(CLI::Range(1, 100'000))
        ->type_name("N")
        ->default_str("4")
        ->group(kMainGroup);
    engine_.add(app, kGeneralGroup);
    threads_.add(app);
  }

  Status run(Console& console) override {
    PRESS_ASSIGN(SweepSpec spec, load_sweep(spec_));
    PRESS_ASSIGN(const auto shard, parse_shard(shard_));
    if (!models_.empty()) spec.models = models_;
    Recipe samples;
    samples.calibration = spec.samples;
    PRESS_TRY(flags_.apply(samples));
    if (samples.calibration.path.empty()) {
      return Error(ErrorCode::kUsage,
                   fmt::format("say which samples to evaluate on: --images PATH, or [samples] "
                               "images = \"PATH\" in '{}'",
                               spec_));
    }
    if (!emit_.empty()) return Console::print(emit_ == "make" ? makefile(spec) : slurm_script(spec));

    SweepOptions options{.models = spec.models, .samples = samples.calibration, .folder = folder_};
    options.threads = threads_.resolved();
    options.jobs = jobs_ > 0 ? jobs_ : options.threads;
    options.shard = shard.first;
    options.shards = shard.second;
    options.latency = timing_;
    options.retry = retry_;
    PRESS_ASSIGN(options.onnxruntime, engine_.load());
    options.progress = console.progress();
    auto summary = run_sweep(spec, options);
    if (!summary.ok()) return explained(std::move(summary).error());
    for (const std::string& warning : summary->warnings) console.warn(warning);
    console.say(told(*summary));
    if (summary->missing > 0) {
      console.say(
          fmt::format("{} cells are left to other shards; the report is drawn when all are there "
                      "('compress report {}' draws what there is)",
                      summary->missing, folder_));
      return {};
    }
    PRESS_TRY(write_reports(folder_));
    console.say(fmt::format("see {0}/report.html, {0}/results.csv, {0}/results.json", folder_));
    return {};
  }

 private:
  static std::string told(const SweepSummary& summary) {
    std::string text =
        fmt::format("{} cells: {} made, {} were there", summary.cells, summary.made, summary.ready);
    if (summary.failed > 0) text += fmt::format(", {} failed (the report says why)", summary.failed);
    if (summary.calibrations > 0) {
      text +=
          fmt::format("; {} calibration run{}", summary.calibrations, summary.calibrations == 1 ? "" : "s");
    }
    return text;
  }

  Error explained(Error error) const {
    if (error.code() != ErrorCode::kInterrupted) return error;
    return Error(
        ErrorCode::kInterrupted,
        fmt::format("interrupted; finished cells stay in '{}', and the same command goes on", folder_));
  }

  /// The arguments of this run, for a shell, without shard and threads.
  std::string arguments(const SweepSpec& spec) const {
    std::string text = "sweep";
    for (const std::string& model : spec.models) text += " " + shell_word(model);
    text += " --spec " + shell_word(spec_) + " -o " + shell_word(folder_) + " --quiet";
    for (const std::string& flag : flags_.given()) text += " " + shell_word(flag);
    if (!timing_) text += " --no-timing";
    if (engine_.engine == "onnxruntime") {
      text += " --engine onnxruntime";
      if (!engine_.library.empty()) text += " --ort-library " + shell_word(engine_.library);
    }
    return text;
  }

  std::string makefile(const SweepSpec& spec) const {
    std::string command = arguments(spec);
    for (std::size_t at = 0; (at = command.find('$', at)) != std::string::npos; at += 2)
      command.insert(at, "$");
    std::string shards;
    for (int i = 1; i <= shards_; ++i) shards += fmt::format(" shard-{}", i);
    return fmt::format(
        "# Runs a sweep in {0} shards: make -f FILE -jN; COMPRESS=path names the command.\n"
        "COMPRESS ?= compress\n"
        ".PHONY: report{1}\n"
        "report:{1}\n"
        "\t$(COMPRESS) report {2}\n"
        "{3}: shard-%:\n"
        "\t$(COMPRESS) {4} --threads 1 --shard $*/{0}\n",
        shards_, shards, shell_word(folder_), shards.substr(1), command);
  }

  std::string slurm_script(const SweepSpec& spec) const {
    return fmt::format(
        "#!/bin/sh\n"
        "# Runs a sweep as an array of {0} shards: mkdir -p {2} && sbatch FILE; the folder must be shared by "
        "the "
        "nodes.\n"
        "# The last shard draws the report. COMPRESS=path names the command.\n"
        "#SBATCH --job-name=compress-sweep\n"
        "#SBATCH --array=1-{0}\n"
        "#SBATCH --cpus-per-task=1\n"
        "#SBATCH --output={2}/shard-%a.log\n"
        "exec \"${{COMPRESS:-compress}}\" {1} --threads \"${{SLURM_CPUS_PER_TASK:-1}}\" "
        "--shard \"$SLURM_ARRAY_TASK_ID/{0}\"\n",
        shards_, arguments(spec), folder_);
  }

  std::vector<std::string> models_;
  std::string spec_;
  std::string folder_;
  RecipeFlags flags_;
  Threads threads_;
  EngineFlags engine_;
  int jobs_ = 0;
  bool timing_ = true;
  bool retry_ = false;
  std::string shard_ = "1/1";
  std::string emit_;
  int shards_ = 4;
};

}  // namespace

std::unique_ptr<Verb> make_sweep() {
  return std::make_unique<SweepVerb>();
}

}  // namespace press
