// Tensors of small integers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "press/ir/tensor.h"

namespace press {

/// Integers of 2, 4 or 8 bits as ONNX packs them, low bits first.
inline Tensor packed_integers(DataType type, const Dims& dims, std::span<const std::int32_t> integers) {
  Tensor tensor = std::move(Tensor::allocate(type, dims)).value();
  const std::span<std::byte> bytes = tensor.mutable_bytes();
  std::ranges::fill(bytes, std::byte{0});
  const auto bits = static_cast<std::size_t>(bit_width(type));
  const std::size_t in_byte = 8 / bits;
  const auto mask = static_cast<std::uint32_t>((1U << bits) - 1);
  for (std::size_t i = 0; i < integers.size(); ++i) {
    const std::uint32_t code = static_cast<std::uint32_t>(integers[i]) & mask;
    bytes[i / in_byte] |= static_cast<std::byte>(code << (i % in_byte * bits));
  }
  return tensor;
}

}  // namespace press
