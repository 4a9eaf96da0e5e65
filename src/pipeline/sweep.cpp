#include "press/pipeline/sweep.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "batch_cache.h"
#include "facts.h"
#include "press/evaluate/packed_size.h"
#include "press/onnx/model_io.h"
#include "press/pipeline/calibration_store.h"
#include "press/pipeline/optimize.h"
#include "press/pipeline/sweep_cell.h"
#include "press/pipeline/sweep_folder.h"
#include "press/support/atomic_file.h"
#include "press/support/hash.h"
#include "press/support/mapped_file.h"
#include "press/support/text.h"

namespace press {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFormat = 1;  // raised when cells of older versions must be made again
constexpr std::int64_t kMostCachedBytes = std::int64_t{1} << 30;
constexpr std::int64_t kLayerSamples = 32;  // on which layers are compared
constexpr std::size_t kDrawnLayers = 6;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A model of the sweep with all that its cells share.
struct Subject {
  std::string path;
  std::int64_t bytes = 0;
  std::uint64_t hash = 0;
  Model model;
  std::optional<Model> fused;  // where fusing works: the original in the form of most cells
  std::optional<BatchCache> samples;
  RecordedOutputs answers;
};

struct Task {
  Subject* subject = nullptr;
  const SweepRecipe* recipe = nullptr;  // null: the original
  std::string id;
};

/// Samples of the first batch, not more than kLayerSamples.
Batch layer_batch(const Batch& batch) {
  Batch few;
  const auto samples = std::min<std::int64_t>(kLayerSamples, static_cast<std::int64_t>(batch.names.size()));
  few.names.assign(batch.names.begin(), batch.names.begin() + samples);
  for (const Tensor& input : batch.inputs) {
    if (input.rank() == 0 || input.dims()[0] <= samples) {
      few.inputs.push_back(input);
      continue;
    }
    Dims dims = input.dims();
    dims[0] = samples;
    auto part = Tensor::allocate(input.type(), dims);
    if (!part.ok()) return batch;
    const std::span<std::byte> bytes = part->mutable_bytes();
    std::copy_n(input.bytes().begin(), bytes.size(), bytes.begin());
    few.inputs.push_back(std::move(part).value());
  }
  return few;
}

class Sweep {
 public:
  Sweep(const SweepSpec& spec, const SweepOptions& options)
      : spec_(spec), options_(options), folder_(options.folder) {}

  Result<SweepSummary> run() {
    PRESS_TRY(read_subjects());
    PRESS_TRY(plan());
    PRESS_TRY(folder_.create());
    PRESS_TRY(folder_.write_plan(plan_));
    std::vector<const Task*> open;
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      const Task& task = tasks_[i];
      const auto cell = folder_.cell(task.id);
      if (cell && !(cell->failed() && options_.retry)) {
        ++summary_.ready;
      } else if (mine(i)) {
        open.push_back(&task);
      }
    }
    PRESS_TRY(make(open));
    if (options_.latency) PRESS_TRY(measure_times());
    for (const Task& task : tasks_) {
      const auto cell = folder_.cell(task.id);
      summary_.missing += cell ? 0 : 1;
      summary_.failed += cell && cell->failed() ? 1 : 0;
    }
    summary_.cells = static_cast<std::int64_t>(tasks_.size());
    summary_.calibrations = calibrations_.size();
    return std::move(summary_);
  }

 private:
  bool mine(std::size_t index) const {
    return static_cast<int>(index % static_cast<std::size_t>(options_.shards)) == options_.shard - 1;
  }

  Status read_subjects() {
    if (options_.models.empty()) return Error(ErrorCode::kUsage, "the sweep names no model");
    for (const std::string& path : options_.models) {
      subjects_.push_back(std::make_unique<Subject>());
      Subject& subject = *subjects_.back();
      subject.path = path;
      PRESS_ASSIGN(subject.model, load_model(path));
      PRESS_ASSIGN(const auto file, MappedFile::open(path));
      subject.bytes = static_cast<std::int64_t>(file->bytes().size());
      // The fingerprint sees weights that lie in other files, the bytes see everything else.
      subject.hash = hash_combine(hash_bytes(file->bytes()), fingerprint(*subject.model.graph));
    }
    return {};
  }

  /// The cells in order, and their names.
  Status plan() {
    PRESS_TRY(tell("reading samples", 0, 0));
    PRESS_ASSIGN(const std::uint64_t samples, samples_fingerprint(options_.samples, 0));
    PRESS_ASSIGN(const Preprocess steps, resolve(options_.samples.preprocess));
    const std::string common =
        fmt::format("format {}\nversion {}\nsamples {:016x}\npreprocess {}\nbatch {}\n", kFormat,
                    PRESS_VERSION, samples, describe(steps), options_.samples.batch);
    plan_.samples_path = options_.samples.path;
    plan_.preprocess = describe(steps);
    std::set<std::string> known;
    for (const std::unique_ptr<Subject>& subject : subjects_) {
      for (std::size_t r = 0; r <= spec_.recipes.size(); ++r) {
        const SweepRecipe* recipe = r == 0 ? nullptr : &spec_.recipes[r - 1];
        std::string text = fmt::format("{}model {:016x}\n", common, subject->hash);
        if (recipe != nullptr) {
          PRESS_ASSIGN(const std::string settings, portable(*recipe));
          text += settings;
        }
        Task task{subject.get(), recipe, fmt::format("{:016x}", hash_bytes(text))};
        if (!known.insert(task.id).second) continue;
        plan_.cells.push_back(task.id);
        tasks_.push_back(std::move(task));
      }
    }
    return {};
  }

  /// The recipe with what its samples hold in the place of where they lie.
  Result<std::string> portable(const SweepRecipe& recipe) {
    const SampleOptions& set = recipe.recipe.calibration;
    if (set.path.empty()) return recipe.text;
    std::string text;
    for (std::size_t begin = 0; begin < recipe.text.size();) {
      const std::size_t end = recipe.text.find('\n', begin) + 1;
      const std::string line = recipe.text.substr(begin, end - begin);
      const bool path = line.starts_with("calibration.images ") || line.starts_with("calibration.labels ");
      if (!path) text += line;
      begin = end;
    }
    const std::string key = fmt::format("{} {} {} {}", set.path, set.labels, set.limit.value_or(-1),
                                        set.seed ? std::to_string(*set.seed) : "");
    auto known = calibration_hashes_.find(key);
    if (known == calibration_hashes_.end()) {
      PRESS_ASSIGN(const std::uint64_t hash, samples_fingerprint(set, kCalibrationSamples));
      known = calibration_hashes_.emplace(key, hash).first;
    }
    return text + fmt::format("calibration {:016x}\n", known->second);
  }

  // -- making cells

  Status make(const std::vector<const Task*>& open) {
    if (open.empty()) return {};
    done_ = 0;
    total_ = static_cast<std::int64_t>(open.size());
    for (const Task* task : open) {
      if (!task->subject->samples) PRESS_TRY(prepare(*task->subject));
    }
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
      while (!stopped_) {
        const std::size_t index = next++;
        if (index >= open.size()) return;
        try {
          if (Status status = make(*open[index]); !status.ok()) stop(std::move(status).error());
        } catch (const std::exception& exception) {
          stop(Error(ErrorCode::kInternal, exception.what()));
        }
      }
    };
    std::vector<std::thread> threads;
    for (int job = 1; job < std::min<int>(options_.jobs, static_cast<int>(open.size())); ++job) {
      threads.emplace_back(work);
    }
    work();
    for (std::thread& thread : threads) thread.join();
    if (error_) return std::move(*error_);
    return {};
  }

  /// What all cells of a model share: decoded samples, the original's answers, its fused form.
  Status prepare(Subject& subject) {
    PRESS_ASSIGN(subject.samples, BatchCache::open(options_.samples, *subject.model.graph, kMostCachedBytes,
                                                   options_.threads, options_.progress));
    for (const std::string& warning : subject.samples->warnings()) {
      if (std::find(summary_.warnings.begin(), summary_.warnings.end(), warning) == summary_.warnings.end()) {
        summary_.warnings.push_back(warning);
      }
    }
    const EvaluatedModel original{subject.path, subject.model.graph.get()};
    PRESS_ASSIGN(const BatchSource source, subject.samples->source());
    const std::int64_t samples = subject.samples->samples();
    EvaluateOptions options{.threads = options_.threads};
    options.progress = [&](std::int64_t done) { return tell("running the original", done, samples); };
    options.record = &subject.answers;
    PRESS_TRY(evaluate_models(std::span(&original, 1), source, options));
    Model fused = clone(subject.model);
    Recipe recipe;
    recipe.fuse = true;
    if (optimize(fused, recipe, {}).ok()) subject.fused = std::move(fused);
    return {};
  }

  /// Makes one cell and writes it. An error is one that ends the sweep.
  Status make(const Task& task) {
    SweepCell cell{.id = task.id, .model = task.subject->path};
    cell.original = task.recipe == nullptr;
    cell.label = cell.original ? "original" : task.recipe->label;
    PRESS_TRY(start(cell.label));
    const Clock::time_point begin = Clock::now();
    if (task.recipe != nullptr) {
      cell.settings = task.recipe->settings;
      cell.recipe = task.recipe->text;
      cell.command = command_of(task.subject->path, *task.recipe);
    }
    Status status = fill(task, cell);
    if (!status.ok()) {
      const ErrorCode code = status.error().code();
      if (code == ErrorCode::kInterrupted || code == ErrorCode::kOutput) return status;
      cell = SweepCell{.id = cell.id,
                       .model = cell.model,
                       .label = cell.label,
                       .original = cell.original,
                       .settings = cell.settings,
                       .recipe = cell.recipe,
                       .command = cell.command,
                       .error = status.error().message()};
    }
    PRESS_TRY(folder_.write(cell));
    seconds_of(task.id, seconds_since(begin));
    return finish(cell.label);
  }

  Status fill(const Task& task, SweepCell& cell) {
    Subject& subject = *task.subject;
    const int threads = std::max(1, options_.threads / std::max(1, options_.jobs));
    Model model = clone(subject.model);
    if (task.recipe != nullptr) {
      OptimizeOptions options{.threads = threads, .progress = quiet_progress()};
      options.calibrations = &calibrations_;
      PRESS_ASSIGN(const OptimizeReport report, optimize(model, task.recipe->recipe, options));
      for (const PassReport& pass : report.passes) {
        if (pass.rewrites == 0) continue;
        cell.steps.push_back({pass.name, static_cast<std::int64_t>(pass.rewrites),
                              static_cast<std::int64_t>(pass.nodes_after),
                              static_cast<std::int64_t>(pass.declined.size())});
      }
      cell.warnings = report.warnings;
      if (report.calibration) cell.calibration_samples = report.calibration->samples;
      PRESS_TRY(
          save_model(model, folder_.model_path(task.id), {.overwrite = true, .inputs = {subject.path}}));
    }
    PRESS_TRY(measure_file(task, model, cell.figures));
    PRESS_TRY(measure_answers(subject, model, threads, cell.figures));
    if (task.recipe == nullptr) return {};
    std::vector<const Graph*> originals{subject.model.graph.get()};
    if (subject.fused) originals.push_back(subject.fused->graph.get());
    const Batch batch = layer_batch(subject.samples->first_batches().front());
    // A network whose layers cannot be compared is none the worse for it.
    if (auto layers = compare_layers(originals, *model.graph, std::span(&batch, 1)); layers.ok()) {
      cell.layers = kept_layers(*layers, kDrawnLayers);
    }
    return {};
  }

  Status measure_file(const Task& task, const Model& model, SweepCell::Figures& figures) const {
    const std::string path = task.recipe == nullptr ? task.subject->path : folder_.model_path(task.id);
    PRESS_ASSIGN(const auto file, MappedFile::open(path));
    PRESS_ASSIGN(const PackedSize packed, packed_size(file->bytes()));
    figures.bytes = static_cast<std::int64_t>(file->bytes().size());
    figures.gzip_bytes = packed.gzip;
    figures.zstd_bytes = packed.zstd;
    const ModelFacts facts = facts_of(model);
    figures.parameters = facts.parameters;
    figures.weights = facts.weights;
    figures.nonzero_weights = facts.weights - facts.zero_weights;
    figures.macs = facts.macs;
    figures.nodes = static_cast<std::int64_t>(facts.layers.size());
    return {};
  }

  Status measure_answers(Subject& subject, const Model& model, int threads, SweepCell::Figures& figures) {
    std::vector<EvaluatedModel> models{{subject.path, subject.model.graph.get()},
                                       {"the cell's model", model.graph.get()}};
    if (!subject.answers.empty()) models[0].recorded = &subject.answers;
    PRESS_ASSIGN(const BatchSource source, subject.samples->source());
    EvaluateOptions options{.threads = threads};
    options.progress = [&](std::int64_t) { return again(); };
    PRESS_ASSIGN(const std::vector<ModelScore> scores, evaluate_models(models, source, options));
    const ModelScore& score = scores[1];
    figures.samples = score.samples;
    figures.labelled = score.labelled;
    figures.top1 = score.top1_percent();
    figures.top5 = score.top5_percent();
    figures.agreement = score.agreement_percent();
    if (!score.differences.empty()) {
      const Difference& difference = score.differences.front().difference;
      if (std::isfinite(difference.sqnr_db())) figures.sqnr_db = difference.sqnr_db();
      figures.mean_absolute = difference.mean_absolute();
      figures.cosine = difference.cosine();
    }
    PRESS_ASSIGN(const std::vector<Tensor> single,
                 first_sample(subject.samples->first_batches().front().inputs));
    PRESS_ASSIGN(const std::unique_ptr<Engine> engine, native_engine (*model.graph)(1));
    PRESS_TRY(engine->run(adapt_inputs(*model.graph, single)));
    figures.peak_bytes = engine->peak_bytes().value_or(0);
    return {};
  }

  // -- times, one cell after the other, each in turn with the original, of one thread: threads that wait for
  // each
  //    other measure the load of the machine

  Status measure_times() {
    std::vector<const Task*> open;
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      const auto cell = folder_.cell(tasks_[i].id);
      if (mine(i) && cell && !cell->failed() && !folder_.timing(tasks_[i].id)) open.push_back(&tasks_[i]);
    }
    for (std::size_t i = 0; i < open.size(); ++i) {
      const Task& task = *open[i];
      const std::string doing =
          "measuring time: " + (task.recipe == nullptr ? "original" : task.recipe->label);
      const auto done = static_cast<std::int64_t>(i);
      const auto total = static_cast<std::int64_t>(open.size());
      if (!task.subject->samples) PRESS_TRY(prepare(*task.subject));
      PRESS_TRY(measure_time(task, [&] { return tell(doing, done, total); }));
      ++summary_.timed;
    }
    return {};
  }

  Status measure_time(const Task& task, const std::function<Status()>& interrupted) {
    Subject& subject = *task.subject;
    const std::string path = task.recipe == nullptr ? subject.path : folder_.model_path(task.id);
    PRESS_ASSIGN(const Model model, load_model(path));
    std::vector<EvaluatedModel> models{{subject.path, subject.model.graph.get()}, {path, model.graph.get()}};
    if (options_.onnxruntime) {
      models[0].engine = OnnxRuntime::engine(options_.onnxruntime, *subject.model.graph, subject.path);
      models[1].engine = OnnxRuntime::engine(options_.onnxruntime, *model.graph, path);
    }
    LatencyOptions timing = options_.timing;
    timing.threads = 1;
    timing.interrupted = interrupted;
    PRESS_ASSIGN(const std::vector<Latency> latencies,
                 measure_latency(models, subject.samples->first_batches().front().inputs, timing));
    SweepCell::Timing result{.latency = latencies[1], .reference_ms = latencies[0].median_ms};
    const auto seconds = cell_seconds_.find(task.id);
    result.seconds = seconds == cell_seconds_.end() ? 0 : seconds->second;
    result.threads = timing.threads;
    result.engine = options_.onnxruntime ? "ONNX Runtime " + options_.onnxruntime->version()
                                         : std::string("compress " PRESS_VERSION);
    result.machine = machine_name();
    return folder_.write(task.id, result);
  }

  // -- progress, of several threads

  Status tell(const std::string& doing, std::int64_t done, std::int64_t total) const {
    return options_.progress ? options_.progress(doing, done, total) : Status();
  }

  std::string running() const {
    std::string text = "sweep:";
    for (const std::string& label : running_) text += (text.back() == ':' ? " " : " | ") + label;
    return text;
  }

  Status start(const std::string& label) {
    const std::lock_guard lock(mutex_);
    running_.push_back(label);
    return tell(running(), done_, total_);
  }

  Status finish(const std::string& label) {
    const std::lock_guard lock(mutex_);
    running_.erase(std::find(running_.begin(), running_.end(), label));
    ++done_;
    ++summary_.made;
    return tell(running(), done_, total_);
  }

  /// Draws what is running once more, and hears of an interruption.
  Status again() {
    const std::lock_guard lock(mutex_);
    return tell(running(), done_, total_);
  }

  Progress quiet_progress() {
    return [this](std::string_view, std::int64_t, std::int64_t) { return again(); };
  }

  void seconds_of(const std::string& id, double seconds) {
    const std::lock_guard lock(mutex_);
    cell_seconds_[id] = seconds;
  }

  void stop(Error error) {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    if (!error_) error_ = std::move(error);
  }

  const SweepSpec& spec_;
  const SweepOptions& options_;
  SweepFolder folder_;
  SweepPlan plan_;
  std::vector<std::unique_ptr<Subject>> subjects_;
  std::vector<Task> tasks_;
  std::map<std::string, std::uint64_t> calibration_hashes_;
  CalibrationStore calibrations_;
  std::atomic<bool> stopped_ = false;

  std::mutex mutex_;  // of all that follows
  SweepSummary summary_;
  std::vector<std::string> running_;
  std::int64_t done_ = 0;
  std::int64_t total_ = 0;
  std::map<std::string, double> cell_seconds_;
  std::optional<Error> error_;
};

}  // namespace

Result<SweepSummary> run_sweep(const SweepSpec& spec, const SweepOptions& options) {
  return Sweep(spec, options).run();
}

}  // namespace press
