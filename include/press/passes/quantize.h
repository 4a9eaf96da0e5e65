// What the quantization of activations needs from a calibration run.
#pragma once

#include <vector>

#include "press/ir/graph.h"
#include "press/passes/options.h"

namespace press {

/// The activations that quantize_static would give a scale: calibrate these. In the order of the graph's
/// values.
Result<std::vector<const Value*>> values_to_calibrate(const Model& model, const QuantizeOptions& options);

/// The float32 activations, whose ranges tell convert_fp16 what float16 cannot hold.
Result<std::vector<const Value*>> values_to_convert(const Model& model);

}  // namespace press
