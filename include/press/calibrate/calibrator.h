// The calibration run: executes a network over representative samples and gathers statistics of its
// activations.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "press/ir/graph.h"
#include "press/numeric/calibration_table.h"
#include "press/numeric/observer.h"
#include "press/runtime/batch.h"
#include "press/support/result.h"

namespace press {

struct CalibrateOptions {
  /// Workers, each with a session of one thread. The table is the same for any number of them.
  int threads = 1;
  /// Decides what is gathered of each value.
  Observer observer = Observer::kMinMax;
  /// Called after each batch with the number of samples that are done; never by two threads at once.
  std::function<void(std::int64_t samples)> progress = {};
};

/// Statistics of `values` (float32 values of the model's graph) over all samples of `batches`. Each tensor is
/// reduced while the network runs, so memory does not grow with the number of samples. Errors: kInput for no
/// samples at all and for an activation that is NaN or infinite, naming value, node and sample; kUnsupported
/// for a value that is not float32; those of the source and of Session. Of several errors that of the
/// earliest batch is returned.
Result<CalibrationTable> calibrate(const Model& model, std::span<const Value* const> values,
                                   const BatchSource& batches, const CalibrateOptions& options = {});

}  // namespace press
