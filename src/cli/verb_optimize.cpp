// compress optimize: everything that a recipe can ask for.
#include <CLI/CLI.hpp>

#include "optimize_flow.h"
#include "verb.h"

namespace press {
namespace {

class OptimizeVerb : public Verb {
 public:
  std::string_view name() const override { return "optimize"; }
  std::string_view summary() const override {
    return "fuse, prune and quantize as flags or a recipe ask for";
  }
  std::string_view description() const override {
    return "Reads an ONNX model, cleans it up, fuses, prunes and quantizes it as asked for, and writes an "
           "ONNX model. "
           "With nothing asked for it cleans up and fuses. Flags stand above the recipe.";
  }
  std::string_view examples() const override {
    return "compress optimize model.onnx -o small.onnx --fuse --quantize int8 --calibration images/ "
           "--preprocess imagenet\n"
           "compress optimize model.onnx -o small.onnx --fuse --prune magnitude --sparsity 0.5\n"
           "compress optimize model.onnx -o small.onnx --recipe recipe.toml";
  }

  void declare(CLI::App& app) override {
    flow_.declare(app);
    app.add_option("--recipe", recipe_path_, "read the options from a TOML file (docs/recipe.md)")
        ->type_name("FILE")
        ->group(kMainGroup);
    for (const char* key : {"fuse", "prune.method", "prune.sparsity", "quantize.type", "recover.effort"})
      flags_.add(app, key, {});
    flags_.add(app, "calibration.images", {.fallback = "none"});
    flags_.add(app, "calibration.limit", {.fallback = "200", .group = kSamplesGroup});
    flags_.add_samples(app);
    flags_.add_section(app, {"prune."}, "Pruning");
    flags_.add_section(app, {"quantize."}, "Quantization");
    flags_.add_section(app, {"cluster.", "store."}, "Storage");
    flags_.add_section(app, {"model."}, "The model");
    flags_.add_selection(app);
  }

  Status run(Console& console) override {
    Recipe recipe;
    if (!recipe_path_.empty()) {
      PRESS_ASSIGN(recipe, load_recipe(recipe_path_));
    }
    PRESS_TRY(flags_.apply(recipe));
    return flow_.run(recipe, console);
  }

 private:
  OptimizeFlow flow_;
  RecipeFlags flags_;
  std::string recipe_path_;
};

}  // namespace

std::unique_ptr<Verb> make_optimize() {
  return std::make_unique<OptimizeVerb>();
}

}  // namespace press
