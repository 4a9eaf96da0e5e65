#include "runtime/buffer_pool.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "runtime/huge_pages.h"

namespace press {

namespace {
constexpr std::size_t kAlignment = 64;
// A block serves a request unless more than half of it (and more than this) would lie idle.
constexpr std::size_t kTolerableWaste = std::size_t{64} * 1024;

std::int64_t physical_memory() {
  static const std::int64_t bytes = [] {
    const std::int64_t pages = sysconf(_SC_PHYS_PAGES);
    const std::int64_t page_size = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_size > 0 ? pages * page_size : INT64_MAX;
  }();
  return bytes;
}
}  // namespace

BufferPool::~BufferPool() {
  for (const auto& [size, memory] : free_) std::free(memory);
}

Result<Tensor> BufferPool::allocate(DataType type, Dims dims) {
  if (bit_width(type) == 0) return Tensor::allocate(type, std::move(dims));  // its error says it best
  PRESS_ASSIGN(const std::int64_t count, element_count(dims));
  if (count > physical_memory() || byte_size(type, count) > physical_memory()) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("a tensor of {} {} elements is larger than this machine's memory",
                             to_string(dims), name(type)));
  }
  const auto wanted = static_cast<std::size_t>(byte_size(type, count));
  std::size_t size = 0;
  std::byte* memory = take(wanted, size);
  if (memory == nullptr) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("not enough memory for a tensor of {} {} elements ({} bytes)", to_string(dims),
                             name(type), wanted));
  }
  std::shared_ptr<void> owner(memory, [pool = shared_from_this(), size](void* block) {
    pool->give_back(static_cast<std::byte*>(block), size);
  });
  return Tensor::over(type, std::move(dims), {memory, size}, std::move(owner));
}

std::byte* BufferPool::take(std::size_t wanted, std::size_t& size) {
  wanted = (std::max<std::size_t>(wanted, 1) + kAlignment - 1) / kAlignment * kAlignment;
  const std::lock_guard lock(mutex_);
  std::byte* memory = nullptr;
  const auto fit = free_.lower_bound(wanted);
  if (fit != free_.end() && fit->first <= std::max(2 * wanted, wanted + kTolerableWaste)) {
    size = fit->first;
    memory = fit->second;
    free_bytes_ -= static_cast<std::int64_t>(size);
    free_.erase(fit);
  } else {
    // Shapes changed: what lies idle without fitting goes before the pool outgrows its peak.
    while (!free_.empty() &&
           free_bytes_ + live_bytes_ + static_cast<std::int64_t>(wanted) > 2 * peak_bytes_) {
      const auto smallest = free_.begin();
      free_bytes_ -= static_cast<std::int64_t>(smallest->first);
      std::free(smallest->second);
      free_.erase(smallest);
    }
    size = wanted;
    memory = static_cast<std::byte*>(std::aligned_alloc(kAlignment, wanted));
    if (memory == nullptr) return nullptr;
    prefer_huge_pages(memory, wanted);
  }
  live_bytes_ += static_cast<std::int64_t>(size);
  peak_bytes_ = std::max(peak_bytes_, live_bytes_);
  return memory;
}

void BufferPool::give_back(std::byte* memory, std::size_t size) {
  const std::lock_guard lock(mutex_);
  live_bytes_ -= static_cast<std::int64_t>(size);
  free_bytes_ += static_cast<std::int64_t>(size);
  free_.emplace(size, memory);
}

std::int64_t BufferPool::live_bytes() const {
  const std::lock_guard lock(mutex_);
  return live_bytes_;
}

std::int64_t BufferPool::peak_bytes() const {
  const std::lock_guard lock(mutex_);
  return peak_bytes_;
}

void BufferPool::reset_peak() {
  const std::lock_guard lock(mutex_);
  peak_bytes_ = live_bytes_;
}

}  // namespace press
