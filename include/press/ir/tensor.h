// A dense tensor: element type, dims, and bytes that are shared and never change while they are shared.
//
// The bytes are owned memory, a part of a mapped model file, or memory of the executor. Copying a Tensor
// copies a pointer. Bytes are little-endian and packed as in ONNX's raw_data (types below 8 bits: low bits
// first).
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "press/ir/data_type.h"
#include "press/support/result.h"

namespace press {

using Dims = std::vector<std::int64_t>;

/// Product of the dims; an Error where one is negative or the product overflows.
Result<std::int64_t> element_count(const Dims& dims);

/// Bytes of `count` elements, packed.
std::int64_t byte_size(DataType type, std::int64_t count);

/// "2x3x4"; "scalar" for no dims.
std::string to_string(const Dims& dims);

class Storage;

class Tensor {
 public:
  /// An empty tensor of type kUndefined.
  Tensor() = default;

  /// Uninitialised memory of our own, aligned to 64 bytes. Errors: negative or overflowing dims, an element
  /// type of unknown width, more memory than the process can get.
  static Result<Tensor> allocate(DataType type, Dims dims);

  /// Bytes kept alive by `owner`. Errors: `bytes` does not have exactly the size that type and dims ask for.
  static Result<Tensor> from_bytes(DataType type, Dims dims, std::span<const std::byte> bytes,
                                   std::shared_ptr<const void> owner);

  /// Memory lent by `owner` (the executor's pool), which this tensor may write while nobody shares it.
  /// `memory` is aligned to 64 bytes and may be larger than needed. Errors: as allocate(); `memory` is too
  /// small.
  static Result<Tensor> over(DataType type, Dims dims, std::span<std::byte> memory,
                             std::shared_ptr<void> owner);

  /// A tensor of strings. Errors: the count does not match the dims.
  static Result<Tensor> from_strings(Dims dims, std::vector<std::string> strings);

  /// A copy of `values`, which must be as many as the dims say.
  template <typename T>
  static Tensor of(const Dims& dims, std::span<const T> values);
  template <typename T>
  static Tensor of(const Dims& dims, const std::vector<T>& values) {
    return of<T>(dims, std::span<const T>(values));
  }
  template <typename T>
  static Tensor scalar(T value) {
    return of<T>({}, std::span<const T>(&value, 1));
  }

  DataType type() const { return type_; }
  const Dims& dims() const { return dims_; }
  std::size_t rank() const { return dims_.size(); }
  std::int64_t size() const { return size_; }
  bool defined() const { return type_ != DataType::kUndefined; }

  /// The packed bytes, as they stand in a file; possibly not aligned.
  std::span<const std::byte> bytes() const;

  /// The elements as T, aligned (bytes of a mapped file that are not aligned are copied once, here). T must
  /// be the type's own C++ type.
  template <typename T>
  std::span<const T> data() const {
    assert(type_ == data_type_of<T>());
    return {reinterpret_cast<const T*>(aligned_bytes()), static_cast<std::size_t>(size_)};
  }

  /// The same, to write; copies first where the bytes are shared or not ours.
  template <typename T>
  std::span<T> mutable_data() {
    assert(type_ == data_type_of<T>());
    return {reinterpret_cast<T*>(mutable_bytes().data()), static_cast<std::size_t>(size_)};
  }
  std::span<std::byte> mutable_bytes();

  /// Aligned bytes, for code that dispatches on type() itself.
  const std::byte* aligned_bytes() const;

  const std::vector<std::string>& strings() const;

  /// The same bytes under other dims of the same element count.
  Tensor reshaped(Dims dims) const;

  /// A 64-bit hash of type, dims and bytes; computed once for shared bytes.
  std::uint64_t hash() const;

  /// Type, dims and bytes (or strings) are the same.
  friend bool operator==(const Tensor& a, const Tensor& b);

 private:
  DataType type_ = DataType::kUndefined;
  Dims dims_;
  std::int64_t size_ = 0;
  std::shared_ptr<Storage> storage_;
};

template <typename T>
Tensor Tensor::of(const Dims& dims, std::span<const T> values) {
  auto made = allocate(data_type_of<T>(), dims);
  assert(made.ok() && made->size() == static_cast<std::int64_t>(values.size()));
  std::span<T> target = made->template mutable_data<T>();
  for (std::size_t i = 0; i < values.size(); ++i) target[i] = values[i];
  return std::move(made).value();
}

}  // namespace press
