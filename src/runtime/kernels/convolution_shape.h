// From a node's attributes and the dims at hand to the convolution that oneDNN is asked for.
#pragma once

#include "press/ir/graph.h"
#include "press/support/result.h"
#include "runtime/onednn.h"

namespace press::kernels {

/// Without bias, residual and activation. `source` are dims in the order of `layout`, `weights` those of the
/// file. Errors: kInput where attributes and dims do not fit; kUnsupported where they are too large, or have
/// more than 3 spatial dims.
Result<onednn::ConvolutionSpec> describe_convolution(const Node& node, bool transposed, onednn::Layout layout,
                                                     const Dims& source, const Dims& weights);

}  // namespace press::kernels
