// compress evaluate: accuracy, size and speed of models side by side.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "evaluation_flow.h"
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
               {"agree %", kRight},
               {"params", kRight},
               {"zeros %", kRight},
               {"MACs", kRight},
               {"ms/image", kRight}});
  const ModelEvaluation& first = evaluation.models.front();
  for (const ModelEvaluation& model : evaluation.models) {
    const auto top1 = model.score.top1_percent();
    const auto first_top1 = first.score.top1_percent();
    table.add_row({model.name, human_bytes(model.bytes),
                   fmt::format("{:.3f}", static_cast<double>(model.bytes) /
                                             static_cast<double>(std::max<std::int64_t>(1, first.bytes))),
                   percent(top1),
                   &model != &first && top1 && first_top1 ? fmt::format("{:+.2f}", *top1 - *first_top1) : "",
                   percent(model.score.agreement_percent()), human_count(model.facts.parameters),
                   fmt::format("{:.1f}", 100 * model.facts.sparsity()), human_count(model.facts.macs),
                   model.latency ? fmt::format("{:.3f}", model.latency->per_sample_ms) : "-"});
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
    text += fmt::format("; ms/image: median at batch {}, {} thread{}", first.latency->batch,
                        evaluation.threads, evaluation.threads == 1 ? "" : "s");
  }
  return text;
}

class EvaluateVerb : public Verb {
 public:
  std::string_view name() const override { return "evaluate"; }
  std::string_view summary() const override {
    return "accuracy, size and speed of models on labelled images";
  }
  std::string_view description() const override {
    return "Runs one or more models over the same samples, which are decoded once, and prints a line for "
           "each: size of the "
           "file, top-1 accuracy, difference to and agreement with the first model, parameters, zeros among "
           "the weights, "
           "multiply-accumulates and milliseconds an image. Labels are the sub-folders of PATH, or stand in "
           "a CSV or "
           "label file.";
  }
  std::string_view examples() const override {
    return "compress evaluate model.onnx small.onnx --images test/ --preprocess imagenet --json report.json";
  }

  void declare(CLI::App& app) override {
    flow_.declare(app, "ONNX models; the first one is the reference");
    app.add_flag("--timing,!--no-timing", timing_, "measure milliseconds an image")
        ->default_str("true")
        ->group(kMainGroup);
  }

  Status run(Console& console) override {
    PRESS_ASSIGN(const Evaluation evaluation, flow_.run(timing_, console));
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
    if (flow_.json.to_stdout()) return {};
    PRESS_TRY(Console::print(evaluation_table(evaluation)));
    console.say(footnote(evaluation));
    return {};
  }

 private:
  EvaluationFlow flow_;
  bool timing_ = true;
};

}  // namespace

std::unique_ptr<Verb> make_evaluate() {
  return std::make_unique<EvaluateVerb>();
}

}  // namespace press
