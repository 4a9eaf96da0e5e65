// Mixed precision: as few layers as possible stay wider, so that the network keeps the accuracy that was
// asked for.
#pragma once

#include "press/pipeline/optimize.h"

namespace press {

/// optimize() for a recipe with an AccuracyGoal. Each layer is compressed by itself and ranked by what that
/// does to the output; then a binary search finds how many of the most sensitive ones must be spared. A
/// spared layer keeps 8 bits where fewer are asked for, else float32. Both need the calibration samples, of
/// which the goal is measured on up to kRecoverySamples. Errors: kUsage where there is nothing to quantize,
/// no samples, no labels for max_drop, or a network without classes; those of optimize() and of evaluating.
Result<OptimizeReport> optimize_to_goal(Model& model, const Recipe& recipe, const OptimizeOptions& options);

}  // namespace press
