// Makes a plan faster without changing what it computes: steps absorb the steps behind them, and activations
// stay with their channels last between the kernels that work best that way.
#pragma once

namespace press {

class GraphPlan;

/// Rewrites the steps of a plan whose lifetimes are not planned yet. Needs the plan's facts.
void optimize(GraphPlan& plan);

}  // namespace press
