#include "press/pipeline/evaluation.h"

#include <fmt/format.h>

#include "facts.h"
#include "press/onnx/model_io.h"
#include "press/pipeline/samples.h"
#include "press/support/mapped_file.h"

namespace press {
namespace {

/// The batches of `source`, with a copy of the first one kept for measuring time.
BatchSource keep_first(BatchSource source, std::optional<Batch>& first) {
  return [source = std::move(source), &first]() -> Result<std::optional<Batch>> {
    PRESS_ASSIGN(std::optional<Batch> batch, source());
    if (!first && batch) first = batch;
    return batch;
  };
}

Result<std::optional<PackedSize>> packed(const NamedModel& model) {
  if (model.name == kStandardInput) {
    PRESS_ASSIGN(const std::string bytes, model_to_bytes(model.model));
    PRESS_ASSIGN(const PackedSize size, packed_size(std::as_bytes(std::span(bytes))));
    return std::optional(size);
  }
  PRESS_ASSIGN(const auto file, MappedFile::open(model.name));
  PRESS_ASSIGN(const PackedSize size, packed_size(file->bytes()));
  return std::optional(size);
}

/// The peak of intermediate tensors in our runtime for one sample; nullopt where it cannot run the model.
std::optional<std::int64_t> activation_bytes(const Graph& graph, std::span<const Tensor> inputs) {
  auto engine = native_engine(graph)(1);
  auto single = first_sample(inputs);
  if (!engine.ok() || !single.ok()) return std::nullopt;
  if (!(*engine)->run(adapt_inputs(graph, *single)).ok()) return std::nullopt;
  return (*engine)->peak_bytes();
}

}  // namespace

Result<Evaluation> evaluate(std::span<const NamedModel> models, const SampleOptions& samples_options,
                            const EvaluationOptions& options) {
  PRESS_ASSIGN(Samples samples, Samples::open(samples_options, *models[0].model.graph, 0, options.threads));
  std::vector<EvaluatedModel> graphs;
  graphs.reserve(models.size());
  for (const NamedModel& model : models) {
    graphs.push_back({model.name, model.model.graph.get()});
    if (options.onnxruntime == nullptr) continue;
    if (model.name == kStandardInput) {
      return Error(ErrorCode::kUsage, "ONNX Runtime reads files; a model from standard input has none");
    }
    graphs.back().engine = OnnxRuntime::engine(options.onnxruntime, *model.model.graph, model.name);
  }

  std::optional<Batch> first;
  EvaluateOptions evaluate_options;
  evaluate_options.threads = options.threads;
  evaluate_options.progress = [&](std::int64_t done) -> Status {
    return options.progress ? options.progress("evaluating", done, samples.size()) : Status();
  };
  PRESS_ASSIGN(std::vector<ModelScore> scores,
               evaluate_models(graphs, keep_first(samples.source(), first), evaluate_options));

  std::vector<Latency> latencies;
  if (options.latency && first) {
    LatencyOptions latency = options.timing;
    latency.threads = options.threads;
    latency.interrupted = [&]() -> Status {
      return options.progress ? options.progress("measuring time", 0, 0) : Status();
    };
    PRESS_ASSIGN(latencies, measure_latency(graphs, first->inputs, latency));
  }

  Evaluation evaluation;
  evaluation.samples_path = samples.path();
  evaluation.preprocess = samples.preprocess();
  evaluation.skipped = samples.skipped();
  evaluation.warnings = samples.warnings();
  evaluation.engine = options.onnxruntime ? "ONNX Runtime " + options.onnxruntime->version()
                                          : std::string("compress " PRESS_VERSION);
  evaluation.threads = options.threads;
  evaluation.samples = scores[0].samples;
  for (std::size_t m = 0; m < models.size(); ++m) {
    ModelEvaluation result{.name = models[m].name, .bytes = models[m].bytes};
    result.facts = facts_of(models[m].model);
    result.score = std::move(scores[m]);
    if (!latencies.empty()) {
      result.latency = latencies[m];
      if (!options.profile) result.latency->steps.clear();
    }
    if (options.packed) {
      if (options.progress) {
        PRESS_TRY(options.progress("packing", static_cast<std::int64_t>(m),
                                   static_cast<std::int64_t>(models.size())));
      }
      PRESS_ASSIGN(result.packed, packed(models[m]));
    }
    if (first) result.peak_bytes = activation_bytes(*models[m].model.graph, first->inputs);
    evaluation.models.push_back(std::move(result));
  }
  return evaluation;
}

}  // namespace press
