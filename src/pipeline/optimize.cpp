#include "press/pipeline/optimize.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>

#include "facts.h"
#include "passes/selection.h"
#include "pipeline/mixed_precision.h"
#include "pipeline/node_story.h"
#include "pipeline/sample_check.h"
#include "pipeline/trial_run.h"
#include "press/calibrate/calibrator.h"
#include "press/onnx/model_io.h"
#include "press/ops/linear_layer.h"
#include "press/passes/channels.h"
#include "press/passes/quantize.h"
#include "press/pipeline/analysis.h"
#include "press/pipeline/calibration_store.h"
#include "press/pipeline/channel_pruning.h"
#include "press/pipeline/recovery.h"
#include "press/pipeline/samples.h"
#include "press/pipeline/weight_pruning.h"
#include "press/support/mapped_file.h"
#include "press/support/units.h"

namespace press {
namespace {

using Clock = std::chrono::steady_clock;
constexpr const char* kUpgradePass = "upgrade_opset";
constexpr const char* kQuantizePass = "quantize_static";
constexpr const char* kDynamicPass = "quantize_dynamic";
constexpr const char* kFoldPass = "fold_quantized_weights";
constexpr const char* kRemovePass = "remove_quantization";
constexpr const char* kQlinearPass = "write_qlinear";
constexpr const char* kBf16Pass = "store_bf16";
constexpr const char* kMagnitudePass = "prune_magnitude";
constexpr const char* kChannelsPass = "prune_channels";
constexpr const char* kWeightsPass = "quantize_weights";
constexpr const char* kFp16Pass = "convert_fp16";
constexpr const char* kPackPass = "pack_weights";

ModelSize size_of(const Model& model) {
  const ModelFacts facts = facts_of(model, Detail::kSums);
  return {.bytes = serialized_size(model),
          .nodes = facts.nodes,
          .parameters = facts.parameters,
          .weights = facts.weights,
          .zero_weights = facts.zero_weights,
          .macs = facts.macs};
}

bool needs_samples(const PruneOptions& options) {
  return info(options.method).needs == PruningCriterion::Needs::kSamples;
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
  selection.operators.insert(selection.operators.end(), own.operators.begin(), own.operators.end());
  return selection;
}

bool has_depthwise_layers(const Graph& graph) {
  return std::ranges::any_of(graph.nodes_snapshot(), [](const Node* node) {
    const std::optional<LinearLayer> layer = linear_layer(*node);
    return layer.has_value() && layer->groups > 1 && layer->outputs_per_group() == 1;
  });
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
    if (recipe.target != nullptr) {
      context_.quantize.narrow_weights = recipe.target->narrow_weights;
      context_.quantize.contributed_operators = recipe.target->contributed;
    }
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
    const bool small_weights = wants(Precision::kWeights, kWeightsPass);
    const bool integers = wants(Precision::kInt8, kQuantizePass);
    const bool dynamic = wants(Precision::kDynamic, kDynamicPass);
    // Before pruning, so that the original network keeps the same nodes.
    if (small_weights || integers || dynamic) PRESS_TRY(run_groups({{.passes = {kUpgradePass}}}));
    if (recipe_.keep_ends) keep_ends();
    PRESS_TRY(prepare_recovery());
    if (prunes_channels()) PRESS_TRY(prune_channels());
    if (prunes_weights()) PRESS_TRY(prune());
    if (recipe_.cluster) PRESS_TRY(cluster());
    if (integers) {
      PRESS_ASSIGN(const std::vector<const Value*> values, values_to_calibrate(model_, context_.quantize));
      PRESS_ASSIGN(const CalibrationTable table, calibrated(values, context_.quantize.observer));
      context_.calibration = &table;
      PRESS_ASSIGN(const WeightGrids grids, recovered_grids());
      context_.grids = &grids;
      PRESS_TRY(run_groups({{.passes = {kQuantizePass}}, cleanup_group()}));
      if (recipe_.qlinear) PRESS_TRY(run_groups({{.passes = {kQlinearPass}}, cleanup_group()}));
      context_.calibration = nullptr;
      context_.grids = nullptr;
    }
    if (small_weights || dynamic) {
      PRESS_ASSIGN(const WeightGrids grids, recovered_grids());
      context_.grids = &grids;
      PRESS_TRY(run_groups({{.passes = {dynamic ? kDynamicPass : kWeightsPass}}}));
      context_.grids = nullptr;
    }
    if (wants(Precision::kFp16, kFp16Pass)) PRESS_TRY(convert_to_fp16());
    if (wants(Precision::kBf16, kBf16Pass)) PRESS_TRY(run_groups({{.passes = {kBf16Pass}}}));
    if (recipe_.store_options.form != StoreForm::kDense) PRESS_TRY(pack());
    if (recipe_.strip) PRESS_TRY(run_groups({{.passes = {"strip_model"}}}));
    if (options_.stamp) stamp();
    prepare_for_export(model_);
    report_.after = size_of(model_);
    if (story_.has_value()) report_.explanation = story_->lines();
    warn();
    return std::move(report_);
  }

  /// What run() would calibrate, with histograms whatever the observer.
  Result<CalibrationTable> calibrate_alone(const Shard& shard) {
    PRESS_TRY(run_groups(first_groups()));
    PRESS_TRY(run_groups({{.passes = {kUpgradePass}}}));
    PRESS_ASSIGN(Samples samples,
                 Samples::open(recipe_.calibration, *model_.graph, kCalibrationSamples, options_.threads));
    PRESS_ASSIGN(const std::vector<const Value*> values, values_to_calibrate(model_, context_.quantize));
    PRESS_ASSIGN(CalibrationStore::Entry entry, measured(samples, values, Observer::kPercentile, shard));
    return std::move(entry.table);
  }

 private:
  std::vector<PassGroup> first_groups() const {
    std::vector<PassGroup> groups;
    if (recipe_.inline_functions) groups.push_back(family_group("functions"));
    if (recipe_.requantize) groups.push_back({.passes = {kRemovePass}});
    groups.push_back({.passes = {kFoldPass}});
    groups.push_back(cleanup_group());
    if (context_.opset > 0) groups.push_back({.passes = {kUpgradePass}});
    if (recipe_.fuse || recipe_.asks_for_nothing()) {
      // What one fusion leaves is what the next one looks for.
      PassGroup fuse = family_group("fuse");
      const PassGroup cleanup = cleanup_group();
      fuse.passes.insert(fuse.passes.end(), cleanup.passes.begin(), cleanup.passes.end());
      fuse.until_stable = true;
      groups.push_back(std::move(fuse));
    }
    return groups;
  }

  /// Whole channels go, which changes the layers; single weights become zero.
  bool prunes_channels() const {
    return recipe_.prune && recipe_.prune_options.structure == PruneStructure::kChannels;
  }
  bool prunes_weights() const { return recipe_.prune && !prunes_channels(); }

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

  void keep_ends() {
    std::vector<const Node*> layers;
    for (const Node* node : model_.graph->nodes_snapshot()) {
      if (linear_layer(*node).has_value()) layers.push_back(node);
    }
    if (layers.empty()) return;
    for (const Node* end : {layers.front(), layers.back()})
      context_.quantize.nodes.exclude.push_back(exactly(std::string(selection_name(*end))));
    context_.fp16.nodes = context_.quantize.nodes;
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

  /// With samples or a table, what they show to come near the end of float16 stays in float32.
  Status convert_to_fp16() {
    std::optional<Batch> first;
    CalibrationTable table;
    if (!recipe_.calibration.path.empty()) {
      PRESS_ASSIGN(Samples samples,
                   Samples::open(recipe_.calibration, *model_.graph, kCalibrationSamples, 1));
      PRESS_ASSIGN(first, samples.source()());
    }
    if (first.has_value() || !recipe_.calibration_table.empty()) {
      PRESS_ASSIGN(const std::vector<const Value*> values, values_to_convert(model_));
      PRESS_ASSIGN(table, calibrated(values, Observer::kMinMax));
      context_.calibration = &table;
    }
    const TrialRun trial(model_, std::move(first));
    PRESS_TRY(run_groups({{.passes = {kFp16Pass}}, cleanup_group()}));
    context_.calibration = nullptr;
    return trial.check(model_).with_context("float16");
  }

  /// From the recipe's table, or by running the network.
  Result<CalibrationTable> calibrated(std::span<const Value* const> values, Observer wanted) {
    if (!recipe_.calibration_table.empty()) return load_calibration_table(recipe_.calibration_table);
    PRESS_ASSIGN(Samples samples,
                 Samples::open(recipe_.calibration, *model_.graph, kCalibrationSamples, options_.threads));
    // A table that others share keeps bins: every observer reads from them.
    const Observer observer = options_.calibrations != nullptr ? Observer::kPercentile : wanted;
    const auto measure = [&] { return measured(samples, values, observer, {}); };
    PRESS_ASSIGN(CalibrationStore::Entry entry,
                 options_.calibrations != nullptr
                     ? options_.calibrations->get(calibration_key(samples, values), measure)
                     : measure());
    // Runs that share a table would all say the same; a doubt says more than what is known beforehand.
    const std::optional<std::string> doubt =
        options_.calibrations != nullptr
            ? std::nullopt
            : doubt_about_samples(*model_.graph, recipe_.calibration, samples.size(), options_.threads);
    for (const std::string& warning : doubt.has_value() ? std::vector{*doubt} : samples.warnings())
      report_.warnings.push_back(warning);
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

  Result<CalibrationStore::Entry> measured(Samples& samples, std::span<const Value* const> values,
                                           Observer observer, const Shard& shard) {
    const Clock::time_point start = Clock::now();
    std::atomic<std::int64_t> done = 0;
    const CalibrateOptions calibration{.threads = options_.threads,
                                       .observer = observer,
                                       .progress = [&](std::int64_t samples_done) { done = samples_done; }};
    // The source is asked between batches, one thread at a time: the place to tell progress and to be
    // stopped.
    const BatchSource source =
        [&, batches = samples.source(), number = std::int64_t{0},
         asking = std::make_shared<std::mutex>()]() mutable -> Result<std::optional<Batch>> {
      const std::lock_guard lock(*asking);
      while (true) {
        PRESS_TRY(tell("calibrating", done, samples.size()));
        PRESS_ASSIGN(std::optional<Batch> batch, batches());
        if (!batch.has_value() || number++ % shard.count == shard.index) return batch;
      }
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

  bool recovers() const { return original_.has_value(); }

  RecoverOptions recover_options() const {
    return {.effort = effort(), .threads = options_.threads, .progress = options_.progress};
  }

  /// Rounding to 8 bits costs so little that only pruning, clusters and fewer bits are recovered without
  /// being asked. In a depthwise layer the errors of a few inputs do not average out: its means are put
  /// right.
  Recover effort() const {
    if (recipe_.recover) return *recipe_.recover;
    const bool integers = recipe_.precision == Precision::kInt8 || recipe_.precision == Precision::kDynamic;
    if (!integers || context_.quantize.weight_bits != 8 || recipe_.prune || recipe_.cluster)
      return Recover::kFast;
    const bool depthwise = recipe_.precision == Precision::kInt8 && has_depthwise_layers(*model_.graph);
    return depthwise ? Recover::kBias : Recover::kNone;
  }

  /// Keeps the network as it is, and the samples to compare with it on, where something is to be recovered.
  Status prepare_recovery() {
    const bool second_order = recipe_.prune && needs_samples(context_.prune);
    const bool quantizes = recipe_.precision == Precision::kInt8 ||
                           recipe_.precision == Precision::kDynamic ||
                           recipe_.precision == Precision::kWeights;
    const bool lossy = recipe_.prune || recipe_.cluster || quantizes;
    if (!second_order && (!lossy || effort() == Recover::kNone)) return {};
    if (recipe_.calibration.path.empty()) {
      report_.warnings.emplace_back(
          "no samples are given (--calibration PATH): what the compression costs cannot be put right");
      return {};
    }
    PRESS_ASSIGN(samples_, recovery_samples());
    if (effort() != Recover::kNone) original_ = clone(model_);
    return {};
  }

  /// Chooses channels, sets them to zero, lets the others take over, and takes them out.
  Status prune_channels() {
    if (samples_.empty()) return run_groups({{.passes = {kChannelsPass}}});
    PassReport report = begin_report("choose_channels", "prune");
    const Clock::time_point start = Clock::now();
    PRESS_ASSIGN(const std::vector<PrunableChannels> groups, prunable_channels(model_, context_.prune));
    std::vector<ChannelTrace> traces;
    if (context_.prune.method == PruneMethod::kSecondOrder) {
      PRESS_ASSIGN(traces, trace_channels(model_, groups, samples_, recover_options()));
    } else {
      std::ranges::transform(groups, std::back_inserter(traces), magnitude_trace);
    }
    PRESS_ASSIGN(const ChannelPlan plan, plan_channels(model_, context_.prune, traces));
    for (const std::vector<std::size_t>& group : plan) report.rewrites += group.empty() ? 0 : 1;
    finish_report(std::move(report), start);
    if (recovers()) {
      PRESS_TRY(mask_channels(model_, context_.prune, plan));
      PRESS_TRY(refit());
    }
    context_.channels = &plan;
    PRESS_TRY(run_groups({{.passes = {kChannelsPass}}}));
    context_.channels = nullptr;
    // What follows is compared with the network of the same layers.
    if (recovers()) original_ = clone(model_);
    return {};
  }

  /// The weights that are left take over from those that became zero.
  Status refit() {
    const NodeSelection pruned = prunes_channels() ? NodeSelection() : context_.prune.nodes;
    PRESS_ASSIGN(const std::vector<Node*> layers, layers_to_prune(model_, pruned));
    const Clock::time_point start = Clock::now();
    PRESS_ASSIGN(const Recovery recovery,
                 recover_pruned(model_, *original_, layers, samples_, recover_options()));
    return report_recovery(recovery, start);
  }

  Status prune() {
    const PruneOptions& options = context_.prune;
    if (options.method == PruneMethod::kMagnitude && options.pattern_of == 0 &&
        options.scope != PruneScope::kErk) {
      PRESS_TRY(run_groups({{.passes = {kMagnitudePass}}}));
    } else {
      PassReport report = begin_report(fmt::format("prune_{}", info(options.method).name), "prune");
      std::ranges::replace(report.name, '-', '_');
      PRESS_ASSIGN(const std::vector<Node*> layers, layers_to_prune(model_, options.nodes));
      const Clock::time_point start = Clock::now();
      PRESS_ASSIGN(const std::int64_t zeros,
                   prune_by_criterion(model_, layers, options, samples_, recover_options()));
      report.rewrites = layers.size();
      report.notes.push_back(fmt::format("{} weights are zero", zeros));
      finish_report(std::move(report), start);
    }
    return recovers() ? refit() : Status();
  }

  /// What recovery cannot look at (shared weights, layers in subgraphs) goes to the nearest centroids.
  Status cluster() {
    if (recovers()) {
      PRESS_ASSIGN(const std::vector<Node*> layers, layers_to_prune(model_, context_.cluster.nodes));
      const Clock::time_point start = Clock::now();
      PRESS_ASSIGN(const Recovery recovery, recover_clustered(model_, *original_, layers, samples_,
                                                              context_.cluster, recover_options()));
      PRESS_TRY(report_recovery(recovery, start));
      PassReport report = begin_report("cluster_weights", "cluster");
      report.rewrites = layers.size();
      add(std::move(report));
    }
    return run_groups({family_group("cluster")});
  }

  Result<WeightGrids> recovered_grids() {
    const bool integers = recipe_.precision == Precision::kInt8;
    if (!recovers() || recipe_.cluster) {  // values that clusters share are rounded alike, to the nearest
      // Eight bits are rounded where they are written; so are weights alone.
      if (!integers || context_.quantize.weight_bits == 8) return WeightGrids();
      PRESS_ASSIGN(const std::vector<LayerTask> tasks, layers_to_quantize(model_, context_.quantize));
      return round_quantized(model_, tasks);
    }
    PRESS_ASSIGN(std::vector<LayerTask> tasks,
                 integers ? layers_to_quantize(model_, context_.quantize)
                 : recipe_.precision == Precision::kDynamic
                     ? layers_with_dynamic_inputs(model_, context_.quantize, nullptr)
                     : layers_with_small_weights(model_, context_.quantize, nullptr));
    // Scales of blocks are not those of channels, which recovery chooses.
    std::erase_if(tasks, [](const LayerTask& task) { return task.block > 0; });
    std::function<Status(Model&)> simulate;
    if (integers) simulate = [this](Model& copy) { return simulate_activations(copy, context_); };
    const Clock::time_point start = Clock::now();
    PRESS_ASSIGN(Recovery recovery,
                 recover_quantized(model_, *original_, tasks, samples_, simulate, recover_options()));
    PRESS_TRY(report_recovery(recovery, start));
    return std::move(recovery.grids);
  }

  PassReport begin_report(std::string name, std::string family) const {
    return {.name = std::move(name),
            .family = std::move(family),
            .numerics = Numerics::kLossy,
            .nodes_before = model_.graph->node_count()};
  }

  void finish_report(PassReport report, Clock::time_point start) {
    report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    report.nodes_after = model_.graph->node_count();
    add(std::move(report));
  }

  Status report_recovery(const Recovery& recovery, Clock::time_point start) {
    PassReport report = begin_report("recover", "recover");
    report.rewrites = recovery.layers.size();
    for (const RecoveredLayer& layer : recovery.layers) {
      if (!layer.error.has_value()) continue;
      report.notes.push_back(
          fmt::format("{}: its output is off by {:.2g} of its variance", layer.node, *layer.error));
    }
    finish_report(std::move(report), start);
    return {};
  }

  /// All samples at once, as the lock-step pass goes over them layer by layer; as many as fit kRecoveryBytes.
  Result<std::vector<Batch>> recovery_samples() {
    const std::int64_t limit = effort() == Recover::kBias ? kCalibrationSamples : kRecoverySamples;
    PRESS_ASSIGN(Samples samples, Samples::open(recipe_.calibration, *model_.graph, limit, options_.threads));
    std::vector<Batch> batches;
    std::int64_t bytes = 0;
    const BatchSource source = samples.source();
    while (bytes < kRecoveryBytes) {
      PRESS_ASSIGN(std::optional<Batch> batch, source());
      if (!batch.has_value()) break;
      for (const Tensor& input : batch->inputs) bytes += byte_size(input.type(), input.size());
      batches.push_back(*std::move(batch));
    }
    return batches;
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
    const bool packed = recipe_.store_options.form != StoreForm::kDense;
    if (prunes_weights() && after.zero_weights > before.zero_weights && !packed &&
        recipe_.precision == Precision::kAsIs) {
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
  std::optional<Model> original_;  // where something is recovered: the network before anything lossy
  std::vector<Batch> samples_;     // to recover with
  std::optional<NodeStory> story_;
  OptimizeReport report_;
};

}  // namespace

Result<CalibrationTable> load_calibration_table(const std::string& path) {
  PRESS_ASSIGN(const std::shared_ptr<const MappedFile> file, MappedFile::open(path));
  const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  return calibration_table_from_json(text).with_context(fmt::format("'{}'", path));
}

Result<CalibrationTable> calibrate_model(Model& model, const Recipe& recipe, const Shard& shard,
                                         const OptimizeOptions& options) {
  return Run(model, recipe, options).calibrate_alone(shard);
}

Result<OptimizeReport> optimize(Model& model, const Recipe& recipe, const OptimizeOptions& options) {
  if (recipe.precision == Precision::kInt8 && recipe.calibration.path.empty() &&
      recipe.calibration_table.empty()) {
    return Error(
        ErrorCode::kUsage,
        "int8 needs representative samples to measure the ranges of activations: give --calibration PATH (a "
        "folder of 100 to 500 images will do), or choose fp16");
  }
  if (recipe.qlinear && recipe.quantize_options.activation_bits > 8) {
    return Error(ErrorCode::kUsage, "QLinear operators have 8 bits: int16x8 has the format qdq alone");
  }
  if (recipe.prune && recipe.prune_options.macs &&
      recipe.prune_options.structure != PruneStructure::kChannels) {
    return Error(ErrorCode::kUsage,
                 "a budget of multiply-accumulates (--macs) is kept by taking out channels: give --structure "
                 "channels, or --sparsity for single weights");
  }
  const bool by_weight = recipe.prune_options.method != PruneMethod::kMagnitude &&
                         recipe.prune_options.method != PruneMethod::kSecondOrder;
  if (recipe.prune && recipe.prune_options.structure == PruneStructure::kChannels &&
      (by_weight || recipe.prune_options.scope == PruneScope::kErk)) {
    return Error(
        ErrorCode::kUsage,
        "channels are chosen by magnitude or second-order, with scope local or global; other criteria "
        "and erk are for single weights");
  }
  if (recipe.prune && needs_samples(recipe.prune_options) && recipe.calibration.path.empty()) {
    return Error(ErrorCode::kUsage,
                 fmt::format("{} pruning needs representative samples to measure what each weight is worth: "
                             "give --calibration PATH, or choose magnitude",
                             info(recipe.prune_options.method).name));
  }
  if (recipe.goal.given()) return optimize_to_goal(model, recipe, options);
  return Run(model, recipe, options).run();
}

}  // namespace press
