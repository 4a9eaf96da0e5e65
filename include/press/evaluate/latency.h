// How long models take for one sample and for a batch, measured in turn because machines are noisy.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "press/evaluate/evaluate.h"
#include "press/ir/graph.h"
#include "press/ir/tensor.h"
#include "press/support/result.h"

namespace press {

struct LatencyOptions {
  int threads = 1;                      // of each session
  int warm_up = 3;                      // runs before the clock starts
  int rounds = 50;                      // each round runs every model once; at least 5 are run
  double max_seconds = 2.0;             // a model's share of time, after which no new round is begun
  std::function<Status()> interrupted;  // asked between runs; an error stops the measurement
};

/// One thing that the engine does at a time, as a node or several that it merged.
struct StepLatency {
  std::string operators;  // "Conv+Relu"
  std::string node;       // the first one's label
  double mean_ms = 0;     // of the runs of the whole batch
};

/// Milliseconds of wall clock.
struct Latency {
  double median_ms = 0;        // of single runs at batch 1
  double p95_ms = 0;           // the same, 95th percentile
  double batch_median_ms = 0;  // of runs of the whole batch that was given
  double batch_p95_ms = 0;
  double per_sample_ms = 0;  // batch_median_ms / batch
  std::int64_t batch = 1;
  std::int64_t runs = 0;                   // at batch 1
  std::optional<std::int64_t> peak_bytes;  // of intermediate tensors at batch 1, where the engine tells them
  std::vector<StepLatency> steps;          // in execution order, where the engine tells them

  double samples_per_second() const { return 1e3 / per_sample_ms; }
};

/// Every round runs all models once, each time starting with the next one, so that drift of the machine meets
/// all alike. `inputs`: one batch; networks with a fixed batch of 1 are measured with it alone.
Result<std::vector<Latency>> measure_latency(std::span<const EvaluatedModel> models,
                                             std::span<const Tensor> inputs,
                                             const LatencyOptions& options = {});

/// The first sample of each input, as a batch of its own; inputs without a batch as they are.
Result<std::vector<Tensor>> first_sample(std::span<const Tensor> inputs);

}  // namespace press
