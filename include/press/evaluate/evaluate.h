// Scores of several models over one pass of the same samples: hits of labels, and how each model differs from
// the first.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "press/evaluate/engine.h"
#include "press/evaluate/metrics.h"
#include "press/ir/graph.h"
#include "press/runtime/batch.h"
#include "press/support/result.h"

namespace press {

/// What a model answered to each batch of a source, in the order of the batches.
using RecordedOutputs = std::vector<std::vector<Tensor>>;

struct EvaluatedModel {
  std::string name;  // for messages
  const Graph* graph = nullptr;
  EngineFactory engine = {};                  // what runs it; none: our runtime
  const RecordedOutputs* recorded = nullptr;  // its answers where they are known: it is not run
};

/// An output of a model against the output at the same place of the first model.
struct OutputDifference {
  std::string name;
  Difference difference;
};

/// Samples of one class, by label.
struct ClassScore {
  std::int64_t labelled = 0;
  std::int64_t top1 = 0;
  std::int64_t top5 = 0;
};

/// Counts over all samples. A model classifies where its first output holds one row of scores a sample
/// ([N,C], extents of 1 beside C allowed); for others only `differences` are filled.
struct ModelScore {
  std::int64_t samples = 0;
  bool classifies = false;
  std::int64_t classes = 0;
  std::int64_t labelled = 0;  // samples with a label
  std::int64_t top1 = 0;      // of the labelled ones
  std::int64_t top5 = 0;
  std::int64_t agreement = 0;  // samples where the best class is the first model's
  std::vector<OutputDifference> differences;
  std::vector<ClassScore> per_class;  // as many as there are classes
  /// (label, best class) -> samples; pairs that did not come up are left out.
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> confusion;

  std::optional<double> top1_percent() const;
  std::optional<double> top5_percent() const;
  std::optional<double> agreement_percent() const;
};

struct EvaluateOptions {
  int threads = 1;
  /// Called with the number of samples done so far, never by two threads at once; an error stops the
  /// evaluation.
  std::function<Status(std::int64_t samples)> progress;
  /// Keeps the answers of the first model here where they take no more than `record_limit` bytes; empty
  /// afterwards where they would take more.
  RecordedOutputs* record = nullptr;
  std::int64_t record_limit = std::int64_t{1} << 28;
};

/// Runs every batch through every model, `threads` batches at a time, each by sessions of one thread; the
/// sums are formed in the order of the batches, so the number of threads changes nothing. Inputs of float32
/// are converted where a model takes another floating type. Errors: those of `source`, of the sessions, of
/// options.progress; kInput where a label is outside of the classes (naming sample and label), or where the
/// models' inputs or outputs do not match.
Result<std::vector<ModelScore>> evaluate_models(std::span<const EvaluatedModel> models,
                                                const BatchSource& source,
                                                const EvaluateOptions& options = {});

/// The elements of a floating-point or integer tensor as float32. Errors: kUnsupported for other types.
Result<std::vector<float>> to_floats(const Tensor& tensor);

/// `inputs` in the element types that `graph` declares (float32 to float16, bfloat16 or double); others are
/// left alone.
std::vector<Tensor> adapt_inputs(const Graph& graph, std::span<const Tensor> inputs);

}  // namespace press
