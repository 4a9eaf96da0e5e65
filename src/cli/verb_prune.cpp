// compress prune: weights or channels of small magnitude go.
#include <CLI/CLI.hpp>

#include "optimize_flow.h"
#include "verb.h"

namespace press {
namespace {

class PruneVerb : public Verb {
 public:
  std::string_view name() const override { return "prune"; }
  std::string_view summary() const override { return "take out the smallest weights or channels"; }
  std::string_view description() const override {
    return "Sets the weights of smallest magnitude to zero, by one threshold for the whole network or one "
           "for each layer; or takes out whole channels, with everything that depends on them. "
           "Zeros leave the file its size until it is packed (--store auto); accuracy falls, see what it "
           "costs with compress "
           "evaluate.";
  }
  std::string_view examples() const override {
    return "compress prune model.onnx -o pruned.onnx --sparsity 0.5 --scope global\n"
           "compress prune model.onnx -o pruned.onnx --sparsity 0.7 --scope local --exclude '^/fc'\n"
           "compress prune model.onnx -o narrow.onnx --structure channels --sparsity 0.2 --scope local "
           "--round-to 8";
  }

  void declare(CLI::App& app) override {
    flow_.declare(app);
    flags_.add(app, "prune.method", {.flag = "--method", .fallback = "magnitude"});
    flags_.add(app, "prune.sparsity", {});
    flags_.add(app, "recover.effort", {});
    flags_.add(app, "calibration.images", {.fallback = "none"});
    flags_.add(app, "calibration.limit", {.fallback = "1024", .group = kSamplesGroup});
    flags_.add_samples(app);
    flags_.add(app, "prune.scope", {});
    flags_.add(app, "prune.structure", {});
    flags_.add(app, "prune.round-to", {});
    flags_.add(app, "prune.macs", {});
    flags_.add(app, "prune.biases", {.flag = "--biases"});
    flags_.add(app, "store.form", {});
    flags_.add(app, "store.strip", {});
    flags_.add_selection(app);
  }

  Status run(Console& console) override {
    Recipe recipe;
    recipe.prune = true;
    PRESS_TRY(flags_.apply(recipe));
    return flow_.run(recipe, console);
  }

 private:
  OptimizeFlow flow_;
  RecipeFlags flags_;
};

}  // namespace

std::unique_ptr<Verb> make_prune() {
  return std::make_unique<PruneVerb>();
}

}  // namespace press
