// Runs every recipe of a sweep on every model and keeps what it finds in a folder:
//
//   out/sweep.json       the cells in order, and what was measured on
//   out/cells/ID.json    figures of a cell; ID is a hash of all that they depend on
//   out/models/ID.onnx   its model
//   out/timings/ID.json  what this machine measured of it
//   out/results.csv, results.json, report.html    drawn from these, see press/pipeline/sweep_report.h
//
// A cell whose file is there is not made again: an interrupted sweep goes on, a repeated one costs nothing,
// and machines that share the folder share the work. All but times are the same bytes whatever way they came.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "press/evaluate/latency.h"
#include "press/evaluate/onnxruntime.h"
#include "press/pipeline/progress.h"
#include "press/pipeline/recipe.h"
#include "press/pipeline/sweep_spec.h"
#include "press/support/result.h"

namespace press {

struct SweepOptions {
  std::vector<std::string> models;  // paths
  SampleOptions samples;            // what cells are evaluated on
  std::string folder;
  int threads = 1;
  int jobs = 1;   // cells that are made at the same time, sharing the threads
  int shard = 1;  // this run makes cells shard, shard + shards, …
  int shards = 1;
  bool latency = true;
  bool retry = false;  // make failed cells again
  LatencyOptions timing;
  std::shared_ptr<OnnxRuntime> onnxruntime;  // measures time; null: our runtime
  Progress progress;
};

struct SweepSummary {
  std::int64_t cells = 0;  // of the whole sweep, originals included
  std::int64_t ready = 0;  // were there before
  std::int64_t made = 0;
  std::int64_t failed = 0;   // of all that are there
  std::int64_t missing = 0;  // of other shards
  std::int64_t timed = 0;
  std::size_t calibrations = 0;
  std::vector<std::string> warnings;
};

/// Cells that fail are kept with their error and fail nothing else. Errors: models or samples that cannot be
/// read; kOutput where the folder cannot be written; kInterrupted, after which finished cells stay.
Result<SweepSummary> run_sweep(const SweepSpec& spec, const SweepOptions& options);

}  // namespace press
