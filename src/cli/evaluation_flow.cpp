#include "evaluation_flow.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "model_file.h"

namespace press {

void EvaluationFlow::declare(CLI::App& app, const char* models_help) {
  app.add_option("MODEL", inputs, models_help)->required()->type_name("");
  flags.add(
      app, "calibration.images",
      {.flag = "--images",
       .fallback = "none",
       .help = "samples to run on: a folder of images, a CSV of filename,label, an IDX file, NPY or NPZ"});
  json.add(app, "write everything as JSON; without FILE or with - to standard output");
  flags.add(app, "calibration.limit", {.fallback = "all", .group = kSamplesGroup});
  flags.add_samples(app);
  threads.add(app);
}

Result<Evaluation> EvaluationFlow::run(EvaluationOptions options, Console& console) const {
  PRESS_TRY(json.check());
  Recipe recipe;
  PRESS_TRY(flags.apply(recipe));
  if (recipe.calibration.path.empty()) {
    return Error(ErrorCode::kUsage,
                 "say which samples to run on: --images PATH (a folder, a CSV, an IDX, NPY or NPZ file)");
  }
  std::vector<NamedModel> models;
  for (const std::string& input : inputs) {
    PRESS_ASSIGN(NamedModel model, read_named_model(input));
    models.push_back(std::move(model));
  }
  options.threads = threads.resolved();
  options.progress = console.progress();
  PRESS_ASSIGN(Evaluation evaluation, evaluate(models, recipe.calibration, options));
  for (const std::string& warning : evaluation.warnings) console.warn(warning);
  for (const SkippedSample& sample : evaluation.skipped) {
    console.warn(fmt::format("skipped '{}': {}", sample.name, sample.reason));
  }
  return evaluation;
}

}  // namespace press
