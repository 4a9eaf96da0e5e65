// 64-bit non-cryptographic hashes (XXH3), the same on every machine and in every run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace press {

std::uint64_t hash_bytes(std::span<const std::byte> bytes, std::uint64_t seed = 0);
std::uint64_t hash_bytes(std::string_view text, std::uint64_t seed = 0);

/// Mixes `value` into `seed`; the order of calls matters.
std::uint64_t hash_combine(std::uint64_t seed, std::uint64_t value);

}  // namespace press
