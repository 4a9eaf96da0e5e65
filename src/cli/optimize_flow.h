// What optimize, quantize and prune have in common: read, run the recipe, write, report.
#pragma once

#include <string>

#include "console.h"
#include "flags.h"
#include "model_file.h"
#include "press/pipeline/recipe.h"
#include "press/support/result.h"

namespace CLI {
class App;
}

namespace press {

struct OptimizeFlow {
  std::string input;
  ModelTarget target;
  JsonTarget json;
  Threads threads;
  bool stamp = false;
  std::string explain;

  /// MODEL, -o, --force, --dry-run, --json, --stamp, --threads.
  void declare(CLI::App& app);
  Status run(const Recipe& recipe, Console& console) const;
};

}  // namespace press
