// What convolutions ask of the addition behind them.
#pragma once

#include "runtime/kernels/integer_kernels.h"

namespace press::kernels {

/// What the kernel computes where it is one of make_integer_binary; else null.
const IntegerBinary* integer_binary(const Kernel* kernel);

}  // namespace press::kernels
