// compress analyze: which layers suffer, and what leaving them alone would gain.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "flags.h"
#include "model_file.h"
#include "press/pipeline/analysis.h"
#include "press/support/atomic_file.h"
#include "press/support/text.h"
#include "press/support/units.h"
#include "table.h"
#include "verb.h"

namespace press {
namespace {

constexpr std::size_t kExplained = 3;

std::string percent(const std::optional<double>& value) {
  return value ? fmt::format("{:.2f}", *value) : "-";
}

std::string decibels(const std::optional<double>& value) {
  return value ? fmt::format("{:.1f}", *value) : "equal";
}

std::optional<double> sqnr_of(const LayerEvidence& layer) {
  const double sqnr = layer.output.sqnr_db();
  return std::isfinite(sqnr) ? std::optional(sqnr) : std::nullopt;
}

std::string layer_table(const std::vector<LayerEvidence>& layers) {
  using enum Table::Align;
  Table table({{"layer", kLeft, 40},
               {"operator", kLeft},
               {"SQNR dB", kRight},
               {"cosine", kRight},
               {"mean diff", kRight},
               {"weights", kRight},
               {"zeros %", kRight},
               {"stored", kRight},
               {"outputs", kRight},
               {"range", kRight}});
  for (const LayerEvidence& layer : layers) {
    const double zeros = layer.weights == 0 ? 0
                                            : 100 * static_cast<double>(layer.zero_weights) /
                                                  static_cast<double>(layer.weights);
    table.add_row({layer.name, layer.op_type, decibels(sqnr_of(layer)),
                   fmt::format("{:.5f}", layer.output.cosine()),
                   fmt::format("{:.3g}", layer.output.mean_absolute()),
                   layer.weights == 0 ? "" : human_count(layer.weights),
                   layer.weights == 0 ? "" : fmt::format("{:.1f}", zeros),
                   layer.weights == 0 ? "" : human_bytes(layer.weight_bytes),
                   fmt::format("{:.3g}…{:.3g}", layer.original_outputs.lo, layer.original_outputs.hi),
                   layer.range ? fmt::format("{:.3g}…{:.3g}", layer.range->first, layer.range->second) : ""});
  }
  return table.text();
}

/// What most likely stands behind a layer's low SQNR.
std::string explanation(const LayerEvidence& layer) {
  const Bars& outputs = layer.original_outputs;
  if (layer.range && !outputs.counts.empty()) {
    const double width = layer.range->second - layer.range->first;
    const double used = outputs.hi - outputs.lo;
    if (outputs.hi > layer.range->second * 1.05 || outputs.lo < layer.range->first * 1.05 - 1e-12) {
      return fmt::format(
          "outputs of {:.3g} to {:.3g} are cut to the range of {:.3g} to {:.3g}: calibrate on more "
          "samples, or with --observer min-max",
          outputs.lo, outputs.hi, layer.range->first, layer.range->second);
    }
    if (used > 0 && width > 2 * used) {
      return fmt::format(
          "outputs use {:.0f} % of the range that was chosen: --observer percentile leaves outliers "
          "out",
          100 * used / width);
    }
  }
  const double zeros =
      layer.weights == 0 ? 0 : static_cast<double>(layer.zero_weights) / static_cast<double>(layer.weights);
  if (zeros > 0.3) return fmt::format("{:.0f} % of its weights are zero: prune it less", 100 * zeros);
  return "errors of the layers before it and rounding of its own weights";
}

std::string outcome_table(const Sensitivity& sensitivity) {
  using enum Table::Align;
  Table table({{"only this layer", kLeft, 40},
               {"operator", kLeft},
               {"SQNR dB", kRight},
               {"top-1 %", kRight},
               {"diff", kRight},
               {"agree %", kRight},
               {"saved", kRight}});
  const Outcome& original = sensitivity.original;
  const auto add = [&](const std::string& name, const Outcome& outcome) {
    const bool both = outcome.top1 && original.top1;
    table.add_row({name, outcome.op_type, decibels(outcome.sqnr_db), percent(outcome.top1),
                   both ? fmt::format("{:+.2f}", *outcome.top1 - *original.top1) : "",
                   percent(outcome.agreement), human_bytes(original.bytes - outcome.bytes)});
  };
  for (const Outcome& outcome : sensitivity.alone) add(outcome.layer, outcome);
  add("all of them", sensitivity.whole);
  return table.text();
}

class AnalyzeVerb : public Verb {
 public:
  std::string_view name() const override { return "analyze"; }
  std::string_view summary() const override { return "which layers suffer from compression, and what to do"; }
  std::string_view description() const override {
    return "With a compressed model: compares it with MODEL layer by layer (signal to noise of outputs, "
           "ranges that "
           "were chosen, zeros) and explains the worst layers. With --recipe: compresses each layer by "
           "itself as the "
           "recipe says, then leaves the worst ones out one by one, and says what each exclusion gains in "
           "accuracy "
           "and costs in bytes.";
  }
  std::string_view examples() const override {
    return "compress analyze model.onnx int8.onnx --images test/ --preprocess imagenet\n"
           "compress analyze model.onnx --recipe int8.toml --images test/ --limit 1000 --json "
           "sensitivity.json";
  }

  void declare(CLI::App& app) override {
    app.add_option("MODEL", inputs_, "the original, and a model that was made of it")
        ->required()
        ->expected(1, 2)
        ->type_name("");
    app.add_option("--recipe", recipe_, "measure how sensitive each layer is to this recipe")
        ->type_name("FILE")
        ->group(kMainGroup);
    app.add_option("--worst", worst_, "layers to leave out one by one, or to draw")
        ->check(CLI::Range(0, 1000))
        ->type_name("N")
        ->default_str("3")
        ->group(kMainGroup);
    flags_.add(app, "calibration.images",
               {.flag = "--images", .fallback = "none", .help = "samples to run on, labelled for accuracy"});
    json_.add(app, "write everything as JSON, histograms of weights and outputs too");
    app.add_option("--svg", pictures_, "write charts of the layers as SVG files into this folder")
        ->type_name("FOLDER")
        ->group(kMainGroup);
    flags_.add(app, "calibration.limit",
               {.fallback = "32 samples for layers, all for --recipe", .group = kSamplesGroup});
    flags_.add_samples(app);
    threads_.add(app);
  }

  Status run(Console& console) override {
    PRESS_TRY(json_.check());
    if ((inputs_.size() == 2) != recipe_.empty()) {
      return Error(ErrorCode::kUsage,
                   "give either a compressed model to compare, or --recipe FILE to try on MODEL");
    }
    Recipe recipe;
    if (!recipe_.empty()) {
      PRESS_ASSIGN(recipe, load_recipe(recipe_));
    }
    Recipe samples;
    samples.calibration.preprocess = recipe.calibration.preprocess;
    PRESS_TRY(flags_.apply(samples));
    if (samples.calibration.path.empty()) {
      return Error(ErrorCode::kUsage, "say which samples to run on: --images PATH");
    }
    PRESS_ASSIGN(const NamedModel model, read_named_model(inputs_[0]));
    const AnalysisOptions options{.threads = threads_.resolved(), .progress = console.progress()};
    if (recipe_.empty()) return compare(model, samples.calibration, options, console);
    return try_layers(model, recipe, samples.calibration, options, console);
  }

 private:
  Status compare(const NamedModel& model, const SampleOptions& samples, const AnalysisOptions& options,
                 Console& console) {
    PRESS_ASSIGN(const NamedModel compressed, read_named_model(inputs_[1]));
    PRESS_ASSIGN(const std::vector<LayerEvidence> layers,
                 analyze_layers(model, compressed, samples, options));
    if (layers.empty()) {
      return Error(ErrorCode::kInput, fmt::format("{} and {} have no values of the same names",
                                                  shown(inputs_[0]), shown(inputs_[1])));
    }
    if (json_.wanted()) PRESS_TRY(json_.write(to_json(layers)));
    PRESS_TRY(draw(layers));
    if (json_.to_stdout()) return {};
    PRESS_TRY(Console::print(layer_table(layers)));
    std::vector<const LayerEvidence*> ranked;
    for (const LayerEvidence& layer : layers) {
      if (layer.weights > 0 && sqnr_of(layer)) ranked.push_back(&layer);
    }
    std::stable_sort(ranked.begin(), ranked.end(), [](const LayerEvidence* a, const LayerEvidence* b) {
      return *sqnr_of(*a) < *sqnr_of(*b);
    });
    for (std::size_t i = 0; i < std::min(kExplained, ranked.size()); ++i) {
      console.say(fmt::format("'{}', {} dB: {}", ranked[i]->name, decibels(sqnr_of(*ranked[i])),
                              explanation(*ranked[i])));
    }
    return {};
  }

  Status draw(const std::vector<LayerEvidence>& layers) const {
    if (pictures_.empty()) return {};
    std::error_code error;
    std::filesystem::create_directories(pictures_, error);
    if (error) {
      return Error(ErrorCode::kOutput,
                   fmt::format("cannot make {}: {}", quoted_path(pictures_), error.message()));
    }
    for (const auto& [name, svg] : layer_pictures(layers, static_cast<std::size_t>(worst_))) {
      PRESS_TRY(write_file((std::filesystem::path(pictures_) / (name + ".svg")).string(), svg));
    }
    return {};
  }

  Status try_layers(const NamedModel& model, const Recipe& recipe, const SampleOptions& samples,
                    const AnalysisOptions& options, Console& console) const {
    PRESS_ASSIGN(const Sensitivity sensitivity, analyze_sensitivity(model, recipe, samples, worst_, options));
    if (json_.wanted()) PRESS_TRY(json_.write(to_json(sensitivity)));
    if (json_.to_stdout()) return {};
    PRESS_TRY(Console::print(outcome_table(sensitivity)));
    for (const Outcome& outcome : sensitivity.left_out) console.say(advice(outcome, sensitivity.whole));
    for (const std::string& output : sensitivity.unnamed) {
      console.warn(fmt::format("the layer that makes '{}' has no name and cannot be selected", output));
    }
    return {};
  }

  std::vector<std::string> inputs_;
  std::string recipe_;
  std::string pictures_;
  RecipeFlags flags_;
  JsonTarget json_;
  Threads threads_;
  int worst_ = 3;
};

}  // namespace

std::unique_ptr<Verb> make_analyze() {
  return std::make_unique<AnalyzeVerb>();
}

}  // namespace press
