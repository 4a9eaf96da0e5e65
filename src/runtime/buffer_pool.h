// Memory for intermediate tensors: blocks that come back when the last tensor over them is gone, and are used
// again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "press/ir/tensor.h"

namespace press {

/// Shared by the tensors over its blocks, so that results may outlive the session. Blocks may be given back
/// from any thread.
class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  static std::shared_ptr<BufferPool> create() { return std::shared_ptr<BufferPool>(new BufferPool()); }
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  /// Uninitialised memory in the smallest free block that fits, or in a new one. Errors: as Tensor::allocate;
  /// more than the machine has.
  Result<Tensor> allocate(DataType type, Dims dims);

  /// Bytes in tensors that are alive, and the highest such figure since reset_peak().
  std::int64_t live_bytes() const;
  std::int64_t peak_bytes() const;
  void reset_peak();

 private:
  BufferPool() = default;
  std::byte* take(std::size_t wanted, std::size_t& size);
  void give_back(std::byte* memory, std::size_t size);

  mutable std::mutex mutex_;
  std::multimap<std::size_t, std::byte*> free_;
  std::int64_t free_bytes_ = 0;
  std::int64_t live_bytes_ = 0;
  std::int64_t peak_bytes_ = 0;
};

}  // namespace press
