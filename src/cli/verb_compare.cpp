// compress compare: how far the outputs of models lie apart.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>

#include "evaluation_flow.h"
#include "table.h"
#include "verb.h"

namespace press {
namespace {

std::string comparison_table(const Evaluation& evaluation) {
  using enum Table::Align;
  Table table({{"model", kLeft, 28},
               {"output", kLeft, 20},
               {"SQNR dB", kRight},
               {"max diff", kRight},
               {"relative", kRight},
               {"cosine", kRight},
               {"agree %", kRight}});
  for (std::size_t m = 1; m < evaluation.models.size(); ++m) {
    const ModelEvaluation& model = evaluation.models[m];
    const auto agreement = model.score.agreement_percent();
    for (std::size_t o = 0; o < model.score.differences.size(); ++o) {
      const Difference& difference = model.score.differences[o].difference;
      const double sqnr = difference.sqnr_db();
      table.add_row({model.name, model.score.differences[o].name,
                     std::isinf(sqnr) && sqnr > 0 ? "equal" : fmt::format("{:.2f}", sqnr),
                     fmt::format("{:.3g}", difference.max_absolute()),
                     fmt::format("{:.3g}", difference.max_relative()),
                     fmt::format("{:.6f}", difference.cosine()),
                     o == 0 && agreement ? fmt::format("{:.2f}", *agreement) : ""});
    }
  }
  return table.text();
}

class CompareVerb : public Verb {
 public:
  std::string_view name() const override { return "compare"; }
  std::string_view summary() const override { return "differences between the outputs of models"; }
  std::string_view description() const override {
    return "Runs models over the same samples and prints how the outputs differ from those of the first one: "
           "signal to "
           "quantization noise in dB (more is better; 'equal' where nothing differs), the largest "
           "difference, the same "
           "relative to the largest output, the cosine, and how often the best class is the same. Needs no "
           "labels.";
  }
  std::string_view examples() const override {
    return "compress compare model.onnx small.onnx --images test/ --preprocess imagenet";
  }

  void declare(CLI::App& app) override {
    flow_.declare(app, "two or more ONNX models; the first one is the reference");
  }

  Status run(Console& console) override {
    if (flow_.inputs.size() < 2) {
      return Error(ErrorCode::kUsage,
                   "compare needs two models or more; for a single one there is compress evaluate");
    }
    PRESS_ASSIGN(const Evaluation evaluation, flow_.run({.latency = false, .packed = false}, console));
    if (flow_.json.wanted()) {
      PRESS_TRY(flow_.json.write(to_json(evaluation)));
    }
    for (const ModelEvaluation& model : evaluation.models) {
      for (const OutputDifference& output : model.score.differences) {
        const std::uint64_t odd = output.difference.non_finite();
        if (odd == 0) continue;
        console.warn(fmt::format("output '{}' of '{}' differs in {} numbers that are infinite or none",
                                 output.name, model.name, odd));
      }
    }
    if (flow_.json.to_stdout()) return {};
    PRESS_TRY(Console::print(comparison_table(evaluation)));
    console.say(
        fmt::format("{} samples; differences to '{}'", evaluation.samples, evaluation.models.front().name));
    return {};
  }

 private:
  EvaluationFlow flow_;
};

}  // namespace

std::unique_ptr<Verb> make_compare() {
  return std::make_unique<CompareVerb>();
}

}  // namespace press
