// The reports of an evaluation: JSON, CSV, Markdown, JUnit.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "csv.h"
#include "json_values.h"
#include "press/pipeline/evaluation.h"
#include "press/support/units.h"
#include "xml.h"

namespace press {
namespace {

using nlohmann::ordered_json;

ordered_json json_of(const Latency& latency) {
  ordered_json steps = ordered_json::array();
  for (const StepLatency& step : latency.steps) {
    steps.push_back({{"operators", step.operators}, {"node", step.node}, {"mean_ms", step.mean_ms}});
  }
  return {{"median_ms", latency.median_ms},
          {"p95_ms", latency.p95_ms},
          {"runs", latency.runs},
          {"batch", latency.batch},
          {"batch_median_ms", latency.batch_median_ms},
          {"batch_p95_ms", latency.batch_p95_ms},
          {"per_sample_ms", latency.per_sample_ms},
          {"samples_per_second", latency.samples_per_second()},
          {"steps", steps}};
}

/// Rows are labels: {"label", "labelled", "top1_count", "top5_count", "answers": {best class: samples}}.
ordered_json classes_of(const ModelScore& score) {
  ordered_json classes = ordered_json::array();
  for (std::size_t c = 0; c < score.per_class.size(); ++c) {
    const ClassScore& of_class = score.per_class[c];
    if (of_class.labelled == 0) continue;
    classes.push_back({{"label", c},
                       {"labelled", of_class.labelled},
                       {"top1_count", of_class.top1},
                       {"top5_count", of_class.top5},
                       {"answers", ordered_json::object()}});
    const auto label = static_cast<std::int64_t>(c);
    for (auto pair = score.confusion.lower_bound({label, INT64_MIN});
         pair != score.confusion.end() && pair->first.first == label; ++pair) {
      classes.back()["answers"][std::to_string(pair->first.second)] = pair->second;
    }
  }
  return classes;
}

ordered_json json_of(const ModelEvaluation& model) {
  ordered_json json{{"name", model.name},
                    {"bytes", model.bytes},
                    {"gzip_bytes", model.packed ? ordered_json(model.packed->gzip) : ordered_json(nullptr)},
                    {"zstd_bytes", model.packed ? ordered_json(model.packed->zstd) : ordered_json(nullptr)},
                    {"parameters", model.facts.parameters},
                    {"weights", model.facts.weights},
                    {"nonzero_weights", model.facts.weights - model.facts.zero_weights},
                    {"sparsity", model.facts.sparsity()},
                    {"multiply_accumulates", model.facts.macs},
                    {"peak_activation_bytes", or_null(model.peak_bytes)},
                    {"samples", model.score.samples},
                    {"labelled", model.score.labelled},
                    {"classes", model.score.classes}};
  json["top1_count"] = model.score.top1;
  json["top1_percent"] = or_null(model.score.top1_percent());
  json["top5_count"] = model.score.top5;
  json["top5_percent"] = or_null(model.score.top5_percent());
  json["agreement_percent"] = or_null(model.score.agreement_percent());
  json["per_class"] = classes_of(model.score);
  json["outputs"] = ordered_json::array();
  for (const OutputDifference& output : model.score.differences) {
    const Difference& difference = output.difference;
    json["outputs"].push_back({{"name", output.name},
                               {"elements", difference.count()},
                               {"not_finite", difference.non_finite()},
                               {"sqnr_db", difference.sqnr_db()},
                               {"cosine", difference.cosine()},
                               {"mean_absolute", difference.mean_absolute()},
                               {"max_absolute", difference.max_absolute()},
                               {"max_relative", difference.max_relative()}});
  }
  json["latency"] = model.latency ? json_of(*model.latency) : ordered_json(nullptr);
  return json;
}

ordered_json json_of(const GateOutcome& gate) {
  return {{"model", gate.model},          {"gate", gate.gate},     {"limit", gate.limit},
          {"found", or_null(gate.found)}, {"passed", gate.passed}, {"sentence", gate.sentence}};
}

std::string percent(const std::optional<double>& value) {
  return value ? fmt::format("{:.2f} %", *value) : "-";
}

const Difference* first_difference(const ModelEvaluation& model) {
  return model.score.differences.empty() ? nullptr : &model.score.differences.front().difference;
}

/// A cell of a Markdown table.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

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
                    {"engine", evaluation.engine},
                    {"threads", evaluation.threads}};
  json["models"] = ordered_json::array();
  for (const ModelEvaluation& model : evaluation.models) json["models"].push_back(json_of(model));
  json["gates"] = ordered_json::array();
  for (const GateOutcome& gate : evaluation.gates) json["gates"].push_back(json_of(gate));
  json["warnings"] = evaluation.warnings;
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string to_csv(const Evaluation& evaluation) {
  std::string text =
      "model,bytes,gzip_bytes,zstd_bytes,parameters,weights,nonzero_weights,multiply_accumulates,"
      "peak_activation_bytes,samples,labelled,top1_percent,top5_percent,agreement_percent,sqnr_db,"
      "mean_absolute,cosine,median_ms,p95_ms,batch,per_sample_ms,samples_per_second\n";
  for (const ModelEvaluation& model : evaluation.models) {
    const ModelFacts& facts = model.facts;
    text +=
        fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},", csv_field(model.name), model.bytes,
                    model.packed ? std::to_string(model.packed->gzip) : "",
                    model.packed ? std::to_string(model.packed->zstd) : "", facts.parameters, facts.weights,
                    facts.weights - facts.zero_weights, facts.macs, csv_field(model.peak_bytes),
                    model.score.samples, model.score.labelled, csv_field(model.score.top1_percent()),
                    csv_field(model.score.top5_percent()), csv_field(model.score.agreement_percent()));
    const Difference* difference = first_difference(model);
    if (difference != nullptr) {
      const double sqnr = difference->sqnr_db();
      text += fmt::format("{},{},{},", std::isinf(sqnr) ? "" : fmt::format("{}", sqnr),
                          difference->mean_absolute(), difference->cosine());
    } else {
      text += ",,,";
    }
    if (model.latency) {
      const Latency& latency = *model.latency;
      text += fmt::format("{},{},{},{},{}\n", latency.median_ms, latency.p95_ms, latency.batch,
                          latency.per_sample_ms, latency.samples_per_second());
    } else {
      text += ",,,,\n";
    }
  }
  return text;
}

std::string to_markdown(const Evaluation& evaluation) {
  std::string text =
      "| model | file | ratio | gzip | top-1 | difference | top-5 | agreement | zeros | MACs | ms/sample | "
      "p95 |\n"
      "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
  const ModelEvaluation& first = evaluation.models.front();
  for (const ModelEvaluation& model : evaluation.models) {
    const auto top1 = model.score.top1_percent();
    const auto first_top1 = first.score.top1_percent();
    const bool compared = &model != &first && top1 && first_top1;
    text += fmt::format(
        "| {} | {} | {:.3f} | {} | {} | {} | {} | {} | {:.1f} % | {} | {} | {} |\n", cell(model.name),
        human_bytes(model.bytes),
        static_cast<double>(model.bytes) / static_cast<double>(std::max<std::int64_t>(first.bytes, 1)),
        model.packed ? human_bytes(model.packed->gzip) : "-", percent(top1),
        compared ? fmt::format("{:+.2f}", *top1 - *first_top1) : "", percent(model.score.top5_percent()),
        percent(model.score.agreement_percent()), 100 * model.facts.sparsity(), human_count(model.facts.macs),
        model.latency ? fmt::format("{:.3f}", model.latency->median_ms) : "-",
        model.latency ? fmt::format("{:.3f}", model.latency->p95_ms) : "-");
  }
  text += fmt::format("\n{} samples of `{}`, run by {}, {} thread{}.\n", evaluation.samples,
                      evaluation.samples_path, evaluation.engine, evaluation.threads,
                      evaluation.threads == 1 ? "" : "s");
  if (!evaluation.gates.empty()) text += '\n';
  for (const GateOutcome& gate : evaluation.gates) {
    text += fmt::format("- {} {}\n", gate.passed ? "passed:" : "**missed:**", gate.sentence);
  }
  return text;
}

std::string to_junit(const Evaluation& evaluation) {
  std::string cases;
  std::size_t count = 0, failures = 0;
  for (const GateOutcome& gate : evaluation.gates) {
    ++count;
    const std::string opening = fmt::format("    <testcase classname=\"{}\" name=\"{} {}\" time=\"0\"",
                                            xml_escaped(gate.model), gate.gate, gate.limit);
    if (gate.passed) {
      cases += opening + "/>\n";
    } else {
      ++failures;
      cases += fmt::format("{}>\n      <failure type=\"limit\" message=\"{}\"/>\n    </testcase>\n", opening,
                           xml_escaped(gate.sentence));
    }
  }
  if (evaluation.gates.empty()) {
    for (const ModelEvaluation& model : evaluation.models) {
      ++count;
      cases += fmt::format("    <testcase classname=\"{}\" name=\"evaluated\" time=\"0\"/>\n",
                           xml_escaped(model.name));
    }
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites>\n"
      "  <testsuite name=\"compress evaluate\" tests=\"{0}\" failures=\"{1}\" errors=\"0\" skipped=\"0\" "
      "time=\"0\">\n{2}  </testsuite>\n</testsuites>\n",
      count, failures, cases);
}

}  // namespace press
