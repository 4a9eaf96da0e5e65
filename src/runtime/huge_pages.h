// Large blocks of memory on large pages: fewer misses of the address cache.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <memory>

namespace press {

/// Asks the system to put what lies in whole large pages of the block on such pages; a wish, no more.
inline void prefer_huge_pages([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t size) {
#ifdef MADV_HUGEPAGE
  constexpr std::size_t kHugePage = std::size_t{1} << 21;
  void* begin = memory;
  if (std::align(kHugePage, kHugePage, begin, size) != nullptr) {
    madvise(begin, size / kHugePage * kHugePage, MADV_HUGEPAGE);
  }
#endif
}

}  // namespace press
