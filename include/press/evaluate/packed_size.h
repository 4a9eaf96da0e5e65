// What a file takes once it is packed for download or an archive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "press/support/result.h"

namespace press {

struct PackedSize {
  std::int64_t gzip = 0;  // as `gzip` with its usual level 6 packs it, without a file name
  std::int64_t zstd = 0;  // as `zstd` with its usual level 3 packs it
};

/// Packs into nothing but a small buffer. Errors: kInternal where a packer fails.
Result<PackedSize> packed_size(std::span<const std::byte> bytes);

}  // namespace press
