#include "press/ir/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <mutex>

#include "press/support/hash.h"
#include "press/support/mapped_file.h"

namespace press {

namespace {
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kLargeBytes = std::size_t{16} << 20;  // of a weight that need not stay in memory

struct FreeDeleter {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using OwnedBytes = std::unique_ptr<std::byte[], FreeDeleter>;

OwnedBytes allocate_bytes(std::size_t size) {
  const std::size_t rounded = (std::max<std::size_t>(size, 1) + kAlignment - 1) / kAlignment * kAlignment;
  return OwnedBytes(static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded)));
}
}  // namespace

/// The bytes behind one or more tensors: owned and aligned, lent by an owner to be written, or borrowed from
/// an owner only to be read and perhaps not aligned.
class Storage {
 public:
  Storage(OwnedBytes owned, std::size_t size) : owned_(std::move(owned)), bytes_(owned_.get(), size) {}
  Storage(std::span<const std::byte> bytes, std::shared_ptr<const void> owner)
      : owner_(std::move(owner)), bytes_(bytes) {}
  Storage(std::span<std::byte> lent, std::shared_ptr<void> owner)
      : owner_(std::move(owner)), lent_(lent.data()), bytes_(lent) {}
  explicit Storage(std::vector<std::string> strings) : strings_(std::move(strings)) {}

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::vector<std::string>& strings() const { return strings_; }
  bool writable() const { return lent_ != nullptr || (owned_ != nullptr && owner_ == nullptr); }

  const std::byte* aligned() {
    if (reinterpret_cast<std::uintptr_t>(bytes_.data()) % alignof(std::max_align_t) == 0)
      return bytes_.data();
    std::call_once(align_once_, [this] {
      owned_ = allocate_bytes(bytes_.size());
      if (owned_ == nullptr) throw std::bad_alloc();
      std::memcpy(owned_.get(), bytes_.data(), bytes_.size());
      MappedFile::release(bytes_);
    });
    return owned_.get();
  }

  std::span<std::byte> writable_bytes() {
    hash_ = 0;
    return {lent_ != nullptr ? lent_ : owned_.get(), bytes_.size()};
  }

  std::uint64_t hash() {
    std::uint64_t hash = hash_;
    if (hash != 0) return hash;
    hash = hash_bytes(bytes_);
    if (bytes_.size() > kLargeBytes)
      MappedFile::release(bytes_);  // where they lie in a file, they are read again
    for (const std::string& text : strings_) hash = hash_combine(hash, hash_bytes(text));
    hash_ = hash;
    return hash;
  }

 private:
  OwnedBytes owned_;                   // our own bytes, or the aligned copy of borrowed ones
  std::shared_ptr<const void> owner_;  // keeps bytes that are not ours alive
  std::byte* lent_ = nullptr;
  std::span<const std::byte> bytes_;
  std::vector<std::string> strings_;
  std::once_flag align_once_;
  std::atomic<std::uint64_t> hash_ = 0;  // 0: not computed since the last write
};

Result<std::int64_t> element_count(const Dims& dims) {
  std::int64_t count = 1;
  bool empty = false;
  for (const std::int64_t dim : dims) {
    if (dim < 0) return Error(ErrorCode::kInput, fmt::format("dimension {} is negative", dim));
    if (dim == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(count, dim, &count)) {
      return Error(ErrorCode::kInput, fmt::format("shape {} has too many elements", to_string(dims)));
    }
  }
  return empty ? 0 : count;
}

std::int64_t byte_size(DataType type, std::int64_t count) {
  const std::int64_t bits = bit_width(type);
  return bits % 8 == 0 ? count * (bits / 8) : count / (8 / bits) + (count % (8 / bits) != 0 ? 1 : 0);
}

std::string to_string(const Dims& dims) {
  return dims.empty() ? "scalar" : fmt::format("{}", fmt::join(dims, "x"));
}

namespace {
/// The element count of a tensor whose bytes fit into memory addresses.
Result<std::int64_t> checked_count(DataType type, const Dims& dims) {
  if (bit_width(type) == 0) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("element type {} has no fixed width", static_cast<int>(type)));
  }
  PRESS_ASSIGN(const std::int64_t count, element_count(dims));
  if (count > std::numeric_limits<std::int64_t>::max() / 16) {
    return Error(ErrorCode::kInput, fmt::format("shape {} has too many elements", to_string(dims)));
  }
  return count;
}
}  // namespace

Result<Tensor> Tensor::allocate(DataType type, Dims dims) {
  PRESS_ASSIGN(const std::int64_t count, checked_count(type, dims));
  const auto size = static_cast<std::size_t>(byte_size(type, count));
  OwnedBytes bytes = allocate_bytes(size);
  if (bytes == nullptr) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("not enough memory for a tensor of {} {} elements ({} bytes)", to_string(dims),
                             name(type), size));
  }
  Tensor tensor;
  tensor.type_ = type;
  tensor.dims_ = std::move(dims);
  tensor.size_ = count;
  tensor.storage_ = std::make_shared<Storage>(std::move(bytes), size);
  return tensor;
}

Result<Tensor> Tensor::from_bytes(DataType type, Dims dims, std::span<const std::byte> bytes,
                                  std::shared_ptr<const void> owner) {
  PRESS_ASSIGN(const std::int64_t count, checked_count(type, dims));
  if (byte_size(type, count) != static_cast<std::int64_t>(bytes.size())) {
    return Error(ErrorCode::kInput,
                 fmt::format("{} {} elements need {} bytes, but there are {}", to_string(dims), name(type),
                             byte_size(type, count), bytes.size()));
  }
  Tensor tensor;
  tensor.type_ = type;
  tensor.dims_ = std::move(dims);
  tensor.size_ = count;
  tensor.storage_ = std::make_shared<Storage>(bytes, std::move(owner));
  return tensor;
}

Result<Tensor> Tensor::over(DataType type, Dims dims, std::span<std::byte> memory,
                            std::shared_ptr<void> owner) {
  PRESS_ASSIGN(const std::int64_t count, checked_count(type, dims));
  const auto size = static_cast<std::size_t>(byte_size(type, count));
  if (size > memory.size()) {
    return Error(ErrorCode::kInternal, fmt::format("{} {} elements need {} bytes, but {} are lent",
                                                   to_string(dims), name(type), size, memory.size()));
  }
  Tensor tensor;
  tensor.type_ = type;
  tensor.dims_ = std::move(dims);
  tensor.size_ = count;
  tensor.storage_ = std::make_shared<Storage>(memory.first(size), std::move(owner));
  return tensor;
}

Result<Tensor> Tensor::from_strings(Dims dims, std::vector<std::string> strings) {
  PRESS_ASSIGN(const std::int64_t count, element_count(dims));
  if (count != static_cast<std::int64_t>(strings.size())) {
    return Error(ErrorCode::kInput, fmt::format("shape {} asks for {} strings, but there are {}",
                                                to_string(dims), count, strings.size()));
  }
  Tensor tensor;
  tensor.type_ = DataType::kString;
  tensor.dims_ = std::move(dims);
  tensor.size_ = count;
  tensor.storage_ = std::make_shared<Storage>(std::move(strings));
  return tensor;
}

std::span<const std::byte> Tensor::bytes() const {
  return storage_ != nullptr ? storage_->bytes() : std::span<const std::byte>();
}

const std::byte* Tensor::aligned_bytes() const {
  return storage_ != nullptr ? storage_->aligned() : nullptr;
}

std::span<std::byte> Tensor::mutable_bytes() {
  assert(storage_ != nullptr && type_ != DataType::kString);
  if (!storage_->writable() || storage_.use_count() != 1) {
    const std::span<const std::byte> old = storage_->bytes();
    OwnedBytes copy = allocate_bytes(old.size());
    if (copy == nullptr) throw std::bad_alloc();
    if (!old.empty()) std::memcpy(copy.get(), old.data(), old.size());
    storage_ = std::make_shared<Storage>(std::move(copy), old.size());
  }
  return storage_->writable_bytes();
}

const std::vector<std::string>& Tensor::strings() const {
  assert(type_ == DataType::kString);
  return storage_->strings();
}

Tensor Tensor::reshaped(Dims dims) const {
  [[maybe_unused]] const Result<std::int64_t> count = element_count(dims);
  assert(count.ok() && *count == size_);
  Tensor view = *this;
  view.dims_ = std::move(dims);
  return view;
}

std::uint64_t Tensor::hash() const {
  std::uint64_t hash = static_cast<std::uint64_t>(type_);
  for (const std::int64_t dim : dims_) hash = hash_combine(hash, static_cast<std::uint64_t>(dim));
  return storage_ != nullptr ? hash_combine(hash, storage_->hash()) : hash;
}

bool operator==(const Tensor& a, const Tensor& b) {
  if (a.type_ != b.type_ || a.dims_ != b.dims_) return false;
  if (a.storage_ == b.storage_) return true;
  if (a.type_ == DataType::kString) return a.strings() == b.strings();
  return std::ranges::equal(a.bytes(), b.bytes());
}

}  // namespace press
