// Elements of floating-point tensors of any width, seen as doubles (which hold each of them exactly).
#pragma once

#include <cstdint>

#include "press/ir/tensor.h"

namespace press {

namespace detail {

template <typename T>
auto as_number(T value) {
  if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>) {
    return to_float(value);
  } else {
    return value;
  }
}

template <typename T>
double widen(T value) {
  return as_number(value);
}

template <typename T>
T narrow(double value) {
  if constexpr (std::is_same_v<T, Float16>) {
    return to_float16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return to_bfloat16(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

}  // namespace detail

/// Calls `call.template operator()<T>()` with the C++ type of a floating-point `type`; does nothing for
/// others.
template <typename Call>
void with_float_type(DataType type, Call&& call) {
  switch (type) {
    case DataType::kFloat:
      return call.template operator()<float>();
    case DataType::kDouble:
      return call.template operator()<double>();
    case DataType::kFloat16:
      return call.template operator()<Float16>();
    case DataType::kBFloat16:
      return call.template operator()<BFloat16>();
    default:
      return;
  }
}

/// Calls `visit(index, element)` for every element of a floating-point tensor, in order.
template <typename Visit>
void for_each_float(const Tensor& tensor, Visit&& visit) {
  with_float_type(tensor.type(), [&]<typename T>() {
    std::int64_t index = 0;
    for (const T element : tensor.data<T>()) visit(index++, detail::widen(element));
  });
}

/// Replaces every element by `transform(index, element)`, rounded to the tensor's type.
template <typename Transform>
void transform_floats(Tensor& tensor, Transform&& transform) {
  with_float_type(tensor.type(), [&]<typename T>() {
    std::int64_t index = 0;
    for (T& element : tensor.mutable_data<T>()) {
      element = detail::narrow<T>(transform(index++, detail::widen(element)));
    }
  });
}

}  // namespace press
