// Conversion of whole tensors between float32 and float16, by the CPU's own instructions where it has them.
#pragma once

#include <span>

#include "press/ir/data_type.h"

namespace press {

/// Both spans have the same size; each element as to_float and to_float16 convert it (payloads of NaN may
/// differ).
void convert(std::span<const Float16> from, std::span<float> to);
void convert(std::span<const float> from, std::span<Float16> to);

}  // namespace press
