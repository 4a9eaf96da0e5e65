// The two forms of an OptimizeReport: JSON for programs, a few lines for people.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "press/pipeline/optimize.h"
#include "press/support/units.h"

namespace press {
namespace {

using nlohmann::ordered_json;
constexpr std::size_t kShownNotes = 3;

double sparsity(const ModelSize& size) {
  return size.weights == 0 ? 0 : static_cast<double>(size.zero_weights) / static_cast<double>(size.weights);
}

ordered_json json_of(const ModelSize& size) {
  return {{"bytes", size.bytes},     {"nodes", size.nodes},        {"parameters", size.parameters},
          {"weights", size.weights}, {"sparsity", sparsity(size)}, {"multiply_accumulates", size.macs}};
}

ordered_json json_of(const PassReport& pass) {
  ordered_json declined = ordered_json::array();
  for (const Declined& entry : pass.declined)
    declined.push_back({{"node", entry.node}, {"reason", entry.reason}});
  return {{"name", pass.name},         {"family", pass.family}, {"numerics", name(pass.numerics)},
          {"rewrites", pass.rewrites}, {"declined", declined},  {"notes", pass.notes},
          {"seconds", pass.seconds}};
}

ordered_json json_of(const CalibrationReport& calibration) {
  ordered_json skipped = ordered_json::array();
  for (const SkippedSample& sample : calibration.skipped) {
    skipped.push_back({{"name", sample.name}, {"reason", sample.reason}});
  }
  return {{"path", calibration.path},
          {"samples", calibration.samples},
          {"preprocess", calibration.preprocess},
          {"skipped", skipped},
          {"seconds", calibration.seconds}};
}

ordered_json json_of(const GoalReport& goal) {
  const auto number = [](const std::optional<double>& value) {
    return value ? ordered_json(*value) : ordered_json(nullptr);
  };
  ordered_json spared = ordered_json::array();
  for (const SparedLayer& layer : goal.spared)
    spared.push_back({{"layer", layer.name}, {"sqnr_db_alone", number(layer.sqnr_db)}});
  ordered_json attempts = ordered_json::array();
  for (const GoalAttempt& attempt : goal.attempts) {
    attempts.push_back({{"spared", attempt.spared},
                        {"bytes", attempt.bytes},
                        {"drop_points", number(attempt.drop)},
                        {"agreement_percent", number(attempt.agreement)}});
  }
  return {{"met", goal.met}, {"sentence", goal.sentence}, {"spared", spared}, {"attempts", attempts}};
}

/// "1.08 MB -> 0.29 MB (0.27)".
std::string change(const std::string& before, const std::string& after, std::int64_t from, std::int64_t to) {
  if (from == to) return before;
  if (from == 0) return fmt::format("{} -> {}", before, after);
  return fmt::format("{} -> {} ({:.3f})", before, after, static_cast<double>(to) / static_cast<double>(from));
}

}  // namespace

std::string to_json(const OptimizeReport& report) {
  ordered_json json{{"schema", 1}, {"before", json_of(report.before)}, {"after", json_of(report.after)}};
  json["passes"] = ordered_json::array();
  for (const PassReport& pass : report.passes) json["passes"].push_back(json_of(pass));
  json["calibration"] = report.calibration ? json_of(*report.calibration) : ordered_json(nullptr);
  if (report.goal) json["goal"] = json_of(*report.goal);
  if (!report.explanation.empty()) json["explanation"] = report.explanation;
  json["warnings"] = report.warnings;
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string summary(const OptimizeReport& report, bool verbose) {
  std::string text;
  for (const PassReport& pass : report.passes) {
    if (pass.rewrites == 0 && pass.declined.empty() && !verbose) continue;
    text += fmt::format("  {:<28} {:>6} {:<9} {}\n", pass.name, pass.rewrites,
                        pass.rewrites == 1 ? "rewrite" : "rewrites",
                        pass.declined.empty() ? "" : fmt::format("{} declined", pass.declined.size()));
    // A pass that has a lot to say sums it up in its last note.
    const std::size_t first_note = verbose || pass.notes.size() <= kShownNotes ? 0 : pass.notes.size() - 1;
    for (std::size_t i = first_note; i < pass.notes.size(); ++i)
      text += fmt::format("    {}\n", pass.notes[i]);
    if (!verbose) continue;
    for (const Declined& entry : pass.declined)
      text += fmt::format("    not {}: {}\n", entry.node, entry.reason);
  }
  if (report.calibration) {
    text += fmt::format("  calibrated on {} samples of '{}' in {}\n", report.calibration->samples,
                        report.calibration->path, human_seconds(report.calibration->seconds));
    if (!report.calibration->preprocess.empty())
      text += fmt::format("    {}\n", report.calibration->preprocess);
    for (const SkippedSample& sample : report.calibration->skipped) {
      text += fmt::format("    skipped '{}': {}\n", sample.name, sample.reason);
    }
  }
  if (report.goal) {
    text += fmt::format("  goal        {}\n", report.goal->sentence);
    for (const SparedLayer& layer : report.goal->spared) {
      text +=
          fmt::format("    {} stays wider: compressed alone, it leaves the output {}\n", layer.name,
                      layer.sqnr_db ? fmt::format("{:.1f} dB above its error", *layer.sqnr_db) : "as it is");
    }
  }
  const ModelSize& before = report.before;
  const ModelSize& after = report.after;
  text += fmt::format("  file        {}\n",
                      change(human_bytes(before.bytes), human_bytes(after.bytes), before.bytes, after.bytes));
  text +=
      fmt::format("  parameters  {}\n", change(human_count(before.parameters), human_count(after.parameters),
                                               before.parameters, after.parameters));
  text += fmt::format("  nodes       {}\n", change(std::to_string(before.nodes), std::to_string(after.nodes),
                                                   before.nodes, after.nodes));
  if (before.zero_weights != after.zero_weights) {
    text += fmt::format("  zeros       {:.1f} % -> {:.1f} % of the weights\n", 100 * sparsity(before),
                        100 * sparsity(after));
  }
  for (const std::string& line : report.explanation) text += fmt::format("  {}\n", line);
  return text;
}

}  // namespace press
