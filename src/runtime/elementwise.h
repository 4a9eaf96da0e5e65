// Which operators work element by element.
#pragma once

#include "press/ir/graph.h"

namespace press {

/// True for operators of ONNX whose output element depends on the input elements at its own (broadcast)
/// position only: they work in any order of the axes.
bool is_elementwise(const Node& node);

}  // namespace press
