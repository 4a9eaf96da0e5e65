// Element types of 8 bits and fewer that are no plain bytes: the float8 and float4 formats, and integers of 2
// and 4 bits, which share bytes.
//
// A code is the bit pattern of one element in the low bits of a byte.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "press/ir/tensor.h"
#include "press/support/result.h"

namespace press {

/// float8e4m3fn, …e4m3fnuz, …e5m2, …e5m2fnuz, …e8m0 or float4e2m1.
bool is_small_float(DataType type);

/// An integer of 2 or 4 bits.
bool is_packed_integer(DataType type);

/// The value of a code of a small float type or of a packed integer type.
float decode(DataType type, std::uint8_t code);

/// How a value becomes a code of a small float type. Beyond the largest finite value, and for infinities:
/// that value where `saturate`, else infinity or, where the type has none, NaN. `rounding` ("up", "down" or
/// "nearest") is for float8e8m0 alone, whose codes are powers of 2; all others round half to even.
struct SmallFloatRounding {
  bool saturate = true;
  std::string_view rounding = "up";
};
std::uint8_t encode(DataType type, float value, const SmallFloatRounding& how = {});

/// The codes of a tensor whose elements have 8, 4 or 2 bits, one a byte.
std::vector<std::uint8_t> unpacked(const Tensor& tensor);

/// Writes codes to a tensor of as many elements of 8, 4 or 2 bits; of each code only its low bits count.
void pack(const std::vector<std::uint8_t>& codes, Tensor& tensor);

}  // namespace press
