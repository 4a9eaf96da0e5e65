// Element types of tensors, with the codes of ONNX's TensorProto.DataType.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

namespace press {

enum class DataType : std::int32_t {
  kUndefined = 0,
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBFloat16 = 16,
  kFloat8E4M3FN = 17,
  kFloat8E4M3FNUZ = 18,
  kFloat8E5M2 = 19,
  kFloat8E5M2FNUZ = 20,
  kUint4 = 21,
  kInt4 = 22,
  kFloat4E2M1 = 23,
  kFloat8E8M0 = 24,
  kUint2 = 25,
  kInt2 = 26,
};

/// Bits of one element in memory and in files; 0 for kUndefined, kString and codes that we do not know.
int bit_width(DataType type);

/// "float32", "uint8", …; "undefined" for kUndefined and codes that we do not know.
std::string_view name(DataType type);

/// The inverse of name().
std::optional<DataType> data_type_from_name(std::string_view name);

/// float16, bfloat16, float32 or double.
bool is_floating_point(DataType type);

/// A signed or unsigned integer of 2 to 64 bits (bool is none).
bool is_integer(DataType type);

/// IEEE 754 half precision; conversion rounds to nearest even, overflows to infinity, keeps NaN.
struct Float16 {
  std::uint16_t bits = 0;
  friend bool operator==(Float16, Float16) = default;
};
Float16 to_float16(float value);
float to_float(Float16 value);

/// The upper half of a float32; conversion rounds to nearest even, keeps NaN.
struct BFloat16 {
  std::uint16_t bits = 0;
  friend bool operator==(BFloat16, BFloat16) = default;
};
BFloat16 to_bfloat16(float value);
inline float to_float(BFloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

/// The DataType of a C++ element type: `data_type_of<float>() == DataType::kFloat`.
template <typename T>
constexpr DataType data_type_of();
template <>
constexpr DataType data_type_of<float>() {
  return DataType::kFloat;
}
template <>
constexpr DataType data_type_of<double>() {
  return DataType::kDouble;
}
template <>
constexpr DataType data_type_of<Float16>() {
  return DataType::kFloat16;
}
template <>
constexpr DataType data_type_of<BFloat16>() {
  return DataType::kBFloat16;
}
template <>
constexpr DataType data_type_of<std::uint8_t>() {
  return DataType::kUint8;
}
template <>
constexpr DataType data_type_of<std::int8_t>() {
  return DataType::kInt8;
}
template <>
constexpr DataType data_type_of<std::uint16_t>() {
  return DataType::kUint16;
}
template <>
constexpr DataType data_type_of<std::int16_t>() {
  return DataType::kInt16;
}
template <>
constexpr DataType data_type_of<std::uint32_t>() {
  return DataType::kUint32;
}
template <>
constexpr DataType data_type_of<std::int32_t>() {
  return DataType::kInt32;
}
template <>
constexpr DataType data_type_of<std::uint64_t>() {
  return DataType::kUint64;
}
template <>
constexpr DataType data_type_of<std::int64_t>() {
  return DataType::kInt64;
}
template <>
constexpr DataType data_type_of<bool>() {
  return DataType::kBool;
}

}  // namespace press
