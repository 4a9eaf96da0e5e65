// The kernels that ops.def names, by file.
#pragma once

#include "runtime/kernel.h"

namespace press::kernels {

using Function = Status(KernelContext&);
using Factory = Result<std::unique_ptr<Kernel>>(const Node&);

/// The operator is known, but cannot be executed.
struct NoKernel {};
inline constexpr NoKernel none;

// convolution.cpp
Factory conv, conv_transpose;

// matrix.cpp
Factory gemm, matmul;

}  // namespace press::kernels
