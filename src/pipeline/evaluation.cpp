#include "press/pipeline/evaluation.h"

#include <nlohmann/json.hpp>

#include "press/pipeline/samples.h"

namespace press {
namespace {

using nlohmann::ordered_json;

/// The batches of `source`, with a copy of the first one kept for measuring time.
BatchSource keep_first(BatchSource source, std::optional<Batch>& first) {
  return [source = std::move(source), &first]() -> Result<std::optional<Batch>> {
    PRESS_ASSIGN(std::optional<Batch> batch, source());
    if (!first && batch) first = batch;
    return batch;
  };
}

ordered_json number_or_null(const std::optional<double>& number) {
  return number ? ordered_json(*number) : ordered_json(nullptr);
}

ordered_json json_of(const ModelEvaluation& model) {
  ordered_json json{{"name", model.name},
                    {"bytes", model.bytes},
                    {"parameters", model.facts.parameters},
                    {"weights", model.facts.weights},
                    {"sparsity", model.facts.sparsity()},
                    {"multiply_accumulates", model.facts.macs},
                    {"samples", model.score.samples},
                    {"labelled", model.score.labelled},
                    {"classes", model.score.classes}};
  json["top1_count"] = model.score.top1;
  json["top1_percent"] = number_or_null(model.score.top1_percent());
  json["top5_count"] = model.score.top5;
  json["top5_percent"] = number_or_null(model.score.top5_percent());
  json["agreement_percent"] = number_or_null(model.score.agreement_percent());
  json["outputs"] = ordered_json::array();
  for (const OutputDifference& output : model.score.differences) {
    const Difference& difference = output.difference;
    json["outputs"].push_back({{"name", output.name},
                               {"elements", difference.count()},
                               {"not_finite", difference.non_finite()},
                               {"sqnr_db", difference.sqnr_db()},
                               {"cosine", difference.cosine()},
                               {"max_absolute", difference.max_absolute()},
                               {"max_relative", difference.max_relative()}});
  }
  json["latency"] = nullptr;
  if (model.latency) {
    json["latency"] = {{"median_ms", model.latency->median_ms},
                       {"p95_ms", model.latency->p95_ms},
                       {"per_sample_ms", model.latency->per_sample_ms},
                       {"batch", model.latency->batch},
                       {"runs", model.latency->runs}};
  }
  return json;
}

}  // namespace

Result<Evaluation> evaluate(std::span<const NamedModel> models, const SampleOptions& samples_options,
                            const EvaluationOptions& options) {
  PRESS_ASSIGN(Samples samples, Samples::open(samples_options, *models[0].model.graph, 0, options.threads));
  std::vector<EvaluatedModel> graphs;
  graphs.reserve(models.size());
  for (const NamedModel& model : models) graphs.push_back({model.name, model.model.graph.get()});

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
    LatencyOptions latency;
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
  evaluation.threads = options.threads;
  evaluation.samples = scores[0].samples;
  for (std::size_t m = 0; m < models.size(); ++m) {
    evaluation.models.push_back({.name = models[m].name,
                                 .bytes = models[m].bytes,
                                 .facts = model_facts(*models[m].model.graph),
                                 .score = std::move(scores[m]),
                                 .latency = latencies.empty() ? std::nullopt : std::optional(latencies[m])});
  }
  return evaluation;
}

std::string to_json(const Evaluation& evaluation) {
  ordered_json skipped = ordered_json::array();
  for (const SkippedSample& sample : evaluation.skipped) {
    skipped.push_back({{"name", sample.name}, {"reason", sample.reason}});
  }
  ordered_json json{{"schema", 1},
                    {"images", evaluation.samples_path},
                    {"preprocess", evaluation.preprocess},
                    {"samples", evaluation.samples},
                    {"skipped", skipped},
                    {"threads", evaluation.threads}};
  json["models"] = ordered_json::array();
  for (const ModelEvaluation& model : evaluation.models) json["models"].push_back(json_of(model));
  json["warnings"] = evaluation.warnings;
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace press
