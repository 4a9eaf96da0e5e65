#include "press/ir/data_type.h"

#include <array>
#include <cmath>
#include <limits>

namespace press {
namespace {

struct TypeRow {
  DataType type;
  int bits;
  std::string_view name;
};

constexpr std::array kTypes = {
    TypeRow{DataType::kFloat, 32, "float32"},
    TypeRow{DataType::kUint8, 8, "uint8"},
    TypeRow{DataType::kInt8, 8, "int8"},
    TypeRow{DataType::kUint16, 16, "uint16"},
    TypeRow{DataType::kInt16, 16, "int16"},
    TypeRow{DataType::kInt32, 32, "int32"},
    TypeRow{DataType::kInt64, 64, "int64"},
    TypeRow{DataType::kString, 0, "string"},
    TypeRow{DataType::kBool, 8, "bool"},
    TypeRow{DataType::kFloat16, 16, "float16"},
    TypeRow{DataType::kDouble, 64, "float64"},
    TypeRow{DataType::kUint32, 32, "uint32"},
    TypeRow{DataType::kUint64, 64, "uint64"},
    TypeRow{DataType::kComplex64, 64, "complex64"},
    TypeRow{DataType::kComplex128, 128, "complex128"},
    TypeRow{DataType::kBFloat16, 16, "bfloat16"},
    TypeRow{DataType::kFloat8E4M3FN, 8, "float8e4m3fn"},
    TypeRow{DataType::kFloat8E4M3FNUZ, 8, "float8e4m3fnuz"},
    TypeRow{DataType::kFloat8E5M2, 8, "float8e5m2"},
    TypeRow{DataType::kFloat8E5M2FNUZ, 8, "float8e5m2fnuz"},
    TypeRow{DataType::kUint4, 4, "uint4"},
    TypeRow{DataType::kInt4, 4, "int4"},
    TypeRow{DataType::kFloat4E2M1, 4, "float4e2m1"},
    TypeRow{DataType::kFloat8E8M0, 8, "float8e8m0"},
    TypeRow{DataType::kUint2, 2, "uint2"},
    TypeRow{DataType::kInt2, 2, "int2"},
};

const TypeRow* find(DataType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return &row;
  }
  return nullptr;
}

}  // namespace

int bit_width(DataType type) {
  const TypeRow* row = find(type);
  return row != nullptr ? row->bits : 0;
}

std::string_view name(DataType type) {
  const TypeRow* row = find(type);
  return row != nullptr ? row->name : "undefined";
}

std::optional<DataType> data_type_from_name(std::string_view name) {
  for (const TypeRow& row : kTypes) {
    if (row.name == name) return row.type;
  }
  return std::nullopt;
}

bool is_floating_point(DataType type) {
  return type == DataType::kFloat || type == DataType::kFloat16 || type == DataType::kBFloat16 ||
         type == DataType::kDouble;
}

bool is_integer(DataType type) {
  switch (type) {
    case DataType::kUint8:
    case DataType::kInt8:
    case DataType::kUint16:
    case DataType::kInt16:
    case DataType::kInt32:
    case DataType::kInt64:
    case DataType::kUint32:
    case DataType::kUint64:
    case DataType::kUint4:
    case DataType::kInt4:
    case DataType::kUint2:
    case DataType::kInt2:
      return true;
    default:
      return false;
  }
}

Float16 to_float16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return {static_cast<std::uint16_t>(sign | 0x7e00u)};  // NaN
  if (magnitude >= 0x477ff000u)
    return {static_cast<std::uint16_t>(sign | 0x7c00u)};  // rounds to 2^16 or more
  if (magnitude < 0x38800000u) {
    // Below the smallest normal half, 2^-14: a multiple of 2^-24, rounded by the float adder itself.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return {static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u))};
  }
  const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return {static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13))};
}

float to_float(Float16 value) {
  const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000u) << 16;
  const std::uint32_t exponent = (value.bits >> 10) & 0x1fu;
  const std::uint32_t mantissa = value.bits & 0x3ffu;
  if (exponent == 0x1fu) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
  const float subnormal = std::ldexp(static_cast<float>(mantissa), -24);
  return sign != 0 ? -subnormal : subnormal;
}

BFloat16 to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<std::uint16_t>((bits >> 16) | 0x40u)};
  return {static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

}  // namespace press
