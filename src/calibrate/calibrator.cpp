#include "press/calibrate/calibrator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "press/runtime/session.h"

namespace press {
namespace {

std::string describe(const Value& value) {
  if (value.producer() != nullptr) {
    return fmt::format("value '{}' of node {}", value.name(), value.producer()->label());
  }
  return fmt::format("network input '{}'", value.name());
}

std::int64_t samples_in(const Batch& batch) {
  const Tensor* first = batch.inputs.empty() ? nullptr : &batch.inputs.front();
  return first != nullptr && first->rank() > 0 ? first->dims()[0] : 1;
}

/// The sample that the first non-finite element belongs to, where the tensor's first dim counts samples.
std::string sample_of_non_finite(const Tensor& tensor, const Batch& batch) {
  const auto samples = static_cast<std::int64_t>(batch.names.size());
  if (samples == 0) return "a sample without a name";
  const std::span<const float> values = tensor.data<float>();
  const auto found = std::ranges::find_if(values, [](float x) { return !std::isfinite(x); });
  const bool by_sample = tensor.rank() > 0 && tensor.dims()[0] == samples;
  const std::int64_t sample = by_sample ? (found - values.begin()) / (tensor.size() / samples) : 0;
  return fmt::format("'{}'{}", batch.names[static_cast<std::size_t>(sample)],
                     by_sample || samples == 1 ? "" : fmt::format(" or the {} after it", samples - 1));
}

/// Reduces the tensors of one worker.
class Statistics {
 public:
  Statistics(std::span<const Value* const> values, Histogram::Detail detail)
      : histograms_(values.size(), Histogram(detail)) {
    for (std::size_t i = 0; i < values.size(); ++i) slots_.emplace(values[i], i);
  }

  Status add(const Value& value, const Tensor& tensor, const Batch& batch) {
    if (tensor.type() != DataType::kFloat) {
      return Error(ErrorCode::kUnsupported, fmt::format("{} is {}; only float32 values can be calibrated",
                                                        describe(value), name(tensor.type())));
    }
    Histogram& histogram = histograms_[slots_.at(&value)];
    histogram.add(tensor.data<float>(), static_cast<std::size_t>(samples_in(batch)));
    if (histogram.non_finite() == 0) return {};
    return Error(
        ErrorCode::kInput,
        fmt::format("{} is not finite for sample {}; the network overflows, or its preprocessing is wrong",
                    describe(value), sample_of_non_finite(tensor, batch)));
  }

  void merge(const Statistics& other) {
    for (std::size_t i = 0; i < histograms_.size(); ++i) histograms_[i].merge(other.histograms_[i]);
  }

  const Histogram& at(std::size_t slot) const { return histograms_[slot]; }

 private:
  std::unordered_map<const Value*, std::size_t> slots_;
  std::vector<Histogram> histograms_;
};

/// What the workers share: the source, the count of samples, the earliest error.
class Progress {
 public:
  Progress(const BatchSource& source, const std::function<void(std::int64_t)>& report)
      : source_(source), report_(report) {}

  struct Job {
    std::size_t index;
    Batch batch;
  };

  /// Nullopt at the end and after any error.
  std::optional<Job> next() {
    const std::scoped_lock lock(mutex_);
    if (error_.has_value() || at_end_) return std::nullopt;
    const std::size_t index = next_index_++;
    auto batch = source_();
    if (!batch.ok()) fail_locked(index, batch.error());
    if (!batch.ok() || !batch->has_value()) {
      at_end_ = true;
      return std::nullopt;
    }
    return Job{index, std::move(**batch)};
  }

  void finished(const Batch& batch) {
    const std::scoped_lock lock(mutex_);
    samples_ += samples_in(batch);
    if (report_) report_(samples_);
  }

  void fail(std::size_t index, Error error) {
    const std::scoped_lock lock(mutex_);
    fail_locked(index, std::move(error));
  }

  std::int64_t samples() const { return samples_; }
  std::optional<Error> take_error() { return std::move(error_); }

 private:
  void fail_locked(std::size_t index, Error error) {
    if (error_.has_value() && error_index_ <= index) return;
    error_index_ = index;
    error_ = std::move(error);
  }

  const BatchSource& source_;
  const std::function<void(std::int64_t)>& report_;
  std::mutex mutex_;
  std::size_t next_index_ = 0;
  bool at_end_ = false;
  std::int64_t samples_ = 0;
  std::size_t error_index_ = 0;
  std::optional<Error> error_;
};

void work(Session& session, std::span<const Value* const> values, Progress& progress,
          Statistics& statistics) {
  while (std::optional<Progress::Job> job = progress.next()) {
    Status seen;
    const Tap tap = [&](const Value& value, const Tensor& tensor) {
      if (seen.ok()) seen = statistics.add(value, tensor, job->batch);
    };
    auto outputs = session.run(job->batch.inputs, values, tap);
    if (!outputs.ok())
      return progress.fail(job->index, std::move(outputs).error().with_context("calibration"));
    if (!seen.ok()) return progress.fail(job->index, std::move(seen).error().with_context("calibration"));
    progress.finished(job->batch);
  }
}

}  // namespace

Result<CalibrationTable> calibrate(const Model& model, std::span<const Value* const> values,
                                   const BatchSource& batches, const CalibrateOptions& options) {
  CalibrationTable table;
  if (values.empty()) return table;
  const auto workers = static_cast<std::size_t>(std::max(options.threads, 1));
  std::vector<Session> sessions;
  std::vector<Statistics> statistics;
  const SessionOptions session_options{
      .threads = 1, .tap_in_any_order = true, .shared_weights = make_shared_weights()};
  for (std::size_t i = 0; i < workers; ++i) {
    PRESS_ASSIGN(Session session, Session::create(*model.graph, session_options));
    sessions.push_back(std::move(session));
    statistics.emplace_back(values, info(options.observer).detail);
  }
  Progress progress(batches, options.progress);
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < workers; ++i) {
    threads.emplace_back([&, i] { work(sessions[i], values, progress, statistics[i]); });
  }
  work(sessions[0], values, progress, statistics[0]);
  for (std::thread& thread : threads) thread.join();

  if (std::optional<Error> error = progress.take_error()) return *std::move(error);
  if (progress.samples() == 0) {
    return Error(ErrorCode::kInput, "calibration: there is not one sample; give a folder with images");
  }
  for (std::size_t i = 1; i < workers; ++i) statistics[0].merge(statistics[i]);
  for (std::size_t i = 0; i < values.size(); ++i)
    table.insert_or_assign(values[i]->name(), statistics[0].at(i));
  return table;
}

}  // namespace press
