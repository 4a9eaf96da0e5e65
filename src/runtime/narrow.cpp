#include "runtime/narrow.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace press {

namespace {

/// Sign, exponent and mantissa of a small float type, as the ONNX documentation ("Float stored in 8 bits",
/// "Float stored in 4 bits") defines them.
struct Format {
  int mantissa_bits = 0;
  int exponent_bias = 0;
  std::uint8_t sign = 0x80;
  std::uint8_t largest = 0;   // code of the largest finite value
  std::uint8_t infinity = 0;  // 0: has none
  std::uint8_t nan = 0;
  bool negative_zero = true;  // false: its code is the only NaN
};

Format format_of(DataType type) {
  switch (type) {
    case DataType::kFloat8E4M3FN:
      return {.mantissa_bits = 3, .exponent_bias = 7, .largest = 0x7E, .nan = 0x7F};
    case DataType::kFloat8E4M3FNUZ:
      return {.mantissa_bits = 3, .exponent_bias = 8, .largest = 0x7F, .nan = 0x80, .negative_zero = false};
    case DataType::kFloat8E5M2:
      return {.mantissa_bits = 2, .exponent_bias = 15, .largest = 0x7B, .infinity = 0x7C, .nan = 0x7E};
    case DataType::kFloat8E5M2FNUZ:
      return {.mantissa_bits = 2, .exponent_bias = 16, .largest = 0x7F, .nan = 0x80, .negative_zero = false};
    default:  // float4e2m1, which has no NaN: like the reference, -0 stands for it
      return {.mantissa_bits = 1, .exponent_bias = 1, .sign = 0x08, .largest = 0x07, .nan = 0x08};
  }
}

/// Powers of 2 from 2^-127 on; the last code is NaN. The sign is lost.
std::uint8_t encode_power(float value, const SmallFloatRounding& how) {
  constexpr std::uint32_t kNan = 0xFF;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t exponent = (bits >> 23) & 0xFF;
  if (exponent == kNan) return kNan;
  constexpr std::uint32_t kHalf = 0x400000;
  std::uint32_t fraction = bits & 0x7FFFFF;
  // Below 2^-126 the float32 has no leading one of its own; what is below 2^-127 counts as that.
  if (exponent == 0) fraction = fraction > kHalf ? (fraction - kHalf) * 2 : 0;
  bool up = how.rounding == "up" ? fraction != 0 : how.rounding == "nearest" && fraction >= kHalf;
  if (how.saturate && exponent + 1 == kNan) up = false;
  return static_cast<std::uint8_t>(exponent + (up ? 1 : 0));
}

}  // namespace

bool is_small_float(DataType type) {
  switch (type) {
    case DataType::kFloat8E4M3FN:
    case DataType::kFloat8E4M3FNUZ:
    case DataType::kFloat8E5M2:
    case DataType::kFloat8E5M2FNUZ:
    case DataType::kFloat8E8M0:
    case DataType::kFloat4E2M1:
      return true;
    default:
      return false;
  }
}

bool is_packed_integer(DataType type) {
  return is_integer(type) && bit_width(type) < 8;
}

float decode(DataType type, std::uint8_t code) {
  if (is_packed_integer(type)) {
    const int bits = bit_width(type);
    const int value = code & ((1 << bits) - 1);
    const bool is_signed = type == DataType::kInt4 || type == DataType::kInt2;
    return static_cast<float>(is_signed && value >> (bits - 1) != 0 ? value - (1 << bits) : value);
  }
  if (type == DataType::kFloat8E8M0) {
    return code == 0xFF ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.0F, code - 127);
  }
  const Format format = format_of(type);
  code &= static_cast<std::uint8_t>(format.sign | (format.sign - 1));
  const auto magnitude = static_cast<std::uint8_t>(code & (format.sign - 1));
  const float sign = (code & format.sign) != 0 ? -1.0F : 1.0F;
  if (!format.negative_zero && code == format.nan) return std::numeric_limits<float>::quiet_NaN();
  if (format.infinity != 0 && magnitude == format.infinity)
    return sign * std::numeric_limits<float>::infinity();
  if (magnitude > format.largest) return std::numeric_limits<float>::quiet_NaN();
  const int exponent = magnitude >> format.mantissa_bits;
  const int mantissa = magnitude & ((1 << format.mantissa_bits) - 1);
  const int scale = std::max(exponent, 1) - format.exponent_bias - format.mantissa_bits;
  const int whole = exponent > 0 ? mantissa + (1 << format.mantissa_bits) : mantissa;
  return sign * std::ldexp(static_cast<float>(whole), scale);
}

std::uint8_t encode(DataType type, float value, const SmallFloatRounding& how) {
  if (type == DataType::kFloat8E8M0) return encode_power(value, how);
  const Format format = format_of(type);
  if (std::isnan(value)) return format.nan;
  const std::uint8_t sign = std::signbit(value) ? format.sign : std::uint8_t{0};
  std::int64_t magnitude = format.largest + 1;  // too large
  if (std::isfinite(value)) {
    const int smallest = 1 - format.exponent_bias;
    const int exponent = value == 0 ? smallest : std::max(std::ilogb(value), smallest);
    // In units of the last place; where it rounds up to the next power of 2, the code carries over by itself.
    const double units =
        std::nearbyint(std::ldexp(std::abs(static_cast<double>(value)), format.mantissa_bits - exponent));
    const std::int64_t normal = std::int64_t{exponent + format.exponent_bias - 1} << format.mantissa_bits;
    magnitude = normal + static_cast<std::int64_t>(units);
  }
  if (magnitude > format.largest) {
    if (how.saturate || type == DataType::kFloat4E2M1) {
      magnitude = format.largest;
    } else if (format.infinity != 0) {
      magnitude = format.infinity;
    } else {
      return format.negative_zero ? static_cast<std::uint8_t>(sign | format.nan) : format.nan;
    }
  }
  if (magnitude == 0 && !format.negative_zero) return 0;
  return static_cast<std::uint8_t>(sign | static_cast<std::uint8_t>(magnitude));
}

std::vector<std::uint8_t> unpacked(const Tensor& tensor) {
  const auto bits = static_cast<std::size_t>(bit_width(tensor.type()));
  const std::size_t each = 8 / bits;
  const auto mask = static_cast<std::uint8_t>((1U << bits) - 1);
  const std::span<const std::byte> bytes = tensor.bytes();
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(tensor.size()));
  for (std::size_t i = 0; i < codes.size(); ++i) {
    codes[i] =
        static_cast<std::uint8_t>(std::to_integer<unsigned>(bytes[i / each]) >> (i % each * bits)) & mask;
  }
  return codes;
}

void pack(const std::vector<std::uint8_t>& codes, Tensor& tensor) {
  const auto bits = static_cast<std::size_t>(bit_width(tensor.type()));
  const std::size_t each = 8 / bits;
  const auto mask = static_cast<std::uint8_t>((1U << bits) - 1);
  const std::span<std::byte> bytes = tensor.mutable_bytes();
  std::ranges::fill(bytes, std::byte{0});
  for (std::size_t i = 0; i < codes.size(); ++i) {
    bytes[i / each] |= static_cast<std::byte>((codes[i] & mask) << (i % each * bits));
  }
}

}  // namespace press
