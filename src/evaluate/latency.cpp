#include "press/evaluate/latency.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

namespace press {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kFewestRounds = 5;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// Milliseconds of each run, one list a model.
class Rounds {
 public:
  Rounds(std::span<const EvaluatedModel> models, std::span<const std::unique_ptr<Engine>> engines,
         const LatencyOptions& options)
      : models_(models), engines_(engines), options_(options) {}

  Result<std::vector<std::vector<double>>> measure(std::span<const Tensor> inputs) {
    std::vector<std::vector<Tensor>> adapted;
    for (const EvaluatedModel& model : models_) adapted.push_back(adapt_inputs(*model.graph, inputs));
    for (std::size_t m = 0; m < models_.size(); ++m) {
      for (int i = 0; i < options_.warm_up; ++i) {
        PRESS_TRY(run(m, adapted[m]));
      }
    }
    std::vector<std::vector<double>> times(models_.size());
    const Clock::time_point start = Clock::now();
    const double limit = options_.max_seconds * 1e3 * static_cast<double>(models_.size());
    for (int round = 0; round < std::max(options_.rounds, kFewestRounds); ++round) {
      if (round >= kFewestRounds && milliseconds_since(start) > limit) break;
      for (std::size_t i = 0; i < models_.size(); ++i) {
        const std::size_t m = (i + static_cast<std::size_t>(round)) % models_.size();
        const Clock::time_point begin = Clock::now();
        PRESS_TRY(run(m, adapted[m]));
        times[m].push_back(milliseconds_since(begin));
      }
    }
    for (std::vector<double>& list : times) std::sort(list.begin(), list.end());
    return times;
  }

 private:
  Status run(std::size_t m, std::span<const Tensor> inputs) {
    if (options_.interrupted) {
      PRESS_TRY(options_.interrupted());
    }
    auto outputs = engines_[m]->run(inputs);
    if (!outputs.ok()) return std::move(outputs).error().with_context(models_[m].name);
    return {};
  }

  std::span<const EvaluatedModel> models_;
  std::span<const std::unique_ptr<Engine>> engines_;
  const LatencyOptions& options_;
};

double quantile(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<std::size_t>(std::lround(share * static_cast<double>(sorted.size() - 1)))];
}

/// The mean of each step over the runs behind `before`, which is an earlier profile of the same engine or
/// empty.
std::vector<StepLatency> mean_times(const std::vector<StepTime>& steps, const std::vector<StepTime>& before) {
  std::vector<StepLatency> result;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const StepTime start = i < before.size() ? before[i] : StepTime{};
    const auto runs = static_cast<double>(std::max<std::int64_t>(steps[i].runs - start.runs, 1));
    result.push_back({steps[i].operators, steps[i].node->label(),
                      static_cast<double>(steps[i].nanoseconds - start.nanoseconds) * 1e-6 / runs});
  }
  return result;
}

}  // namespace

Result<std::vector<Tensor>> first_sample(std::span<const Tensor> inputs) {
  std::vector<Tensor> single;
  for (const Tensor& input : inputs) {
    if (input.rank() == 0 || input.dims()[0] <= 1) {
      single.push_back(input);
      continue;
    }
    Dims dims = input.dims();
    dims[0] = 1;
    PRESS_ASSIGN(Tensor sample, Tensor::allocate(input.type(), dims));
    const std::span<std::byte> bytes = sample.mutable_bytes();
    std::memcpy(bytes.data(), input.bytes().data(), bytes.size());
    single.push_back(std::move(sample));
  }
  return single;
}

Result<std::vector<Latency>> measure_latency(std::span<const EvaluatedModel> models,
                                             std::span<const Tensor> inputs, const LatencyOptions& options) {
  std::vector<std::unique_ptr<Engine>> engines;
  for (const EvaluatedModel& model : models) {
    const EngineFactory make = model.engine ? model.engine : native_engine(*model.graph);
    auto engine = make(options.threads);
    if (!engine.ok()) return std::move(engine).error().with_context(model.name);
    engines.push_back(std::move(engine).value());
  }
  Rounds rounds(models, engines, options);
  PRESS_ASSIGN(const std::vector<Tensor> single, first_sample(inputs));
  PRESS_ASSIGN(const auto single_times, rounds.measure(single));

  std::vector<Latency> result(models.size());
  for (std::size_t m = 0; m < models.size(); ++m) result[m].peak_bytes = engines[m]->peak_bytes();

  std::vector<std::vector<StepTime>> before(models.size());
  for (std::size_t m = 0; m < models.size(); ++m) before[m] = engines[m]->profile();
  const std::int64_t batch = inputs.empty() || inputs[0].rank() == 0 ? 1 : inputs[0].dims()[0];
  std::vector<std::vector<double>> batch_times = single_times;
  if (batch > 1) {
    PRESS_ASSIGN(batch_times, rounds.measure(inputs));
  } else {
    for (std::vector<StepTime>& steps : before) steps.clear();  // the runs were those of the batch
  }
  for (std::size_t m = 0; m < models.size(); ++m) {
    result[m].steps = mean_times(engines[m]->profile(), before[m]);
    result[m].median_ms = quantile(single_times[m], 0.5);
    result[m].p95_ms = quantile(single_times[m], 0.95);
    result[m].batch_median_ms = quantile(batch_times[m], 0.5);
    result[m].batch_p95_ms = quantile(batch_times[m], 0.95);
    result[m].per_sample_ms = result[m].batch_median_ms / static_cast<double>(batch);
    result[m].batch = batch;
    result[m].runs = static_cast<std::int64_t>(single_times[m].size());
  }
  return result;
}

}  // namespace press
