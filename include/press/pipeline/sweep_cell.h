// What a sweep finds out about one model under one recipe, and the files that hold it: `cells/ID.json` has
// what is the same for the same inputs on every machine, `timings/ID.json` what a machine measured.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "press/evaluate/evaluate.h"
#include "press/evaluate/latency.h"
#include "press/evaluate/layers.h"
#include "press/support/result.h"

namespace press {

struct SweepCell {
  std::string id;     // hash of model, samples, recipe and version, 16 hexadecimal digits
  std::string model;  // as it was given
  std::string label;  // "int8, sparsity 0.5"; "original"
  bool original = false;
  std::vector<std::pair<std::string, std::string>> settings;  // of the grid
  std::string recipe;                                         // as TOML
  std::string command;                                        // that makes the same file
  std::string error;                                          // "": it worked

  struct Figures {
    std::int64_t bytes = 0;
    std::int64_t gzip_bytes = 0;
    std::int64_t zstd_bytes = 0;
    std::int64_t parameters = 0;
    std::int64_t weights = 0;
    std::int64_t nonzero_weights = 0;
    std::int64_t macs = 0;
    std::int64_t nodes = 0;
    std::int64_t peak_bytes = 0;
    std::int64_t samples = 0;
    std::int64_t labelled = 0;
    std::optional<double> top1;  // percent
    std::optional<double> top5;
    std::optional<double> agreement;
    std::optional<double> sqnr_db;  // of the first output; nullopt where it is equal
    double mean_absolute = 0;
    double cosine = 1;
  };
  Figures figures;

  struct Step {  // a pass that rewrote something
    std::string pass;
    std::int64_t rewrites = 0;
    std::int64_t nodes_after = 0;
    std::int64_t declined = 0;
  };
  std::vector<Step> steps;
  std::int64_t calibration_samples = 0;

  struct Layer {
    std::string name;
    std::string op_type;
    std::optional<double> sqnr_db;  // nullopt where it is equal
    std::int64_t weights = 0;
    std::int64_t zero_weights = 0;
    std::int64_t weight_bytes = 0;
    Bars outputs;  // of the original; only for the worst layers, as the next ones
    std::optional<std::pair<double, double>> range;
    Bars original_weights;
    Bars stored_weights;
  };
  std::vector<Layer> layers;
  std::vector<std::string> warnings;

  struct Timing {
    Latency latency;
    double reference_ms = 0;  // median of the original, measured in turn with this one
    double seconds = 0;       // that making and evaluating it took
    int threads = 1;
    std::string engine;
    std::string machine;
  };
  std::optional<Timing> timing;

  bool failed() const { return !error.empty(); }
};

std::string to_json(const SweepCell& cell);  // without the timing
std::string to_json(const SweepCell::Timing& timing);

/// Errors (kInput): no JSON or not of this form.
Result<SweepCell> sweep_cell_from_json(std::string_view text);
Result<SweepCell::Timing> sweep_timing_from_json(std::string_view text);

/// Layers as a cell keeps them: figures of all, bars of the `drawn` worst linear ones.
std::vector<SweepCell::Layer> kept_layers(const std::vector<LayerEvidence>& evidence, std::size_t drawn);

/// Indices of the cells of `model` that no other one beats: nobody has at least the accuracy for less of
/// `cost` (null: not known), or more accuracy for the same. In the order of rising cost.
std::vector<std::size_t> pareto_front(const std::vector<SweepCell>& cells, const std::string& model,
                                      std::optional<double> (*cost)(const SweepCell&));

/// What a sweep is judged by: top-1 where there are labels, else agreement, else SQNR; and its name.
std::optional<double> quality(const SweepCell& cell);

}  // namespace press
