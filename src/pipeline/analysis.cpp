#include "press/pipeline/analysis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "batch_cache.h"
#include "charts.h"
#include "press/onnx/model_io.h"
#include "press/ops/operator.h"
#include "press/pipeline/calibration_store.h"
#include "press/pipeline/optimize.h"
#include "press/pipeline/sweep_cell.h"
#include "press/support/units.h"

namespace press {
namespace {

using nlohmann::ordered_json;

constexpr std::int64_t kLayerSamples = 32;
constexpr std::int64_t kMostCachedBytes = std::int64_t{1} << 30;

/// The original in the form that most compressed models have.
std::optional<Model> fused_form(const Model& model) {
  Model fused = clone(model);
  Recipe recipe;
  recipe.fuse = true;
  if (!optimize(fused, recipe, {}).ok()) return std::nullopt;
  return fused;
}

double finite_or(const std::optional<double>& value, double fallback) {
  return value.value_or(fallback);
}

class Bench {
 public:
  Bench(const NamedModel& model, const Recipe& recipe, const AnalysisOptions& options)
      : model_(model), recipe_(recipe), options_(options) {}

  Result<Sensitivity> run(const SampleOptions& samples, int worst) {
    PRESS_ASSIGN(BatchCache cache, BatchCache::open(samples, *model_.model.graph, kMostCachedBytes,
                                                    options_.threads, options_.progress));
    cache_ = &cache;
    Sensitivity result;
    PRESS_ASSIGN(result.original, evaluated(model_.model, "", ""));
    PRESS_ASSIGN(result.whole, outcome(recipe_, "", ""));
    PRESS_ASSIGN(const std::vector<const Node*> layers, linear_layers(result));
    const auto total = static_cast<std::int64_t>(layers.size()) + worst;
    std::int64_t done = 0;
    for (const Node* layer : layers) {
      PRESS_TRY(tell("trying layers: " + layer->name(), done++, total));
      Recipe only = recipe_;
      only.nodes.include = {exactly(layer->name())};
      PRESS_ASSIGN(Outcome alone, outcome(only, layer->name(), layer->op_type()));
      result.alone.push_back(std::move(alone));
    }
    std::vector<const Outcome*> ranked;
    for (const Outcome& alone : result.alone) ranked.push_back(&alone);
    std::stable_sort(ranked.begin(), ranked.end(), [](const Outcome* a, const Outcome* b) {
      const double infinite = std::numeric_limits<double>::infinity();
      return finite_or(a->sqnr_db, infinite) < finite_or(b->sqnr_db, infinite);
    });
    for (std::size_t i = 0; i < std::min(ranked.size(), static_cast<std::size_t>(worst)); ++i) {
      PRESS_TRY(tell("leaving layers out: " + ranked[i]->layer, done++, total));
      Recipe without = recipe_;
      without.nodes.exclude.push_back(exactly(ranked[i]->layer));
      PRESS_ASSIGN(Outcome left_out, outcome(without, ranked[i]->layer, ranked[i]->op_type));
      result.left_out.push_back(std::move(left_out));
    }
    return result;
  }

 private:
  /// Linear layers of the fused network with a constant weight, which the recipe's own selection may take.
  Result<std::vector<const Node*>> linear_layers(Sensitivity& result) {
    fused_ = fused_form(model_.model);
    const Graph& graph = fused_ ? *fused_->graph : *model_.model.graph;
    std::vector<const Node*> layers;
    for (const Node* node : graph.nodes()) {
      if (constant_weight(*node) == nullptr) continue;
      if (node->name().empty()) {
        result.unnamed.push_back(node->output()->name());
      } else {
        layers.push_back(node);
      }
    }
    if (layers.empty()) return Error(ErrorCode::kUnsupported, "the model has no linear layers with names");
    return layers;
  }

  Result<Outcome> outcome(const Recipe& recipe, const std::string& layer, const std::string& op_type) {
    Model model = clone(model_.model);
    OptimizeOptions options{.threads = options_.threads};
    options.calibrations = &calibrations_;
    if (auto report = optimize(model, recipe, options); !report.ok()) return std::move(report).error();
    return evaluated(model, layer, op_type);
  }

  Result<Outcome> evaluated(const Model& model, const std::string& layer, const std::string& op_type) {
    std::vector<EvaluatedModel> models{{model_.name, model_.model.graph.get()}, {layer, model.graph.get()}};
    if (!answers_.empty()) models[0].recorded = &answers_;
    EvaluateOptions options{.threads = options_.threads};
    if (answers_.empty()) options.record = &answers_;
    options.progress = [&](std::int64_t) { return tell(doing_, done_, total_); };
    PRESS_ASSIGN(const BatchSource source, cache_->source());
    PRESS_ASSIGN(const std::vector<ModelScore> scores, evaluate_models(models, source, options));
    const ModelScore& score = scores[1];
    Outcome outcome{.layer = layer, .op_type = op_type, .bytes = serialized_size(model)};
    outcome.top1 = score.top1_percent();
    outcome.agreement = score.agreement_percent();
    if (!score.differences.empty() && std::isfinite(score.differences.front().difference.sqnr_db())) {
      outcome.sqnr_db = score.differences.front().difference.sqnr_db();
    }
    return outcome;
  }

  Status tell(const std::string& doing, std::int64_t done, std::int64_t total) {
    doing_ = doing;
    done_ = done;
    total_ = total;
    return options_.progress ? options_.progress(doing, done, total) : Status();
  }

  const NamedModel& model_;
  const Recipe& recipe_;
  const AnalysisOptions& options_;
  std::optional<Model> fused_;
  BatchCache* cache_ = nullptr;
  CalibrationStore calibrations_;
  RecordedOutputs answers_;
  std::string doing_ = "running the model";
  std::int64_t done_ = 0;
  std::int64_t total_ = 0;
};

ordered_json json_of(const Outcome& outcome) {
  ordered_json json{{"layer", outcome.layer}, {"operator", outcome.op_type}, {"bytes", outcome.bytes}};
  json["top1_percent"] = outcome.top1 ? ordered_json(*outcome.top1) : ordered_json(nullptr);
  json["agreement_percent"] = outcome.agreement ? ordered_json(*outcome.agreement) : ordered_json(nullptr);
  json["sqnr_db"] = outcome.sqnr_db ? ordered_json(*outcome.sqnr_db) : ordered_json(nullptr);
  return json;
}

ordered_json json_of(const std::vector<Outcome>& outcomes) {
  ordered_json json = ordered_json::array();
  for (const Outcome& outcome : outcomes) json.push_back(json_of(outcome));
  return json;
}

}  // namespace

std::string exactly(const std::string& name) {
  std::string pattern = "^";
  for (const char c : name) {
    if (std::string_view("\\^$.|?*+()[]{}/").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern + "$";
}

Result<std::vector<LayerEvidence>> analyze_layers(const NamedModel& original, const NamedModel& compressed,
                                                  const SampleOptions& samples,
                                                  const AnalysisOptions& options) {
  SampleOptions few = samples;
  if (!few.limit) few.limit = kLayerSamples;
  PRESS_ASSIGN(const BatchCache cache, BatchCache::open(few, *original.model.graph, kMostCachedBytes,
                                                        options.threads, options.progress));
  const std::optional<Model> fused = fused_form(original.model);
  std::vector<const Graph*> originals{original.model.graph.get()};
  if (fused) originals.push_back(fused->graph.get());
  return compare_layers(originals, *compressed.model.graph, cache.first_batches());
}

Result<Sensitivity> analyze_sensitivity(const NamedModel& model, const Recipe& recipe,
                                        const SampleOptions& samples, int worst,
                                        const AnalysisOptions& options) {
  return Bench(model, recipe, options).run(samples, worst);
}

std::string advice(const Outcome& left_out, const Outcome& whole) {
  std::string gain;
  if (left_out.top1 && whole.top1) {
    gain = fmt::format("{:+.2f} points of top-1", *left_out.top1 - *whole.top1);
  } else if (left_out.agreement && whole.agreement) {
    gain = fmt::format("{:+.2f} points of agreement", *left_out.agreement - *whole.agreement);
  } else {
    gain = fmt::format("{:+.2f} dB", left_out.sqnr_db.value_or(0) - whole.sqnr_db.value_or(0));
  }
  const std::int64_t bytes = left_out.bytes - whole.bytes;
  return fmt::format("exclude '{}': {}, {}{}", left_out.layer, gain, bytes < 0 ? "-" : "+",
                     human_bytes(std::abs(bytes)));
}

std::string to_json(const std::vector<LayerEvidence>& layers) {
  ordered_json json{{"schema", 1}};
  SweepCell cell;
  cell.layers = kept_layers(layers, layers.size());
  json["layers"] = ordered_json::parse(to_json(cell)).at("layers");
  for (std::size_t i = 0; i < layers.size(); ++i) {
    json["layers"][i]["cosine"] = layers[i].output.cosine();
    json["layers"][i]["mean_absolute"] = layers[i].output.mean_absolute();
    json["layers"][i]["max_absolute"] = layers[i].output.max_absolute();
  }
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string to_json(const Sensitivity& sensitivity) {
  ordered_json json{{"schema", 1},
                    {"original", json_of(sensitivity.original)},
                    {"whole", json_of(sensitivity.whole)},
                    {"alone", json_of(sensitivity.alone)},
                    {"left_out", json_of(sensitivity.left_out)}};
  json["advice"] = ordered_json::array();
  for (const Outcome& outcome : sensitivity.left_out)
    json["advice"].push_back(advice(outcome, sensitivity.whole));
  json["unnamed"] = sensitivity.unnamed;
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::vector<std::pair<std::string, std::string>> layer_pictures(const std::vector<LayerEvidence>& layers,
                                                                std::size_t worst) {
  std::vector<Bar> bars;
  std::vector<const LayerEvidence*> ranked;
  for (const LayerEvidence& layer : layers) {
    if (layer.weights == 0) continue;
    const double sqnr = layer.output.sqnr_db();
    std::optional<double> value;
    if (std::isfinite(sqnr)) value = sqnr;
    bars.push_back({layer.name, value, value ? fmt::format("{:.1f}", sqnr) : "equal"});
    ranked.push_back(&layer);
  }
  std::vector<std::pair<std::string, std::string>> pictures;
  if (bars.empty()) return pictures;
  pictures.emplace_back("layers", standalone(bar_chart("SQNR of each layer's output in dB", bars)));
  std::stable_sort(ranked.begin(), ranked.end(), [](const LayerEvidence* a, const LayerEvidence* b) {
    return a->output.sqnr_db() < b->output.sqnr_db();
  });
  for (std::size_t i = 0; i < std::min(worst, ranked.size()); ++i) {
    const LayerEvidence& layer = *ranked[i];
    const bool before = !layer.original_weights.counts.empty();
    pictures.emplace_back(fmt::format("outputs-{}", i + 1),
                          standalone(histogram_chart("Outputs of " + layer.name, layer.original_outputs,
                                                     nullptr, layer.range)));
    pictures.emplace_back(
        fmt::format("weights-{}", i + 1),
        standalone(histogram_chart("Weights of " + layer.name,
                                   before ? layer.original_weights : layer.stored_weights,
                                   before ? &layer.stored_weights : nullptr, std::nullopt)));
  }
  return pictures;
}

}  // namespace press
