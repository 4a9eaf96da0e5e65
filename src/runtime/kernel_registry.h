// From a node to the kernel that ops.def names for its operator.
#pragma once

#include "runtime/kernel.h"

namespace press {

/// True where ops.def names a kernel for the node's operator.
bool has_kernel(const Node& node);

/// Errors: kUnsupported names operator, domain, opset and node; what a factory says of attributes that make
/// no sense.
Result<std::unique_ptr<Kernel>> make_kernel(const Node& node);

}  // namespace press
