// Where compression hurts: layers of a compressed model against its original, and each layer compressed by
// itself.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "press/evaluate/layers.h"
#include "press/pipeline/evaluation.h"
#include "press/pipeline/progress.h"
#include "press/pipeline/recipe.h"
#include "press/support/result.h"

namespace press {

struct AnalysisOptions {
  int threads = 1;
  Progress progress;
};

/// Layers of `compressed` against those of `original`, on `samples` (32 where they have no limit). Errors:
/// those of reading samples and of compare_layers.
Result<std::vector<LayerEvidence>> analyze_layers(const NamedModel& original, const NamedModel& compressed,
                                                  const SampleOptions& samples,
                                                  const AnalysisOptions& options);

/// What a recipe made of the model, or of a part of it.
struct Outcome {
  std::string layer;  // the one that the recipe touched, or left alone; "" for none
  std::string op_type;
  std::int64_t bytes = 0;
  std::optional<double> top1;       // percent
  std::optional<double> agreement;  // percent
  std::optional<double> sqnr_db;    // of the first output; nullopt where it is equal
};

struct Sensitivity {
  Outcome original;
  Outcome whole;                     // the recipe as it stands
  std::vector<Outcome> alone;        // only this layer compressed, in the order of the network
  std::vector<Outcome> left_out;     // all but this layer, for the worst ones, worst first
  std::vector<std::string> unnamed;  // outputs of layers that no name selects
};

/// Compresses each linear layer by itself as `recipe` says, then leaves the `worst` ones out one by one.
/// `samples` are those of evaluation. Errors: those of optimize and of evaluating.
Result<Sensitivity> analyze_sensitivity(const NamedModel& model, const Recipe& recipe,
                                        const SampleOptions& samples, int worst,
                                        const AnalysisOptions& options);

/// A regular expression that finds this name and no other.
std::string exactly(const std::string& name);

/// "exclude 'conv1': +1.30 points, +12 kB": what leaving the layer out gains and costs against `whole`.
std::string advice(const Outcome& left_out, const Outcome& whole);

/// As JSON: `"schema": 1`, see docs/analysis.md.
std::string to_json(const std::vector<LayerEvidence>& layers);
std::string to_json(const Sensitivity& sensitivity);

/// Charts of the layers as SVG files: name and content.
std::vector<std::pair<std::string, std::string>> layer_pictures(const std::vector<LayerEvidence>& layers,
                                                                std::size_t worst);

}  // namespace press
