#include "press/pipeline/sweep_cell.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "json_values.h"

namespace press {
namespace {

using nlohmann::ordered_json;

template <typename T>
std::optional<T> optional_of(const ordered_json& json) {
  return json.is_null() ? std::nullopt : std::optional(json.get<T>());
}

ordered_json json_of(const Bars& bars) {
  if (bars.counts.empty()) return nullptr;
  return {{"lo", bars.lo}, {"hi", bars.hi}, {"counts", bars.counts}};
}

Bars bars_of(const ordered_json& json) {
  if (json.is_null()) return {};
  return {json.at("lo").get<double>(), json.at("hi").get<double>(),
          json.at("counts").get<std::vector<std::int64_t>>()};
}

ordered_json json_of(const SweepCell::Figures& figures) {
  return {{"bytes", figures.bytes},
          {"gzip_bytes", figures.gzip_bytes},
          {"zstd_bytes", figures.zstd_bytes},
          {"parameters", figures.parameters},
          {"weights", figures.weights},
          {"nonzero_weights", figures.nonzero_weights},
          {"multiply_accumulates", figures.macs},
          {"nodes", figures.nodes},
          {"peak_activation_bytes", figures.peak_bytes},
          {"samples", figures.samples},
          {"labelled", figures.labelled},
          {"top1_percent", or_null(figures.top1)},
          {"top5_percent", or_null(figures.top5)},
          {"agreement_percent", or_null(figures.agreement)},
          {"sqnr_db", or_null(figures.sqnr_db)},
          {"mean_absolute", figures.mean_absolute},
          {"cosine", figures.cosine}};
}

SweepCell::Figures figures_of(const ordered_json& json) {
  SweepCell::Figures figures;
  json.at("bytes").get_to(figures.bytes);
  json.at("gzip_bytes").get_to(figures.gzip_bytes);
  json.at("zstd_bytes").get_to(figures.zstd_bytes);
  json.at("parameters").get_to(figures.parameters);
  json.at("weights").get_to(figures.weights);
  json.at("nonzero_weights").get_to(figures.nonzero_weights);
  json.at("multiply_accumulates").get_to(figures.macs);
  json.at("nodes").get_to(figures.nodes);
  json.at("peak_activation_bytes").get_to(figures.peak_bytes);
  json.at("samples").get_to(figures.samples);
  json.at("labelled").get_to(figures.labelled);
  figures.top1 = optional_of<double>(json.at("top1_percent"));
  figures.top5 = optional_of<double>(json.at("top5_percent"));
  figures.agreement = optional_of<double>(json.at("agreement_percent"));
  figures.sqnr_db = optional_of<double>(json.at("sqnr_db"));
  json.at("mean_absolute").get_to(figures.mean_absolute);
  json.at("cosine").get_to(figures.cosine);
  return figures;
}

ordered_json json_of(const SweepCell::Layer& layer) {
  ordered_json json{
      {"name", layer.name},       {"operator", layer.op_type},          {"sqnr_db", or_null(layer.sqnr_db)},
      {"weights", layer.weights}, {"zero_weights", layer.zero_weights}, {"weight_bytes", layer.weight_bytes}};
  json["range"] = layer.range ? ordered_json{layer.range->first, layer.range->second} : ordered_json(nullptr);
  json["outputs"] = json_of(layer.outputs);
  json["original_weights"] = json_of(layer.original_weights);
  json["stored_weights"] = json_of(layer.stored_weights);
  return json;
}

SweepCell::Layer layer_of(const ordered_json& json) {
  SweepCell::Layer layer;
  json.at("name").get_to(layer.name);
  json.at("operator").get_to(layer.op_type);
  layer.sqnr_db = optional_of<double>(json.at("sqnr_db"));
  json.at("weights").get_to(layer.weights);
  json.at("zero_weights").get_to(layer.zero_weights);
  json.at("weight_bytes").get_to(layer.weight_bytes);
  if (const auto& range = json.at("range"); !range.is_null()) {
    layer.range = {range.at(0).get<double>(), range.at(1).get<double>()};
  }
  layer.outputs = bars_of(json.at("outputs"));
  layer.original_weights = bars_of(json.at("original_weights"));
  layer.stored_weights = bars_of(json.at("stored_weights"));
  return layer;
}

SweepCell cell_of(const ordered_json& json) {
  SweepCell cell;
  json.at("id").get_to(cell.id);
  json.at("model").get_to(cell.model);
  json.at("label").get_to(cell.label);
  json.at("original").get_to(cell.original);
  for (const auto& [key, value] : json.at("settings").items()) {
    cell.settings.emplace_back(key, value.get<std::string>());
  }
  json.at("recipe").get_to(cell.recipe);
  json.at("command").get_to(cell.command);
  json.at("error").get_to(cell.error);
  cell.figures = figures_of(json.at("figures"));
  for (const auto& step : json.at("steps")) {
    cell.steps.push_back({step.at("pass").get<std::string>(), step.at("rewrites").get<std::int64_t>(),
                          step.at("nodes_after").get<std::int64_t>(),
                          step.at("declined").get<std::int64_t>()});
  }
  json.at("calibration_samples").get_to(cell.calibration_samples);
  for (const auto& layer : json.at("layers")) cell.layers.push_back(layer_of(layer));
  json.at("warnings").get_to(cell.warnings);
  return cell;
}

SweepCell::Timing timing_of(const ordered_json& json) {
  SweepCell::Timing timing;
  Latency& latency = timing.latency;
  json.at("median_ms").get_to(latency.median_ms);
  json.at("p95_ms").get_to(latency.p95_ms);
  json.at("runs").get_to(latency.runs);
  json.at("batch").get_to(latency.batch);
  json.at("batch_median_ms").get_to(latency.batch_median_ms);
  json.at("batch_p95_ms").get_to(latency.batch_p95_ms);
  json.at("per_sample_ms").get_to(latency.per_sample_ms);
  json.at("reference_ms").get_to(timing.reference_ms);
  json.at("seconds").get_to(timing.seconds);
  json.at("threads").get_to(timing.threads);
  json.at("engine").get_to(timing.engine);
  json.at("machine").get_to(timing.machine);
  return timing;
}

std::string written(const ordered_json& json) {
  return json.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

template <typename T>
Result<T> read(std::string_view text, T (*convert)(const ordered_json&)) {
  try {
    const ordered_json json = ordered_json::parse(text);
    if (json.at("schema") != 1) return Error(ErrorCode::kInput, "it is of another schema than 1");
    return convert(json);
  } catch (const nlohmann::json::exception& exception) {
    return Error(ErrorCode::kInput, exception.what());
  }
}

}  // namespace

std::string to_json(const SweepCell& cell) {
  ordered_json json{{"schema", 1},
                    {"id", cell.id},
                    {"model", cell.model},
                    {"label", cell.label},
                    {"original", cell.original}};
  json["settings"] = ordered_json::object();
  for (const auto& [key, value] : cell.settings) json["settings"][key] = value;
  json["recipe"] = cell.recipe;
  json["command"] = cell.command;
  json["error"] = cell.error;
  json["figures"] = json_of(cell.figures);
  json["steps"] = ordered_json::array();
  for (const SweepCell::Step& step : cell.steps) {
    json["steps"].push_back({{"pass", step.pass},
                             {"rewrites", step.rewrites},
                             {"nodes_after", step.nodes_after},
                             {"declined", step.declined}});
  }
  json["calibration_samples"] = cell.calibration_samples;
  json["layers"] = ordered_json::array();
  for (const SweepCell::Layer& layer : cell.layers) json["layers"].push_back(json_of(layer));
  json["warnings"] = cell.warnings;
  return written(json);
}

std::string to_json(const SweepCell::Timing& timing) {
  const Latency& latency = timing.latency;
  return written({{"schema", 1},
                  {"median_ms", latency.median_ms},
                  {"p95_ms", latency.p95_ms},
                  {"runs", latency.runs},
                  {"batch", latency.batch},
                  {"batch_median_ms", latency.batch_median_ms},
                  {"batch_p95_ms", latency.batch_p95_ms},
                  {"per_sample_ms", latency.per_sample_ms},
                  {"reference_ms", timing.reference_ms},
                  {"seconds", timing.seconds},
                  {"threads", timing.threads},
                  {"engine", timing.engine},
                  {"machine", timing.machine}});
}

Result<SweepCell> sweep_cell_from_json(std::string_view text) {
  return read<SweepCell>(text, cell_of);
}

Result<SweepCell::Timing> sweep_timing_from_json(std::string_view text) {
  return read<SweepCell::Timing>(text, timing_of);
}

std::vector<SweepCell::Layer> kept_layers(const std::vector<LayerEvidence>& evidence, std::size_t drawn) {
  std::vector<std::pair<double, std::size_t>> worst;
  for (std::size_t i = 0; i < evidence.size(); ++i) {
    const double sqnr = evidence[i].output.sqnr_db();
    if (evidence[i].weights > 0 && std::isfinite(sqnr)) worst.emplace_back(sqnr, i);
  }
  std::sort(worst.begin(), worst.end());
  worst.resize(std::min(worst.size(), drawn));
  std::vector<SweepCell::Layer> layers;
  for (std::size_t i = 0; i < evidence.size(); ++i) {
    const LayerEvidence& from = evidence[i];
    SweepCell::Layer layer{.name = from.name, .op_type = from.op_type};
    const double sqnr = from.output.sqnr_db();
    if (std::isfinite(sqnr)) layer.sqnr_db = sqnr;
    layer.weights = from.weights;
    layer.zero_weights = from.zero_weights;
    layer.weight_bytes = from.weight_bytes;
    layer.range = from.range;
    const bool draw =
        std::any_of(worst.begin(), worst.end(), [&](const auto& entry) { return entry.second == i; });
    if (draw) {
      layer.outputs = from.original_outputs;
      layer.original_weights = from.original_weights;
      layer.stored_weights = from.stored_weights;
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

std::optional<double> quality(const SweepCell& cell) {
  if (cell.failed()) return std::nullopt;
  if (cell.figures.top1) return cell.figures.top1;
  if (cell.figures.agreement) return cell.figures.agreement;
  return cell.figures.sqnr_db;
}

std::vector<std::size_t> pareto_front(const std::vector<SweepCell>& cells, const std::string& model,
                                      std::optional<double> (*cost)(const SweepCell&)) {
  struct Point {
    double cost, quality;
    std::size_t index;
  };
  std::vector<Point> points;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto good = quality(cells[i]);
    const auto price = cost(cells[i]);
    if (cells[i].model == model && good && price) points.push_back({*price, *good, i});
  }
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
    return a.cost != b.cost         ? a.cost < b.cost
           : a.quality != b.quality ? a.quality > b.quality
                                    : a.index < b.index;
  });
  std::vector<std::size_t> front;
  double best = -std::numeric_limits<double>::infinity();
  for (const Point& point : points) {
    if (point.quality <= best) continue;
    best = point.quality;
    front.push_back(point.index);
  }
  return front;
}

}  // namespace press
