#include "press/pipeline/gates.h"

#include <fmt/format.h>

#include <cmath>

#include "press/support/text.h"
#include "press/support/units.h"

namespace press {
namespace {

using Figure = std::optional<double>;

Figure drop(const ModelEvaluation& model, const ModelEvaluation& first) {
  const Figure now = model.score.top1_percent();
  const Figure before = first.score.top1_percent();
  if (!now || !before) return std::nullopt;
  return *before - *now;
}

Figure size_ratio(const ModelEvaluation& model, const ModelEvaluation& first) {
  if (first.bytes <= 0) return std::nullopt;
  return static_cast<double>(model.bytes) / static_cast<double>(first.bytes);
}

Figure latency_ratio(const ModelEvaluation& model, const ModelEvaluation& first) {
  if (!model.latency || !first.latency || first.latency->median_ms <= 0) return std::nullopt;
  return model.latency->median_ms / first.latency->median_ms;
}

constexpr std::string_view kNoLabels = "the samples have no labels, or the model has no classes";
constexpr std::string_view kNoTime = "no time was measured";

constexpr GateKind kGates[] = {
    {"min-top1", "top-1", "%", true, false, "least top-1 accuracy in percent", kNoLabels,
     [](const ModelEvaluation& model, const ModelEvaluation&) { return model.score.top1_percent(); }},
    {"min-top5", "top-5", "%", true, false, "least top-5 accuracy in percent", kNoLabels,
     [](const ModelEvaluation& model, const ModelEvaluation&) { return model.score.top5_percent(); }},
    {"max-drop", "drop of top-1", "points", false, false,
     "most points of top-1 that may be lost against the first model", kNoLabels, drop},
    {"min-agreement", "agreement", "%", true, false,
     "least share of samples, in percent, with the same best class as the first model",
     "the model has no classes",
     [](const ModelEvaluation& model, const ModelEvaluation&) { return model.score.agreement_percent(); }},
    {"min-sqnr", "SQNR of the first output", "dB", true, false,
     "least signal to quantization noise of the first output against the first model's, in dB",
     "the model has no outputs",
     [](const ModelEvaluation& model, const ModelEvaluation&) -> Figure {
       if (model.score.differences.empty()) return std::nullopt;
       return model.score.differences.front().difference.sqnr_db();
     }},
    {"max-size", "size", "bytes", false, false, "most bytes of the file: 1200000, 1.2MB, 1.1MiB", "",
     [](const ModelEvaluation& model, const ModelEvaluation&) -> Figure {
       return static_cast<double>(model.bytes);
     }},
    {"max-size-ratio", "size ratio", "", false, false,
     "most bytes of the file as a share of the first model's: 0.3", "the first model has no size",
     size_ratio},
    {"max-latency", "latency", "ms", false, true, "most milliseconds for one sample (median at batch 1)",
     kNoTime,
     [](const ModelEvaluation& model, const ModelEvaluation&) -> Figure {
       if (!model.latency) return std::nullopt;
       return model.latency->median_ms;
     }},
    {"max-latency-ratio", "latency ratio", "", false, true,
     "most time for one sample as a share of the first model's, both measured in turn: 0.6", kNoTime,
     latency_ratio},
};

std::string number(const GateKind& kind, double value) {
  if (kind.unit == "bytes") return human_bytes(std::llround(value));
  if (kind.unit == "%") return fmt::format("{:.2f} %", value);
  if (kind.unit == "dB" && std::isinf(value)) return "infinite";
  const int digits = kind.unit == "points" || kind.unit == "dB" ? 2 : 3;
  return fmt::format("{:.{}f}{}{}", value, digits, kind.unit.empty() ? "" : " ", kind.unit);
}

GateOutcome check(const GateLimit& gate, const ModelEvaluation& model, const ModelEvaluation& first) {
  const GateKind& kind = *gate.kind;
  GateOutcome outcome{.model = model.name,
                      .gate = std::string(kind.name),
                      .limit = gate.limit,
                      .found = kind.found(model, first)};
  if (!outcome.found) {
    outcome.sentence =
        fmt::format("{}: {} is not known: {}", quoted_path(model.name), kind.what, kind.unknown);
    return outcome;
  }
  const double beyond = kind.at_least ? gate.limit - *outcome.found : *outcome.found - gate.limit;
  outcome.passed = beyond <= 0;
  outcome.sentence = fmt::format("{}: {} is {}, {} {}{}", quoted_path(model.name), kind.what,
                                 number(kind, *outcome.found), kind.at_least ? "at least" : "at most",
                                 number(kind, gate.limit), outcome.passed ? " as asked" : " is asked");
  if (!outcome.passed) outcome.sentence += fmt::format(": missed by {}", number(kind, beyond));
  return outcome;
}

}  // namespace

std::span<const GateKind> all_gates() {
  return kGates;
}

std::vector<GateOutcome> check_gates(const Evaluation& evaluation, std::span<const GateLimit> limits) {
  std::vector<GateOutcome> outcomes;
  const std::vector<ModelEvaluation>& models = evaluation.models;
  for (std::size_t m = models.size() > 1 ? 1 : 0; m < models.size(); ++m) {
    for (const GateLimit& limit : limits) outcomes.push_back(check(limit, models[m], models.front()));
  }
  return outcomes;
}

}  // namespace press
