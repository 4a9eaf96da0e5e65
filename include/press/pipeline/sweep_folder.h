// The folder of a sweep as a place of files; press/pipeline/sweep.h tells what lies where.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "press/pipeline/sweep_cell.h"
#include "press/pipeline/sweep_spec.h"
#include "press/support/result.h"

namespace press {

/// What a sweep consists of.
struct SweepPlan {
  std::vector<std::string> cells;  // names, in order
  std::string samples_path;
  std::string preprocess;
};

class SweepFolder {
 public:
  explicit SweepFolder(std::string path) : path_(std::move(path)) {}

  /// Makes the folders. Errors: kOutput.
  Status create() const;
  std::string model_path(const std::string& id) const;

  /// Each file appears whole or not at all. Errors: kOutput.
  Status write_plan(const SweepPlan& plan) const;
  Status write(const SweepCell& cell) const;
  Status write(const std::string& id, const SweepCell::Timing& timing) const;

  /// Nullopt where there is none, or none that can be read.
  std::optional<SweepCell> cell(const std::string& id) const;
  std::optional<SweepCell::Timing> timing(const std::string& id) const;

  /// Errors (kInput): the folder holds no sweep.
  Result<SweepPlan> plan() const;
  /// The cells that are there, in order, with their timings. Errors: as plan().
  Result<std::vector<SweepCell>> cells() const;

 private:
  std::string path_;
};

/// The command line that makes the cell's model: flags where every setting has one, else the recipe by name.
std::string command_of(const std::string& model, const SweepRecipe& recipe);

/// "Intel(R) Xeon(R) …, 2 cores".
std::string machine_name();

}  // namespace press
