// Several models measured side by side: files, parameters, accuracy and agreement over one pass of samples,
// time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "press/calibrate/batch_reader.h"
#include "press/evaluate/evaluate.h"
#include "press/evaluate/latency.h"
#include "press/evaluate/model_facts.h"
#include "press/ir/graph.h"
#include "press/pipeline/progress.h"
#include "press/pipeline/recipe.h"
#include "press/support/result.h"

namespace press {

struct NamedModel {
  std::string name;        // its path
  std::int64_t bytes = 0;  // of its file
  Model model;
};

struct ModelEvaluation {
  std::string name;
  std::int64_t bytes = 0;
  ModelFacts facts;
  ModelScore score;
  std::optional<Latency> latency;
};

struct Evaluation {
  std::string samples_path;
  std::string preprocess;  // one line; "" for tensors
  std::int64_t samples = 0;
  std::vector<SkippedSample> skipped;
  std::vector<ModelEvaluation> models;  // the first one is the reference
  std::vector<std::string> warnings;
  int threads = 1;
};

struct EvaluationOptions {
  int threads = 1;
  bool latency = true;
  Progress progress;
};

/// Errors: those of opening the samples (for the first model's inputs), evaluate_models and measure_latency.
Result<Evaluation> evaluate(std::span<const NamedModel> models, const SampleOptions& samples,
                            const EvaluationOptions& options = {});

/// As JSON: `"schema": 1`, see docs/usage.md. An infinite SQNR (equal outputs) is null.
std::string to_json(const Evaluation& evaluation);

}  // namespace press
