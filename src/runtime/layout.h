// Activations with channels last: N, spatial, C in dims and memory, instead of N, C, spatial.
#pragma once

#include <memory>

#include "press/ir/tensor.h"
#include "press/support/result.h"
#include "runtime/kernel.h"

namespace press {

/// The dims of a tensor of rank 3 and more with its channels moved to the end, and back.
Dims to_channels_last(const Dims& dims);
Dims from_channels_last(const Dims& dims);

/// A kernel that moves the channels of its input to the end (or back).
std::unique_ptr<Kernel> make_layout_kernel(bool channels_last);

/// Concatenation along the channels of inputs that have them last.
std::unique_ptr<Kernel> make_channels_last_concat();

/// A constant that is broadcast against activations of `rank` dims, for activations with channels last.
/// Errors: no memory.
Result<Tensor> constant_with_channels_last(const Tensor& constant, std::size_t rank);

}  // namespace press
