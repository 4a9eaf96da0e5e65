// One run of a network before and after it is changed, so that no file is written that does not run.
#pragma once

#include <optional>
#include <vector>

#include "press/ir/graph.h"
#include "press/runtime/batch.h"
#include "press/support/result.h"

namespace press {

class TrialRun {
 public:
  /// Runs `model` as it is, on `sample`; without one on zeros of the declared dims, with 1 for open ones. A
  /// network that does not run, or has more than 1 GB of weights, will not be tried afterwards either.
  TrialRun(const Model& model, std::optional<Batch> sample);

  /// Runs it again, changed. Errors (kUnsupported): it runs no more, or gives NaN or infinity where it gave
  /// none before.
  Status check(const Model& changed) const;

 private:
  std::optional<Batch> sample_;  // none: nothing is tried
  bool finite_ = true;
};

}  // namespace press
