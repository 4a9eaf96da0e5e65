// Shape inference for those who have computed parts of a graph already.
#pragma once

#include <functional>

#include "press/ops/operator.h"

namespace press {

/// The tensor that a value always is, or null where that is not known.
using ComputedValues = std::function<const Tensor*(const Value*)>;

/// infer_shapes(), with what nodes give that the caller has computed in the place of what their rules say.
Result<ShapeTable> infer_shapes_with(const Graph& graph, const ComputedValues& computed);

}  // namespace press
