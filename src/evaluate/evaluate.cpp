#include "press/evaluate/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

namespace press {
namespace {

/// A row of class scores for each sample: [N,C], also with further extents of 1.
std::optional<std::int64_t> class_count(const Tensor& scores) {
  if (scores.rank() < 2 || scores.dims()[0] <= 0) return std::nullopt;
  const std::int64_t classes = *std::max_element(scores.dims().begin() + 1, scores.dims().end());
  if (classes < 2 || scores.size() != scores.dims()[0] * classes) return std::nullopt;
  return classes;
}

/// What a batch gave: the scores of each model and the answers of the first one.
struct BatchResult {
  std::vector<ModelScore> scores;
  std::vector<Tensor> first_outputs;
};

/// What one worker runs: an engine of its own for each model.
class Worker {
 public:
  /// `factories`: by model.
  static Result<Worker> create(std::span<const EvaluatedModel> models,
                               std::span<const EngineFactory> factories) {
    Worker worker(models);
    for (std::size_t m = 0; m < models.size(); ++m) {
      std::unique_ptr<Engine> engine;
      if (models[m].recorded == nullptr) {
        auto made = factories[m](1);
        if (!made.ok()) return std::move(made).error().with_context(models[m].name);
        engine = std::move(made).value();
      }
      worker.engines_.push_back(std::move(engine));
    }
    return worker;
  }

  /// `index`: the batch's position in the source.
  Result<BatchResult> score(const Batch& batch, std::size_t index) {
    BatchResult result;
    std::vector<ModelScore>& scores = result.scores;
    scores.resize(models_.size());
    std::vector<std::vector<float>> reference;
    std::vector<std::int64_t> reference_classes;
    for (std::size_t m = 0; m < models_.size(); ++m) {
      auto outputs = answer(m, batch, index);
      if (!outputs.ok()) return std::move(outputs).error().with_context(models_[m].name);
      std::vector<std::vector<float>> numbers;
      for (const Tensor& output : *outputs) {
        auto converted = to_floats(output);
        if (!converted.ok()) return std::move(converted).error().with_context(models_[m].name);
        numbers.push_back(std::move(converted).value());
      }
      scores[m].samples = batch.inputs.empty() ? 0 : batch.inputs[0].dims()[0];
      std::vector<std::int64_t> best;
      if (!outputs->empty()) {
        PRESS_ASSIGN(best, classify(models_[m], batch, (*outputs)[0], numbers[0], scores[m]));
      }
      if (m == 0) {
        reference = numbers;
        reference_classes = best;
        result.first_outputs = *outputs;
      }
      if (best.size() == reference_classes.size()) {
        for (std::size_t i = 0; i < best.size(); ++i)
          scores[m].agreement += best[i] == reference_classes[i] ? 1 : 0;
      }
      PRESS_TRY(compare(models_[m], numbers, reference, scores[m]));
    }
    return result;
  }

 private:
  Result<std::vector<Tensor>> answer(std::size_t m, const Batch& batch, std::size_t index) {
    const EvaluatedModel& model = models_[m];
    if (model.recorded == nullptr) return engines_[m]->run(adapt_inputs(*model.graph, batch.inputs));
    if (index < model.recorded->size()) return (*model.recorded)[index];
    return Error(ErrorCode::kInternal, fmt::format("no answer to batch {} was recorded", index));
  }

  explicit Worker(std::span<const EvaluatedModel> models) : models_(models) {}

  /// The best class of each sample; empty where the output holds no classes.
  static Result<std::vector<std::int64_t>> classify(const EvaluatedModel& model, const Batch& batch,
                                                    const Tensor& output, std::span<const float> numbers,
                                                    ModelScore& score) {
    std::vector<std::int64_t> best;
    const std::optional<std::int64_t> classes = class_count(output);
    if (!classes) return best;
    score.classifies = true;
    score.classes = *classes;
    score.per_class.resize(static_cast<std::size_t>(*classes));
    for (std::size_t i = 0; i < static_cast<std::size_t>(output.dims()[0]); ++i) {
      const auto row =
          numbers.subspan(i * static_cast<std::size_t>(*classes), static_cast<std::size_t>(*classes));
      best.push_back(arg_max(row));
      const std::int64_t label = i < batch.labels.size() ? batch.labels[i] : -1;
      if (label < 0) continue;
      if (label >= *classes) {
        return Error(ErrorCode::kInput,
                     fmt::format("sample '{}' has label {}, but '{}' tells {} classes apart (labels 0 to {})",
                                 i < batch.names.size() ? batch.names[i] : "", label, model.name, *classes,
                                 *classes - 1));
      }
      const std::int64_t top1 = best.back() == label ? 1 : 0;
      const std::int64_t top5 = in_top(row, label, 5) ? 1 : 0;
      ClassScore& of_class = score.per_class[static_cast<std::size_t>(label)];
      ++score.labelled;
      ++of_class.labelled;
      score.top1 += top1;
      of_class.top1 += top1;
      score.top5 += top5;
      of_class.top5 += top5;
      ++score.confusion[{label, best.back()}];
    }
    return best;
  }

  Status compare(const EvaluatedModel& model, const std::vector<std::vector<float>>& numbers,
                 const std::vector<std::vector<float>>& reference, ModelScore& score) const {
    const std::vector<GraphOutput>& outputs = model.graph->outputs();
    if (numbers.size() != reference.size()) {
      return Error(ErrorCode::kInput,
                   fmt::format("'{}' has {} outputs, '{}' has {}; only models with the same interface "
                               "can be compared",
                               model.name, numbers.size(), models_[0].name, reference.size()));
    }
    for (std::size_t o = 0; o < numbers.size(); ++o) {
      if (numbers[o].size() != reference[o].size()) {
        return Error(ErrorCode::kInput,
                     fmt::format("output '{}' of '{}' holds {} numbers, the same output of '{}' holds {}",
                                 outputs[o].name, model.name, numbers[o].size(), models_[0].name,
                                 reference[o].size()));
      }
      score.differences.push_back({outputs[o].name, {}});
      score.differences.back().difference.add(reference[o], numbers[o]);
    }
    return {};
  }

  std::span<const EvaluatedModel> models_;
  std::vector<std::unique_ptr<Engine>> engines_;  // null for models whose answers are recorded
};

void merge(std::vector<ModelScore>& total, const std::vector<ModelScore>& part) {
  if (total.empty()) {
    total = part;
    return;
  }
  for (std::size_t m = 0; m < total.size(); ++m) {
    total[m].samples += part[m].samples;
    total[m].classifies = total[m].classifies && part[m].classifies;
    total[m].labelled += part[m].labelled;
    total[m].top1 += part[m].top1;
    total[m].top5 += part[m].top5;
    total[m].agreement += part[m].agreement;
    for (std::size_t c = 0; c < std::min(total[m].per_class.size(), part[m].per_class.size()); ++c) {
      total[m].per_class[c].labelled += part[m].per_class[c].labelled;
      total[m].per_class[c].top1 += part[m].per_class[c].top1;
      total[m].per_class[c].top5 += part[m].per_class[c].top5;
    }
    for (const auto& [pair, samples] : part[m].confusion) total[m].confusion[pair] += samples;
    for (std::size_t o = 0; o < total[m].differences.size(); ++o) {
      total[m].differences[o].difference.merge(part[m].differences[o].difference);
    }
  }
}

/// The batches on their way: taken in order from the source, scored in any order, added up in order.
class Evaluation {
 public:
  Evaluation(std::span<const EvaluatedModel> models, const BatchSource& source,
             const EvaluateOptions& options)
      : models_(models), source_(source), options_(options) {
    for (const EvaluatedModel& model : models)
      factories_.push_back(model.engine || model.recorded != nullptr ? model.engine
                                                                     : native_engine(*model.graph));
  }

  Result<std::vector<ModelScore>> run() {
    std::vector<std::thread> threads;
    for (int t = 1; t < std::max(1, options_.threads); ++t) threads.emplace_back([this] { work(); });
    work();
    for (std::thread& thread : threads) thread.join();
    if (options_.record != nullptr && record_too_long_) options_.record->clear();
    if (error_) return std::move(*error_);
    if (total_.empty()) total_.resize(models_.size());
    return std::move(total_);
  }

 private:
  void work() {
    std::size_t index = 0;  // an error before the first batch counts as one of that batch
    try {
      auto worker = Worker::create(models_, factories_);
      if (!worker.ok()) return fail(0, std::move(worker).error());
      while (!stopped_) {
        auto batch = next(index);
        if (!batch.ok()) return fail(index, std::move(batch).error());
        if (!batch->has_value()) return;
        auto result = worker->score(**batch, index);
        if (!result.ok()) return fail(index, std::move(result).error());
        finish(index, std::move(result).value());
      }
    } catch (const std::exception& exception) {
      fail(index, Error(ErrorCode::kInternal, exception.what()));
    }
  }

  Result<std::optional<Batch>> next(std::size_t& index) {
    const std::lock_guard lock(source_mutex_);
    index = next_++;
    return source_();
  }

  void finish(std::size_t index, BatchResult result) {
    const std::lock_guard lock(mutex_);
    samples_ += result.scores[0].samples;
    pending_.emplace(index, std::move(result));
    while (!pending_.empty() && pending_.begin()->first == merged_) {
      merge(total_, pending_.begin()->second.scores);
      record(std::move(pending_.begin()->second.first_outputs));
      pending_.erase(pending_.begin());
      ++merged_;
    }
    if (!options_.progress || error_) return;
    if (Status status = options_.progress(samples_); !status.ok()) {
      error_index_ = 0;
      error_ = std::move(status).error();
      stopped_ = true;
    }
  }

  void record(std::vector<Tensor> outputs) {
    if (options_.record == nullptr || record_too_long_) return;
    for (const Tensor& output : outputs) recorded_bytes_ += byte_size(output.type(), output.size());
    options_.record->push_back(std::move(outputs));
    if (recorded_bytes_ <= options_.record_limit) return;
    record_too_long_ = true;
    options_.record->clear();
  }

  /// Keeps the error of the earliest batch: the same one for any number of threads.
  void fail(std::size_t index, Error error) {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    if (error_ && error_index_ <= index) return;
    error_index_ = index;
    error_ = std::move(error);
  }

  std::span<const EvaluatedModel> models_;
  std::vector<EngineFactory> factories_;
  const BatchSource& source_;
  const EvaluateOptions& options_;

  std::mutex source_mutex_;
  std::size_t next_ = 0;

  std::mutex mutex_;  // of all that follows
  std::vector<ModelScore> total_;
  std::map<std::size_t, BatchResult> pending_;
  std::size_t merged_ = 0;
  std::int64_t samples_ = 0;
  std::int64_t recorded_bytes_ = 0;
  bool record_too_long_ = false;
  std::optional<Error> error_;
  std::size_t error_index_ = 0;
  std::atomic<bool> stopped_ = false;
};

std::optional<double> percent(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::nullopt;
  return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

template <typename T>
std::vector<float> converted(const Tensor& tensor) {
  const std::span<const T> data = tensor.data<T>();
  std::vector<float> numbers(data.size());
  std::transform(data.begin(), data.end(), numbers.begin(), [](T value) {
    if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>) {
      return to_float(value);
    } else {
      return static_cast<float>(value);
    }
  });
  return numbers;
}

}  // namespace

std::optional<double> ModelScore::top1_percent() const {
  return percent(top1, labelled);
}
std::optional<double> ModelScore::top5_percent() const {
  return percent(top5, labelled);
}
std::optional<double> ModelScore::agreement_percent() const {
  return classifies ? percent(agreement, samples) : std::nullopt;
}

Result<std::vector<ModelScore>> evaluate_models(std::span<const EvaluatedModel> models,
                                                const BatchSource& source, const EvaluateOptions& options) {
  if (models.empty()) return std::vector<ModelScore>();
  return Evaluation(models, source, options).run();
}

Result<std::vector<float>> to_floats(const Tensor& tensor) {
  switch (tensor.type()) {
    case DataType::kFloat:
      return converted<float>(tensor);
    case DataType::kDouble:
      return converted<double>(tensor);
    case DataType::kFloat16:
      return converted<Float16>(tensor);
    case DataType::kBFloat16:
      return converted<BFloat16>(tensor);
    case DataType::kUint8:
      return converted<std::uint8_t>(tensor);
    case DataType::kInt8:
      return converted<std::int8_t>(tensor);
    case DataType::kInt32:
      return converted<std::int32_t>(tensor);
    case DataType::kInt64:
      return converted<std::int64_t>(tensor);
    case DataType::kBool:
      return converted<bool>(tensor);
    default:
      return Error(ErrorCode::kUnsupported,
                   fmt::format("an output of type {} cannot be compared", name(tensor.type())));
  }
}

std::vector<Tensor> adapt_inputs(const Graph& graph, std::span<const Tensor> inputs) {
  std::vector<Tensor> adapted(inputs.begin(), inputs.end());
  for (std::size_t i = 0; i < adapted.size() && i < graph.inputs().size(); ++i) {
    if (adapted[i].type() != DataType::kFloat) continue;
    const std::span<const float> values = adapted[i].data<float>();
    const auto convert = [&](auto to) {
      std::vector<decltype(to(0.0F))> result(values.size());
      std::transform(values.begin(), values.end(), result.begin(), to);
      adapted[i] = Tensor::of(adapted[i].dims(), result);
    };
    switch (graph.inputs()[i]->type().element) {
      case DataType::kFloat16:
        convert(to_float16);
        break;
      case DataType::kBFloat16:
        convert(to_bfloat16);
        break;
      case DataType::kDouble:
        convert([](float value) { return static_cast<double>(value); });
        break;
      default:
        break;
    }
  }
  return adapted;
}

}  // namespace press
