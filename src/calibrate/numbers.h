// Dispatch on the element types that hold numbers, and conversion between them.
#pragma once

#include <fmt/format.h>

#include <type_traits>

#include "press/ir/data_type.h"
#include "press/support/result.h"

namespace press {

/// `call.template operator()<T>()` with the C++ type of `type`, which must be bool, an integer of 8 bits or
/// more or a float of 16 or more; it returns a Result or Status. Errors: kInput for other types.
template <typename Call>
auto with_number_type(DataType type, Call&& call) -> decltype(call.template operator()<float>()) {
  switch (type) {
    case DataType::kFloat:
      return call.template operator()<float>();
    case DataType::kDouble:
      return call.template operator()<double>();
    case DataType::kFloat16:
      return call.template operator()<Float16>();
    case DataType::kBFloat16:
      return call.template operator()<BFloat16>();
    case DataType::kUint8:
      return call.template operator()<std::uint8_t>();
    case DataType::kInt8:
      return call.template operator()<std::int8_t>();
    case DataType::kUint16:
      return call.template operator()<std::uint16_t>();
    case DataType::kInt16:
      return call.template operator()<std::int16_t>();
    case DataType::kUint32:
      return call.template operator()<std::uint32_t>();
    case DataType::kInt32:
      return call.template operator()<std::int32_t>();
    case DataType::kUint64:
      return call.template operator()<std::uint64_t>();
    case DataType::kInt64:
      return call.template operator()<std::int64_t>();
    case DataType::kBool:
      return call.template operator()<bool>();
    default:
      return Error(ErrorCode::kInput, fmt::format("elements of type {} are not supported", name(type)));
  }
}

/// The number as another type, rounded to it; it must lie in the range of an integer type.
template <typename To, typename From>
To convert_number(From value) {
  if constexpr (std::is_same_v<From, Float16> || std::is_same_v<From, BFloat16>) {
    return convert_number<To>(to_float(value));
  } else if constexpr (std::is_same_v<To, Float16>) {
    return to_float16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return to_bfloat16(static_cast<float>(value));
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace press
