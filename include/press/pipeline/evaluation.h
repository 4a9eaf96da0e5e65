// Several models measured side by side: files, parameters, accuracy and agreement over one pass of samples,
// time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "press/calibrate/batch_reader.h"
#include "press/evaluate/evaluate.h"
#include "press/evaluate/latency.h"
#include "press/evaluate/model_facts.h"
#include "press/evaluate/onnxruntime.h"
#include "press/evaluate/packed_size.h"
#include "press/ir/graph.h"
#include "press/pipeline/progress.h"
#include "press/pipeline/recipe.h"
#include "press/support/result.h"

namespace press {

/// The name of a model that came through a pipe.
inline constexpr const char* kStandardInput = "standard input";

struct NamedModel {
  std::string name;        // its path, or kStandardInput
  std::int64_t bytes = 0;  // of its file
  Model model;
};

struct ModelEvaluation {
  std::string name;
  std::int64_t bytes = 0;
  std::optional<PackedSize> packed;
  std::optional<std::int64_t> peak_bytes;  // of activations at batch 1, in our runtime
  ModelFacts facts;
  ModelScore score;
  std::optional<Latency> latency;
};

/// A limit that was asked for, and what came of it; see press/pipeline/gates.h.
struct GateOutcome {
  std::string model;
  std::string gate;  // "min-top1"
  double limit = 0;
  std::optional<double> found;
  bool passed = false;
  std::string sentence;  // with both figures, and by how much it is missed
};

struct Evaluation {
  std::string samples_path;
  std::string preprocess;  // one line; "" for tensors
  std::int64_t samples = 0;
  std::vector<SkippedSample> skipped;
  std::vector<ModelEvaluation> models;  // the first one is the reference
  std::vector<std::string> warnings;
  std::vector<GateOutcome> gates;
  std::string engine;  // "compress 0.1.0", "ONNX Runtime 1.17.1": what ran the models
  int threads = 1;
};

struct EvaluationOptions {
  int threads = 1;
  bool latency = true;
  bool profile = false;  // with latency: keep the time of each step
  bool packed = true;    // sizes as gzip and zstd pack the files
  LatencyOptions timing;
  std::shared_ptr<OnnxRuntime> onnxruntime;  // runs the models; null: our runtime
  Progress progress;
};

/// Errors: those of opening the samples (for the first model's inputs), evaluate_models and measure_latency.
Result<Evaluation> evaluate(std::span<const NamedModel> models, const SampleOptions& samples,
                            const EvaluationOptions& options = {});

/// As JSON: `"schema": 1`, docs/schema/evaluation-1.json. An infinite SQNR (equal outputs) is null.
std::string to_json(const Evaluation& evaluation);

/// A line for each model, its figures separated by commas, names of columns first.
std::string to_csv(const Evaluation& evaluation);

/// A table for a comment on a change, and the limits that were missed.
std::string to_markdown(const Evaluation& evaluation);

/// For build servers: a test case for each limit on each model; one for each model where there are no limits.
std::string to_junit(const Evaluation& evaluation);

}  // namespace press
