// The whole way of one model: a recipe becomes ordered passes, which run over the model, with calibration in
// between.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "press/calibrate/batch_reader.h"
#include "press/ir/graph.h"
#include "press/numeric/calibration_table.h"
#include "press/pipeline/pass_manager.h"
#include "press/pipeline/progress.h"
#include "press/pipeline/recipe.h"
#include "press/support/result.h"

namespace press {

/// The size of a model in every sense; see model_facts.h for what the counts mean.
struct ModelSize {
  std::int64_t bytes = 0;  // of its file, weights inside
  std::int64_t nodes = 0;
  std::int64_t parameters = 0;
  std::int64_t weights = 0;
  std::int64_t zero_weights = 0;
  std::int64_t macs = 0;
};

struct CalibrationReport {
  std::string path;
  std::int64_t samples = 0;
  std::vector<SkippedSample> skipped;
  std::string preprocess;  // one line; "" for tensors
  double seconds = 0;
};

/// A layer that stays wider than asked for, so that the network keeps its accuracy.
struct SparedLayer {
  std::string name;
  std::optional<double> sqnr_db;  // of the network's output with this layer alone compressed; nullopt: equal
};

/// A try of the search for AccuracyGoal: how many layers it spared, and what came of it.
struct GoalAttempt {
  std::size_t spared = 0;
  std::int64_t bytes = 0;
  std::optional<double> drop;       // points of top-1
  std::optional<double> agreement;  // percent
};

struct GoalReport {
  bool met = false;
  std::string sentence;             // what was asked for and what was found
  std::vector<SparedLayer> spared;  // of the result, most sensitive first
  std::vector<GoalAttempt> attempts;
};

struct OptimizeReport {
  std::vector<PassReport> passes;
  ModelSize before;
  ModelSize after;
  std::optional<CalibrationReport> calibration;
  std::optional<GoalReport> goal;
  std::vector<std::string> explanation;  // of the node that was asked for, one sentence each
  std::vector<std::string>
      warnings;  // what the user should know: larger than before, nothing pruned, raw pixels
};

class CalibrationStore;

struct OptimizeOptions {
  int threads = 1;  // of calibration; the result does not depend on it
  Progress progress;
  /// The node, by its name or its first output's, of which the report tells what became of it; "": none.
  std::string explain = {};
  /// Writes what was done into the model's metadata (metadata_props), so that the file tells where it comes
  /// from.
  bool stamp = false;
  /// Where calibration tables are kept for other runs over equal networks; null: nowhere.
  CalibrationStore* calibrations = nullptr;
};

/// Samples that calibration takes where the recipe gives no limit.
inline constexpr std::int64_t kCalibrationSamples = 200;
/// And recovery: as many of so many as begin within so many bytes of inputs.
inline constexpr std::int64_t kRecoverySamples = 1024;
inline constexpr std::int64_t kRecoveryBytes = 160 << 20;

/// The interface is changed first, as far as the recipe says so. Cleanup always runs; then fusing, pruning,
/// calibration and quantization, as far as the recipe asks for them. A recipe that asks for nothing cleans up
/// and fuses. With an AccuracyGoal, layers are spared, the most sensitive first, until the result keeps it on
/// the calibration samples; where it cannot, the model is the best that was found and the report's goal says
/// so. Errors: kUsage where the recipe does not fit together (int8 without calibration samples); those of the
/// passes, of reading samples and of running the model; the model is then of no further use.
Result<OptimizeReport> optimize(Model& model, const Recipe& recipe, const OptimizeOptions& options = {});

/// One of `count` parts of the calibration samples: the batches number index, index + count, ….
struct Shard {
  std::int64_t index = 0;
  std::int64_t count = 1;
};

/// The statistics of activations that optimize() with `recipe` would gather, with histograms, so that the
/// table serves any observer; the tables of all shards, merged (press/numeric/calibration_table.h), are that
/// of one run. The model is cleaned up and fused on the way. Errors: as optimize().
Result<CalibrationTable> calibrate_model(Model& model, const Recipe& recipe, const Shard& shard,
                                         const OptimizeOptions& options = {});

/// Reads a table. Errors (kInput), naming the file: it cannot be read or holds no table.
Result<CalibrationTable> load_calibration_table(const std::string& path);

/// As JSON: `"schema": 1`, see docs/usage.md.
std::string to_json(const OptimizeReport& report);

/// A few lines for people: what each pass did, and sizes before and after.
std::string summary(const OptimizeReport& report, bool verbose);

}  // namespace press
