// What the quantization of activations needs from a calibration run.
#pragma once

#include <vector>

#include "press/ir/graph.h"
#include "press/passes/options.h"

namespace press {

/// The activations that quantize_static would give a scale: calibrate these. In the order of the graph's
/// values.
Result<std::vector<const Value*>> values_to_calibrate(const Model& model, const QuantizeOptions& options);

}  // namespace press
