// compress calibrate: ranges of activations, measured once, in parts where wanted.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "flags.h"
#include "model_file.h"
#include "press/pipeline/optimize.h"
#include "press/support/atomic_file.h"
#include "verb.h"

namespace press {
namespace {

/// "2/5": the second of five shards.
Result<Shard> parse_shard(const std::string& text) {
  if (text.empty()) return Shard{};
  const std::size_t slash = text.find('/');
  const auto wrong = [&] {
    return Error(ErrorCode::kUsage,
                 fmt::format("--shard takes a part and the number of parts, as 1/4, not '{}'", text));
  };
  if (slash == std::string::npos) return wrong();
  const auto index = parse_integer(std::string_view(text).substr(0, slash));
  const auto count = parse_integer(std::string_view(text).substr(slash + 1));
  if (!index.ok() || !count.ok() || *index < 1 || *index > *count) return wrong();
  return Shard{*index - 1, *count};
}

class CalibrateVerb : public Verb {
 public:
  std::string_view name() const override { return "calibrate"; }
  std::string_view summary() const override { return "measure ranges of activations, in parts where wanted"; }
  std::string_view description() const override {
    return "Runs the fused model over calibration samples and writes a histogram of every activation that "
           "int8 "
           "needs, for compress quantize --calibration-table. The table serves any observer. With --shard it "
           "takes one part of the samples; --merge joins the tables of all parts to the one that a single "
           "run "
           "would have written.";
  }
  std::string_view examples() const override {
    return "compress calibrate model.onnx -o ranges.json --images images/ --preprocess imagenet\n"
           "compress calibrate model.onnx -o part1.json --shard 1/2 --images images/ --preprocess imagenet\n"
           "compress calibrate -o ranges.json --merge part1.json --merge part2.json";
  }

  void declare(CLI::App& app) override {
    app.add_option("MODEL", model_path_, "the ONNX model to run; not with --merge")->type_name("");
    app.add_option("-o,--output", output_, "the table to write")
        ->required()
        ->type_name("FILE")
        ->group(kMainGroup);
    app.add_option("--merge", merged_, "join this table and others; may be repeated")
        ->type_name("FILE")
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->group(kMainGroup);
    app.add_option("--shard", shard_, "one part of the samples, as 1/4")
        ->type_name("I/N")
        ->default_str("all")
        ->group(kMainGroup);
    app.add_flag("--force", force_, "replace the table where it exists")->group(kGeneralGroup);
    flags_.add(app, "calibration.images", {.flag = "--images", .fallback = "none"});
    flags_.add(app, "calibration.limit", {.fallback = "200", .group = kSamplesGroup});
    flags_.add_samples(app);
    flags_.add_selection(app);
    threads_.add(app);
  }

  Status run(Console& console) override {
    PRESS_ASSIGN(const CalibrationTable table, merged_.empty() ? measured(console) : joined());
    const std::string json = to_json(table);
    AtomicFile::Options target{.overwrite = force_, .keep = merged_};
    if (!model_path_.empty()) target.keep.push_back(model_path_);
    PRESS_ASSIGN(AtomicFile file, AtomicFile::create(output_, target));
    PRESS_TRY(file.write(std::as_bytes(std::span(json))));
    PRESS_TRY(file.flush());
    PRESS_TRY(file.commit());
    console.say(fmt::format("ranges of {} activations written to '{}'", table.size(), output_));
    return {};
  }

 private:
  Result<CalibrationTable> joined() const {
    if (!model_path_.empty() || !shard_.empty()) {
      return Error(ErrorCode::kUsage, "--merge joins tables; it takes neither a model nor --shard");
    }
    CalibrationTable table;
    for (const std::string& path : merged_) {
      PRESS_ASSIGN(const CalibrationTable part, load_calibration_table(path));
      merge(table, part);
    }
    return table;
  }

  Result<CalibrationTable> measured(Console& console) const {
    if (model_path_.empty()) return Error(ErrorCode::kUsage, "give the model to run, or tables to --merge");
    Recipe recipe;
    recipe.fuse = true;
    recipe.precision = Precision::kInt8;
    PRESS_TRY(flags_.apply(recipe));
    if (recipe.calibration.path.empty()) {
      return Error(ErrorCode::kUsage,
                   "say which samples to run on: --images PATH (a folder, a CSV, an IDX, NPY or "
                   "NPZ file)");
    }
    PRESS_ASSIGN(const Shard shard, parse_shard(shard_));
    PRESS_ASSIGN(Model model, read_model(model_path_));
    const OptimizeOptions options{.threads = threads_.resolved(), .progress = console.progress()};
    return calibrate_model(model, recipe, shard, options);
  }

  std::string model_path_, output_, shard_;
  std::vector<std::string> merged_;
  bool force_ = false;
  RecipeFlags flags_;
  Threads threads_;
};

}  // namespace

std::unique_ptr<Verb> make_calibrate() {
  return std::make_unique<CalibrateVerb>();
}

}  // namespace press
