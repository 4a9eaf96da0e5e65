// What evaluate and compare have in common: models, samples, and one pass over them.
#pragma once

#include <string>
#include <vector>

#include "console.h"
#include "flags.h"
#include "press/pipeline/evaluation.h"
#include "press/support/result.h"

namespace CLI {
class App;
}

namespace press {

struct EvaluationFlow {
  std::vector<std::string> inputs;
  JsonTarget json;
  Threads threads;
  RecipeFlags flags;

  /// MODELS, --images, --json, the flags of samples, --threads.
  void declare(CLI::App& app, const char* models_help);

  /// Evaluates and says warnings; `options` as they are, with threads and progress filled in.
  Result<Evaluation> run(EvaluationOptions options, Console& console) const;
};

}  // namespace press
