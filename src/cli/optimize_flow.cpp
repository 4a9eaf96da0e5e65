#include "optimize_flow.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "press/pipeline/optimize.h"

namespace press {

void OptimizeFlow::declare(CLI::App& app) {
  app.add_option("MODEL", input, "the ONNX model to read; - is standard input")->required()->type_name("");
  target.add(app);
  json.add(app, "write a report as JSON; without FILE or with - to standard output");
  app.add_flag("--stamp", stamp, "write version and passes into the model's metadata")->group(kGeneralGroup);
  app.add_option("--explain", explain,
                 "tell what happened to a node, named as in the file or by its first output")
      ->type_name("NODE")
      ->group(kGeneralGroup);
  threads.add(app);
}

Status OptimizeFlow::run(const Recipe& recipe, Console& console) const {
  PRESS_TRY(json.check());
  if (json.to_stdout() && target.to_stdout()) {
    return Error(ErrorCode::kUsage,
                 "both the model and the report would go to standard output; give --json FILE");
  }
  PRESS_ASSIGN(Model read, read_model(input, {.freeze_initializers = recipe.freeze_initializers}));
  Model& model = keep_until_exit(std::move(read));
  PRESS_TRY(target.check(input));
  if (recipe.asks_for_nothing()) console.say("nothing special is asked for: cleaning up and fusing");

  const OptimizeOptions options{
      .threads = threads.resolved(), .progress = console.progress(), .explain = explain, .stamp = stamp};
  PRESS_ASSIGN(const OptimizeReport report, optimize(model, recipe, options));
  if (!target.dry_run) {
    PRESS_TRY(target.write(model, input));
  }
  if (json.wanted()) {
    PRESS_TRY(json.write(to_json(report)));
  }
  std::string text = summary(report, console.verbose());
  if (!text.empty()) text.pop_back();
  const std::string where = target.dry_run       ? "would write (dry run)"
                            : target.to_stdout() ? "written to standard output"
                                                 : fmt::format("written to '{}'", target.path);
  console.say(fmt::format("{}: {}\n{}", shown(input), where, text));
  for (const std::string& warning : report.warnings) console.warn(warning);
  if (report.goal && !report.goal->met) {
    return Error(
        ErrorCode::kTargetMissed,
        fmt::format("the goal is missed, this is the best that was found: {}", report.goal->sentence));
  }
  return {};
}

}  // namespace press
