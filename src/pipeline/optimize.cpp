#include "press/pipeline/optimize.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <utility>

#include "facts.h"
#include "pipeline/node_story.h"
#include "press/calibrate/calibrator.h"
#include "press/onnx/model_io.h"
#include "press/passes/quantize.h"
#include "press/pipeline/calibration_store.h"
#include "press/pipeline/recovery.h"
#include "press/pipeline/samples.h"
#include "press/support/units.h"

namespace press {
namespace {

using Clock = std::chrono::steady_clock;
constexpr const char* kUpgradePass = "upgrade_opset";
constexpr const char* kQuantizePass = "quantize_static";
constexpr const char* kWeightsPass = "quantize_weights";
constexpr const char* kFp16Pass = "convert_fp16";
constexpr const char* kPackPass = "pack_weights";

ModelSize size_of(const Model& model) {
  const ModelFacts facts = facts_of(model);
  return {.bytes = serialized_size(model),
          .nodes = static_cast<std::int64_t>(facts.layers.size()),
          .parameters = facts.parameters,
          .weights = facts.weights,
          .zero_weights = facts.zero_weights,
          .macs = facts.macs};
}

PassGroup family_group(std::string_view family) {
  PassGroup group;
  for (const PassInfo& pass : all_passes()) {
    if (pass.family == family) group.passes.emplace_back(pass.name);
  }
  return group;
}

NodeSelection both(const NodeSelection& common, const NodeSelection& own) {
  NodeSelection selection = common;
  selection.include.insert(selection.include.end(), own.include.begin(), own.include.end());
  selection.exclude.insert(selection.exclude.end(), own.exclude.begin(), own.exclude.end());
  return selection;
}

class Run {
 public:
  Run(Model& model, const Recipe& recipe, const OptimizeOptions& options)
      : model_(model), recipe_(recipe), options_(options) {
    const std::int64_t wanted = recipe.target != nullptr ? recipe.target->opset : 0;
    context_.opset = recipe.opset > 0 ? recipe.opset : wanted;
    context_.prune = recipe.prune_options;
    context_.prune.nodes = both(recipe.nodes, recipe.prune_options.nodes);
    context_.quantize = recipe.quantize_options;
    context_.quantize.nodes = both(recipe.nodes, recipe.quantize_options.nodes);
    context_.fp16 = recipe.fp16_options;
    if (recipe.cluster) {
      context_.cluster = *recipe.cluster;
      context_.cluster.nodes = both(recipe.nodes, recipe.cluster->nodes);
    }
    context_.store = recipe.store_options;
    context_.fp16.nodes = context_.quantize.nodes;
  }

  Result<OptimizeReport> run() {
    report_.before = size_of(model_);
    if (!options_.explain.empty()) {
      PRESS_ASSIGN(story_, NodeStory::begin(*model_.graph, options_.explain));
    }
    PRESS_TRY(change_interface(model_, recipe_.interface));
    PRESS_TRY(run_groups(first_groups()));
    if (wants(Precision::kInt8, kQuantizePass)) {
      PRESS_TRY(run_groups({{.passes = {kUpgradePass}}}));
      PRESS_ASSIGN(const CalibrationTable table, calibrated());
      context_.calibration = &table;
      PRESS_TRY(run_groups({{.passes = {kQuantizePass}}, cleanup_group()}));
      context_.calibration = nullptr;
    }
    if (wants(Precision::kWeights, kWeightsPass)) {
      PRESS_TRY(run_groups({{.passes = {kUpgradePass}}}));
      PRESS_ASSIGN(const Recovery recovery, recovered_weights());
      context_.grids = &recovery.grids;
      PRESS_TRY(run_groups({{.passes = {kWeightsPass}}}));
      context_.grids = nullptr;
    }
    if (wants(Precision::kFp16, kFp16Pass)) {
      PRESS_TRY(run_groups({{.passes = {kFp16Pass}}, cleanup_group()}));
    }
    if (recipe_.store_options.form != StoreForm::kDense) PRESS_TRY(pack());
    if (options_.stamp) stamp();
    report_.after = size_of(model_);
    if (story_.has_value()) report_.explanation = story_->lines();
    warn();
    return std::move(report_);
  }

 private:
  std::vector<PassGroup> first_groups() const {
    std::vector<PassGroup> groups{cleanup_group()};
    if (context_.opset > 0) groups.push_back({.passes = {kUpgradePass}});
    if (recipe_.fuse || recipe_.asks_for_nothing()) {
      // What one fusion leaves is what the next one looks for.
      PassGroup fuse = family_group("fuse");
      const PassGroup cleanup = cleanup_group();
      fuse.passes.insert(fuse.passes.end(), cleanup.passes.begin(), cleanup.passes.end());
      fuse.until_stable = true;
      groups.push_back(std::move(fuse));
    }
    if (recipe_.prune) groups.push_back({.passes = {prune_pass()}});
    if (recipe_.cluster) groups.push_back(family_group("cluster"));
    return groups;
  }

  const char* prune_pass() const {
    return recipe_.prune_options.structure == PruneStructure::kChannels ? "prune_channels"
                                                                        : "prune_magnitude";
  }

  /// Small networks may spend more bytes on nodes than they save on weights: then they stay as they are.
  Status pack() {
    Model plain = clone(model_);
    PRESS_TRY(run_groups({{.passes = {kUpgradePass}}, {.passes = {kPackPass}}}));
    if (serialized_size(model_) < serialized_size(plain)) return {};
    model_ = std::move(plain);
    report_.warnings.emplace_back(
        "the weights are stored as they are: packed, the file would not be smaller");
    return {};
  }

  bool wants(Precision precision, const std::string& pass) const {
    const auto named = [&](const std::vector<std::string>& list) {
      return std::find(list.begin(), list.end(), pass) != list.end();
    };
    const bool allowed = recipe_.only_passes.empty() || named(recipe_.only_passes);
    return recipe_.precision == precision && allowed && !named(recipe_.disabled_passes);
  }

  Status run_groups(const std::vector<PassGroup>& groups) {
    PassManagerOptions manager;
    manager.only = recipe_.only_passes;
    manager.disable = recipe_.disabled_passes;
    if (recipe_.target != nullptr) {
      for (std::string& pass : recipe_.target->disabled_passes()) manager.disable.push_back(std::move(pass));
    }
    if (story_.has_value()) {
      manager.observe = [this](const PassInfo& pass, const PassOutcome& outcome, const Graph& graph) {
        story_->after(pass, outcome, graph);
      };
    }
    PRESS_TRY(tell("optimizing", 0, 0));
    PRESS_ASSIGN(std::vector<PassReport> reports, run_passes(model_, groups, context_, manager));
    for (PassReport& report : reports) add(std::move(report));
    return tell("optimizing", 0, 0);
  }

  /// Groups that run a pass again are one line in the report.
  void add(PassReport report) {
    const auto same = [&](const PassReport& other) { return other.name == report.name; };
    const auto earlier = std::find_if(report_.passes.begin(), report_.passes.end(), same);
    if (earlier == report_.passes.end()) {
      report_.passes.push_back(std::move(report));
      return;
    }
    earlier->rewrites += report.rewrites;
    earlier->seconds += report.seconds;
    earlier->nodes_after = report.nodes_after;
    earlier->declined = std::move(report.declined);
    for (std::string& note : report.notes) {
      if (std::find(earlier->notes.begin(), earlier->notes.end(), note) == earlier->notes.end()) {
        earlier->notes.push_back(std::move(note));
      }
    }
  }

  Result<CalibrationTable> calibrated() {
    PRESS_ASSIGN(Samples samples,
                 Samples::open(recipe_.calibration, *model_.graph, kCalibrationSamples, options_.threads));
    PRESS_ASSIGN(const std::vector<const Value*> values, values_to_calibrate(model_, context_.quantize));
    const auto measure = [&] { return measured(samples, values); };
    PRESS_ASSIGN(CalibrationStore::Entry entry,
                 options_.calibrations != nullptr
                     ? options_.calibrations->get(calibration_key(samples, values), measure)
                     : measure());
    for (const std::string& warning : samples.warnings()) report_.warnings.push_back(warning);
    report_.calibration = std::move(entry.report);
    return std::move(entry.table);
  }

  /// All that the table depends on.
  std::string calibration_key(const Samples& samples, std::span<const Value* const> values) const {
    const SampleOptions& set = recipe_.calibration;
    std::string key = fmt::format("{:016x} {} {} {} {} {} {}", fingerprint(*model_.graph), set.path,
                                  set.labels, samples.size(), set.seed ? std::to_string(*set.seed) : "evenly",
                                  set.skip_corrupt, samples.preprocess());
    for (const Value* value : values) key += '\n' + value->name();
    return key;
  }

  Result<CalibrationStore::Entry> measured(Samples& samples, std::span<const Value* const> values) {
    const Clock::time_point start = Clock::now();
    std::atomic<std::int64_t> done = 0;
    const CalibrateOptions calibration{
        .threads = options_.threads,
        // A table that others share keeps bins: every observer reads from them.
        .observer = options_.calibrations != nullptr ? Observer::kPercentile : context_.quantize.observer,
        .progress = [&](std::int64_t samples_done) { done = samples_done; }};
    // The source is asked between batches, one thread at a time: the place to tell progress and to be
    // stopped.
    const BatchSource source = [&, batches = samples.source(),
                                asking = std::make_shared<std::mutex>()]() -> Result<std::optional<Batch>> {
      const std::lock_guard lock(*asking);
      PRESS_TRY(tell("calibrating", done, samples.size()));
      return batches();
    };
    PRESS_ASSIGN(CalibrationTable table, calibrate(model_, values, source, calibration));
    PRESS_TRY(tell("calibrating", samples.size(), samples.size()));
    CalibrationReport report{
        .path = samples.path(),
        .samples = samples.size() - static_cast<std::int64_t>(samples.skipped().size()),
        .skipped = samples.skipped(),
        .preprocess = samples.preprocess(),
        .seconds = std::chrono::duration<double>(Clock::now() - start).count(),
    };
    return CalibrationStore::Entry{std::move(table), std::move(report)};
  }

  Result<Recovery> recovered_weights() {
    if (context_.quantize.recover == Recover::kNone || recipe_.calibration.path.empty()) return Recovery();
    PRESS_ASSIGN(const std::vector<LayerTask> tasks,
                 layers_with_small_weights(model_, context_.quantize, nullptr));
    PRESS_ASSIGN(std::vector<Batch> samples, recovery_samples());
    return recover_quantized(model_, tasks, std::move(samples), {}, recover_options());
  }

  RecoverOptions recover_options() const {
    return {.effort = context_.quantize.recover, .threads = options_.threads, .progress = options_.progress};
  }

  /// All samples at once: the lock-step pass goes over them layer by layer.
  Result<std::vector<Batch>> recovery_samples() {
    PRESS_ASSIGN(Samples samples,
                 Samples::open(recipe_.calibration, *model_.graph, kRecoverySamples, options_.threads));
    std::vector<Batch> batches;
    const BatchSource source = samples.source();
    while (true) {
      PRESS_ASSIGN(std::optional<Batch> batch, source());
      if (!batch.has_value()) return batches;
      batches.push_back(*std::move(batch));
    }
  }

  /// The same run stamps the same text: no times, no paths.
  void stamp() {
    std::string passes;
    for (const PassReport& pass : report_.passes) {
      if (pass.rewrites == 0) continue;
      passes += fmt::format("{}{}:{}", passes.empty() ? "" : " ", pass.name, pass.rewrites);
    }
    model_.metadata.emplace_back("compress.version", PRESS_VERSION);
    model_.metadata.emplace_back("compress.passes", passes);
  }

  void warn() {
    const ModelSize& before = report_.before;
    const ModelSize& after = report_.after;
    if (after.bytes > before.bytes) {
      report_.warnings.push_back(fmt::format("the result is larger than the input: {} instead of {}",
                                             human_bytes(after.bytes), human_bytes(before.bytes)));
    }
    for (const PassReport& pass : report_.passes) {
      const bool asked_for = pass.numerics == Numerics::kLossy;
      if (asked_for && pass.rewrites == 0) {
        report_.warnings.push_back(
            fmt::format("{} found nothing to do{}", pass.name,
                        pass.declined.empty() ? "" : "; it says why with -v or --json"));
      }
    }
    if (recipe_.prune && after.zero_weights > before.zero_weights && recipe_.precision == Precision::kAsIs) {
      report_.warnings.push_back(
          "zeros do not make this file smaller by themselves: it shrinks when it is packed (gzip, zstd), and "
          "runs faster "
          "only on runtimes with sparse kernels");
    }
  }

  Status tell(std::string_view doing, std::int64_t done, std::int64_t total) const {
    return options_.progress ? options_.progress(doing, done, total) : Status();
  }

  Model& model_;
  const Recipe& recipe_;
  const OptimizeOptions& options_;
  PassContext context_;
  std::optional<NodeStory> story_;
  OptimizeReport report_;
};

}  // namespace

Result<OptimizeReport> optimize(Model& model, const Recipe& recipe, const OptimizeOptions& options) {
  if (recipe.precision == Precision::kInt8 && recipe.calibration.path.empty()) {
    return Error(
        ErrorCode::kUsage,
        "int8 needs representative samples to measure the ranges of activations: give --calibration PATH (a "
        "folder of 100 to 500 images will do), or choose fp16");
  }
  return Run(model, recipe, options).run();
}

}  // namespace press
