// compress evaluate: accuracy, size and speed of models side by side.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <limits>
#include <map>

#include "engine_flags.h"
#include "evaluation_flow.h"
#include "press/pipeline/gates.h"
#include "press/support/units.h"
#include "table.h"
#include "verb.h"

namespace press {
namespace {

std::string percent(const std::optional<double>& value) {
  return value ? fmt::format("{:.2f}", *value) : "-";
}

std::string evaluation_table(const Evaluation& evaluation) {
  using enum Table::Align;
  Table table({{"model", kLeft, 28},
               {"file", kRight},
               {"ratio", kRight},
               {"top-1 %", kRight},
               {"diff", kRight},
               {"top-5 %", kRight},
               {"agree %", kRight},
               {"gzip", kRight},
               {"params", kRight},
               {"zeros %", kRight},
               {"MACs", kRight},
               {"ms", kRight},
               {"p95", kRight},
               {"images/s", kRight}});
  const ModelEvaluation& first = evaluation.models.front();
  for (const ModelEvaluation& model : evaluation.models) {
    const auto top1 = model.score.top1_percent();
    const auto first_top1 = first.score.top1_percent();
    table.add_row({model.name, human_bytes(model.bytes),
                   fmt::format("{:.3f}", static_cast<double>(model.bytes) /
                                             static_cast<double>(std::max<std::int64_t>(1, first.bytes))),
                   percent(top1),
                   &model != &first && top1 && first_top1 ? fmt::format("{:+.2f}", *top1 - *first_top1) : "",
                   percent(model.score.top5_percent()), percent(model.score.agreement_percent()),
                   model.packed ? human_bytes(model.packed->gzip) : "-", human_count(model.facts.parameters),
                   fmt::format("{:.1f}", 100 * model.facts.sparsity()), human_count(model.facts.macs),
                   model.latency ? fmt::format("{:.3f}", model.latency->median_ms) : "-",
                   model.latency ? fmt::format("{:.3f}", model.latency->p95_ms) : "-",
                   model.latency ? fmt::format("{:.0f}", model.latency->samples_per_second()) : "-"});
  }
  return table.text();
}

/// What the columns stand on.
std::string footnote(const Evaluation& evaluation) {
  const ModelEvaluation& first = evaluation.models.front();
  std::string text = fmt::format("{} samples", evaluation.samples);
  if (first.score.labelled < evaluation.samples)
    text += fmt::format(", {} with labels", first.score.labelled);
  if (first.latency) {
    text += fmt::format("; ms and p95: one image at a time; images/s: batch {}; {}, {} thread{}",
                        first.latency->batch, evaluation.engine, evaluation.threads,
                        evaluation.threads == 1 ? "" : "s");
  }
  return text;
}

/// A line for each label that came up: how many, how many were hit, and what the others were taken for.
std::string class_table(const Evaluation& evaluation) {
  using enum Table::Align;
  Table table({{"model", kLeft, 28},
               {"label", kRight},
               {"samples", kRight},
               {"top-1 %", kRight},
               {"top-5 %", kRight},
               {"precision %", kRight},
               {"mostly taken for", kLeft}});
  const auto share = [](std::int64_t part, std::int64_t whole) {
    return whole == 0 ? std::string("-")
                      : fmt::format("{:.2f}", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
  };
  for (const ModelEvaluation& model : evaluation.models) {
    const auto& confusion = model.score.confusion;
    for (std::size_t c = 0; c < model.score.per_class.size(); ++c) {
      const ClassScore& score = model.score.per_class[c];
      if (score.labelled == 0) continue;
      const auto label = static_cast<std::int64_t>(c);
      std::int64_t answered = 0, mistaken = 0, other = -1;
      for (const auto& [pair, samples] : confusion) {
        if (pair.second == label) answered += samples;
        if (pair.first != label || pair.second == label || samples <= mistaken) continue;
        mistaken = samples;
        other = pair.second;
      }
      table.add_row({model.name, std::to_string(c), std::to_string(score.labelled),
                     share(score.top1, score.labelled), share(score.top5, score.labelled),
                     share(score.top1, answered),
                     mistaken == 0 ? "" : fmt::format("{} ({})", other, mistaken)});
    }
  }
  return table.text();
}

/// Rows are labels, columns best classes; for networks of few classes.
std::string confusion_matrix(const ModelEvaluation& model) {
  using enum Table::Align;
  std::vector<Table::Column> columns{{"label", kRight}};
  for (std::int64_t c = 0; c < model.score.classes; ++c) columns.push_back({std::to_string(c), kRight});
  Table table(columns);
  for (std::int64_t label = 0; label < model.score.classes; ++label) {
    std::vector<std::string> row;
    row.reserve(columns.size());
    row.push_back(std::to_string(label));
    for (std::int64_t c = 0; c < model.score.classes; ++c) {
      const auto found = model.score.confusion.find({label, c});
      row.push_back(found == model.score.confusion.end() ? "." : std::to_string(found->second));
    }
    table.add_row(std::move(row));
  }
  return model.name + "\n" + table.text(2);
}

/// The limits as flags, --min-top1 and so on.
class GateFlags {
 public:
  void add(CLI::App& app) {
    given_.resize(all_gates().size());
    for (std::size_t i = 0; i < all_gates().size(); ++i) {
      const GateKind& kind = all_gates()[i];
      app.add_option("--" + std::string(kind.name), given_[i],
                     std::string(kind.help) + "; exit code 5 where it is missed")
          ->type_name(kind.unit == "bytes" ? "BYTES" : "NUMBER")
          ->default_str("none")
          ->group("Limits for scripts");
    }
  }

  Result<std::vector<GateLimit>> limits() const {
    std::vector<GateLimit> limits;
    for (std::size_t i = 0; i < given_.size(); ++i) {
      if (given_[i].empty()) continue;
      const GateKind& kind = all_gates()[i];
      if (kind.unit == "bytes") {
        const auto bytes = parse_bytes(given_[i]);
        if (!bytes) {
          return Error(
              ErrorCode::kUsage,
              fmt::format("--{}: '{}' is no number of bytes; write 1200000 or 1.2MB", kind.name, given_[i]));
        }
        limits.push_back({&kind, static_cast<double>(*bytes)});
        continue;
      }
      PRESS_ASSIGN(const double limit, parse_number(given_[i]).with_context("--" + std::string(kind.name)));
      limits.push_back({&kind, limit});
    }
    return limits;
  }

 private:
  std::vector<std::string> given_;
};

/// Where the time of a batch goes: by operators, most first, and by node in execution order.
std::string profile_tables(const ModelEvaluation& model) {
  using Align = Table::Align;
  const std::vector<StepLatency>& steps = model.latency->steps;
  std::map<std::string, std::pair<int, double>> sums;
  double total = 0;
  for (const StepLatency& step : steps) {
    auto& [count, milliseconds] = sums[step.operators];
    ++count;
    milliseconds += step.mean_ms;
    total += step.mean_ms;
  }
  std::vector<std::pair<std::string, std::pair<int, double>>> sorted(sums.begin(), sums.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.second > b.second.second; });
  const auto share = [&](double milliseconds) {
    return fmt::format("{:.1f}", total > 0 ? 100 * milliseconds / total : 0.0);
  };
  Table operators({{model.name}, {"steps", Align::kRight}, {"ms", Align::kRight}, {"%", Align::kRight}});
  for (const auto& [name, sum] : sorted) {
    operators.add_row(
        {name, std::to_string(sum.first), fmt::format("{:.3f}", sum.second), share(sum.second)});
  }
  Table nodes({{"node"}, {"operators"}, {"ms", Align::kRight}, {"%", Align::kRight}});
  for (const StepLatency& step : steps) {
    nodes.add_row({step.node, step.operators, fmt::format("{:.3f}", step.mean_ms), share(step.mean_ms)});
  }
  return operators.text() + "\n" + nodes.text();
}

class EvaluateVerb : public Verb {
 public:
  std::string_view name() const override { return "evaluate"; }
  std::string_view summary() const override {
    return "accuracy, size and speed of models on labelled images";
  }
  std::string_view description() const override {
    return "Runs one or more models over the same samples, which are decoded once, and prints a line for "
           "each: size of the file, plain and packed, top-1 accuracy, difference to and agreement with the "
           "first model, parameters, zeros among the weights, multiply-accumulates and time. Labels are the "
           "sub-folders of PATH, or stand in a CSV or label file. Limits make it a check for scripts: a "
           "missed "
           "one ends with exit code 5 and a sentence that says by how much. They hold for every model but "
           "the "
           "first, or for the only one.";
  }
  std::string_view examples() const override {
    return "compress evaluate model.onnx small.onnx --images test/ --preprocess imagenet --json report.json\n"
           "compress evaluate model.onnx small.onnx --images test/ --max-drop 0.5 --max-size 1.2MB --junit "
           "ci.xml";
  }

  void declare(CLI::App& app) override {
    flow_.declare(app, "ONNX models; the first one is the reference");
    csv_.add(app, "--csv", "write a line for each model, separated by commas");
    markdown_.add(app, "--markdown", "write a table for a comment on a change");
    junit_.add(app, "--junit", "write limits as test cases for build servers");
    app.add_flag("--per-class", per_class_, "print accuracy and precision of each class")->group(kMainGroup);
    app.add_flag("--confusion", confusion_, "print which class was taken for which")->group(kMainGroup);
    app.add_flag("--timing,!--no-timing", timing_, "measure time")->default_str("true")->group(kTimeGroup);
    app.add_flag("--profile", profile_, "print the time of each operator and node")->group(kTimeGroup);
    app.add_flag("--packed,!--no-packed", packed_, "measure what gzip and zstd make of the files")
        ->default_str("true")
        ->group(kMainGroup);
    app.add_option("--warm-up", warm_up_, "runs before the clock starts")
        ->check(CLI::Range(0, 1'000'000))
        ->type_name("N")
        ->default_str("3")
        ->group(kTimeGroup);
    app.add_option("--rounds", rounds_, "timed runs of each model, one in turn with the others")
        ->check(CLI::Range(1, 1'000'000))
        ->type_name("N")
        ->default_str("50, within 2 seconds a model")
        ->group(kTimeGroup);
    engine_.add(app, kTimeGroup);
    gates_.add(app);
  }

  Status run(Console& console) override {
    PRESS_ASSIGN(const std::vector<GateLimit> limits, gates_.limits());
    PRESS_TRY(check(limits));
    EvaluationOptions options{.latency = timing_, .profile = profile_, .packed = packed_};
    options.timing.warm_up = warm_up_;
    if (rounds_ > 0) {
      options.timing.rounds = rounds_;
      options.timing.max_seconds = std::numeric_limits<double>::infinity();
    }
    PRESS_ASSIGN(options.onnxruntime, engine_.load());
    PRESS_ASSIGN(Evaluation evaluation, flow_.run(options, console));
    evaluation.gates = check_gates(evaluation, limits);
    PRESS_TRY(write(evaluation));
    explain(evaluation, console);
    if (!prints_data()) PRESS_TRY(print(evaluation, console));
    return judge(evaluation);
  }

 private:
  static constexpr const char* kTimeGroup = "Time";

  Status check(const std::vector<GateLimit>& limits) const {
    int to_stdout = 0;
    for (const TextTarget* target : targets()) {
      PRESS_TRY(target->check());
      to_stdout += target->to_stdout() ? 1 : 0;
    }
    if (to_stdout > 1) {
      return Error(ErrorCode::kUsage, "several reports would go to standard output; give all but one a file");
    }
    if (profile_ && (!timing_ || engine_.engine != "compress")) {
      return Error(
          ErrorCode::kUsage,
          "--profile tells where our own runtime's time goes: not with --no-timing or another --engine");
    }
    for (const GateLimit& limit : limits) {
      if (!limit.kind->needs_latency || timing_) continue;
      return Error(ErrorCode::kUsage,
                   fmt::format("--{} and --no-timing exclude each other", limit.kind->name));
    }
    return {};
  }

  std::array<const TextTarget*, 4> targets() const { return {&flow_.json, &csv_, &markdown_, &junit_}; }
  bool prints_data() const {
    const auto all = targets();
    return std::any_of(all.begin(), all.end(), [](const TextTarget* target) { return target->to_stdout(); });
  }

  Status write(const Evaluation& evaluation) const {
    if (flow_.json.wanted()) PRESS_TRY(flow_.json.write(to_json(evaluation)));
    if (csv_.wanted()) PRESS_TRY(csv_.write(to_csv(evaluation)));
    if (markdown_.wanted()) PRESS_TRY(markdown_.write(to_markdown(evaluation)));
    if (junit_.wanted()) PRESS_TRY(junit_.write(to_junit(evaluation)));
    return {};
  }

  static void explain(const Evaluation& evaluation, Console& console) {
    for (const ModelEvaluation& model : evaluation.models) {
      if (model.score.classifies) continue;
      console.warn(fmt::format(
          "'{}' has no output with one row of class scores a sample, so there is no accuracy to tell; "
          "compress compare shows how its outputs differ",
          model.name));
    }
    const bool labelled = evaluation.models.front().score.labelled > 0;
    if (evaluation.models.front().score.classifies && !labelled) {
      console.warn("the samples have no labels, so there is no accuracy to tell, only agreement");
    }
  }

  Status print(const Evaluation& evaluation, Console& console) const {
    PRESS_TRY(Console::print(evaluation_table(evaluation)));
    if (per_class_) PRESS_TRY(Console::print("\n" + class_table(evaluation)));
    if (confusion_) {
      for (const ModelEvaluation& model : evaluation.models) {
        PRESS_TRY(Console::print("\n" + confusion_matrix(model)));
      }
    }
    if (profile_) {
      for (const ModelEvaluation& model : evaluation.models)
        PRESS_TRY(Console::print("\n" + profile_tables(model)));
    }
    console.say(footnote(evaluation));
    for (const GateOutcome& gate : evaluation.gates) {
      if (gate.passed) console.say("kept: " + gate.sentence);
    }
    return {};
  }

  /// kTargetMissed with every limit that was missed.
  static Status judge(const Evaluation& evaluation) {
    std::string missed;
    for (const GateOutcome& gate : evaluation.gates) {
      if (!gate.passed) missed += (missed.empty() ? "" : "; ") + gate.sentence;
    }
    if (missed.empty()) return {};
    return Error(ErrorCode::kTargetMissed, missed);
  }

  EvaluationFlow flow_;
  TextTarget csv_, markdown_, junit_;
  GateFlags gates_;
  bool timing_ = true;
  bool packed_ = true;
  bool profile_ = false;
  bool per_class_ = false;
  bool confusion_ = false;
  int warm_up_ = 3;
  int rounds_ = 0;
  EngineFlags engine_;
};

}  // namespace

std::unique_ptr<Verb> make_evaluate() {
  return std::make_unique<EvaluateVerb>();
}

}  // namespace press
