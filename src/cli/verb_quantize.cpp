// compress quantize: int8 or fp16, with fusing before it.
#include <CLI/CLI.hpp>

#include "optimize_flow.h"
#include "verb.h"

namespace press {
namespace {

class QuantizeVerb : public Verb {
 public:
  std::string_view name() const override { return "quantize"; }
  std::string_view summary() const override { return "int8, int16x8, small weights or fp16"; }
  std::string_view description() const override {
    return "Fuses the model and quantizes it: int8 stores weights as int8 with a scale for each channel and "
           "activations as "
           "uint8 with ranges that are measured on samples; int8-dynamic measures them in each run instead; "
           "int16x8 "
           "gives activations 16 bits; w8 to w2 store weights alone in so many bits; fp16 stores and "
           "computes in half "
           "precision.";
  }
  std::string_view examples() const override {
    return "compress quantize model.onnx -o int8.onnx --type int8 --calibration images/ --preprocess "
           "imagenet\n"
           "compress quantize model.onnx -o fp16.onnx --type fp16";
  }

  void declare(CLI::App& app) override {
    flow_.declare(app);
    flags_.add(
        app, "quantize.type",
        {.flag = "--type",
         .fallback = "int8",
         .help = "int8; int8-dynamic (no samples); int16x8; w8, w4, w3, w2 (weights alone); fp16; bf16"});
    flags_.add(app, "recover.effort", {});
    flags_.add(app, "calibration.images", {.fallback = "none"});
    flags_.add(app, "calibration.limit", {.fallback = "200", .group = kSamplesGroup});
    flags_.add_samples(app);
    flags_.add_section(app, {"quantize."}, "Quantization");
    flags_.add(app, "model.target", {.group = "Quantization"});
    flags_.add(app, "fuse", {.fallback = "true", .group = "Quantization"});
    flags_.add_section(app, {"store."}, "Storage");
    flags_.add_selection(app);
  }

  Status run(Console& console) override {
    Recipe recipe;
    recipe.fuse = true;
    recipe.precision = Precision::kInt8;
    PRESS_TRY(flags_.apply(recipe));
    return flow_.run(recipe, console);
  }

 private:
  OptimizeFlow flow_;
  RecipeFlags flags_;
};

}  // namespace

std::unique_ptr<Verb> make_quantize() {
  return std::make_unique<QuantizeVerb>();
}

}  // namespace press
