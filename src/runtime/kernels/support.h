// What the kernels share: access to inputs, choice of a template by element type, and loops over broadcast
// operands.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "press/ir/tensor.h"
#include "press/support/vector_loops.h"
#include "runtime/kernel.h"
#include "runtime/kernels/arguments.h"
#include "runtime/parallel.h"

namespace press::kernels {

/// Elements that are worth a thread of their own.
inline constexpr std::int64_t kElementGrain = 16384;

/// Whether a number of any type is NaN.
template <typename T>
bool not_a_number(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::isnan(value);
  } else {
    return false;
  }
}

template <typename... Args>
Error reject(fmt::format_string<Args...> format, Args&&... args) {
  return {ErrorCode::kInput, fmt::format(format, std::forward<Args>(args)...)};
}

/// Errors (kInput): the tensors have different element types.
Status same_type(const Tensor& a, const Tensor& b);

/// kUnsupported: the node's operator is not implemented for this element type.
Error unsupported_type(const KernelContext& context, DataType type);

/// The elements of an int32 or int64 tensor. Errors: another type.
Result<std::vector<std::int64_t>> integers(const Tensor& tensor);
/// The only element of an int32 or int64 tensor. Errors: another type, not one element.
Result<std::int64_t> single_integer(const Tensor& tensor);
/// The only element of a tensor of any real type.
Result<double> single_number(const Tensor& tensor);

/// An integer list that is an attribute before opset `since` and the input `input` from then on; nullopt
/// where the node does not give it.
Result<std::optional<std::vector<std::int64_t>>> list_argument(const KernelContext& context,
                                                               const char* attribute, std::size_t input,
                                                               std::int64_t since);

/// Row-major strides in elements.
Dims strides_of(const Dims& dims);

/// The product of dims [first, last), which belong to an existing tensor.
std::int64_t span_count(const Dims& dims, std::size_t first, std::size_t last);

/// Calls body.template operator()<T>() with the C++ type of `type` if it is one of Ts. Errors: it is none of
/// them.
template <typename... Ts, typename Body>
Status dispatch(const KernelContext& context, DataType type, const Body& body) {
  std::optional<Status> status;
  const auto attempt = [&]<typename T>() {
    if (!status && type == data_type_of<T>()) status = body.template operator()<T>();
  };
  (attempt.template operator()<Ts>(), ...);
  return status ? std::move(*status) : Status(unsupported_type(context, type));
}

template <typename Body>
Status dispatch_integers(const KernelContext& context, DataType type, const Body& body) {
  return dispatch<std::int64_t, std::int32_t, std::uint8_t, std::int8_t, std::uint32_t, std::uint64_t,
                  std::int16_t, std::uint16_t>(context, type, body);
}

/// float32, double and integers of 8 to 64 bits.
template <typename Body>
Status dispatch_numbers(const KernelContext& context, DataType type, const Body& body) {
  if (type == DataType::kFloat) return body.template operator()<float>();
  if (type == DataType::kDouble) return body.template operator()<double>();
  return dispatch_integers(context, type, body);
}

/// Bytes of one element. Errors: the type is packed tighter than bytes, or strings.
Result<std::size_t> element_width(const KernelContext& context, DataType type);

/// Calls body with an unsigned integer type as wide as the elements: for kernels that only move them.
template <typename Body>
Status dispatch_width(const KernelContext& context, DataType type, const Body& body) {
  PRESS_ASSIGN(const std::size_t width, element_width(context, type));
  if (width == 1) return body.template operator()<std::uint8_t>();
  if (width == 2) return body.template operator()<std::uint16_t>();
  if (width == 4) return body.template operator()<std::uint32_t>();
  if (width == 8) return body.template operator()<std::uint64_t>();
  return unsupported_type(context, type);
}

/// The elements seen as T, whatever type of that width they have.
template <typename T>
const T* raw(const Tensor& tensor) {
  return reinterpret_cast<const T*>(tensor.aligned_bytes());
}
template <typename T>
T* raw(Tensor& tensor) {
  return reinterpret_cast<T*>(tensor.mutable_bytes().data());
}

/// A walk over operands that broadcast against each other. Axes along which all operands run on are merged,
/// so that the innermost row is long: [N,C,H,W] with [C,1,1] becomes rows of H*W elements against one.
class BroadcastLoop {
 public:
  static Result<BroadcastLoop> plan(std::initializer_list<const Dims*> operands);

  const Dims& dims() const { return dims_; }
  /// True where the operand has the same element all along a row.
  bool repeats(std::size_t operand) const { return strides_[operand].back() == 0; }

  /// Calls row(first output element, first element of each operand, count) for rows or parts of rows that
  /// cover the output.
  template <std::size_t N, typename Row>
  void run(int threads, const Row& row) const {
    parallel_for(threads, count_, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t inner = extents_.back();
      Dims index(extents_.size(), 0);
      std::array<std::int64_t, N> at{};
      std::int64_t rest = begin / inner;
      std::int64_t skip = begin % inner;
      for (std::size_t axis = extents_.size() - 1; axis-- > 0;) {
        index[axis] = rest % extents_[axis];
        rest /= extents_[axis];
        for (std::size_t k = 0; k < N; ++k) at[k] += index[axis] * strides_[k][axis];
      }
      for (std::int64_t position = begin; position < end;) {
        const std::int64_t count = std::min(inner - skip, end - position);
        std::array<std::int64_t, N> from = at;
        for (std::size_t k = 0; k < N; ++k) from[k] += skip * strides_[k].back();
        row(position, from, count);
        position += count;
        skip = 0;
        for (std::size_t axis = extents_.size() - 1; axis-- > 0;) {
          for (std::size_t k = 0; k < N; ++k) at[k] += strides_[k][axis];
          if (++index[axis] < extents_[axis]) break;
          for (std::size_t k = 0; k < N; ++k) at[k] -= index[axis] * strides_[k][axis];
          index[axis] = 0;
        }
      }
    });
  }

 private:
  Dims dims_;
  std::int64_t count_ = 0;
  Dims extents_;               // merged, innermost last, at least one
  std::vector<Dims> strides_;  // per operand
};

template <typename A, typename B, typename R, typename Op, bool repeat_a, bool repeat_b>
struct CombineLoop {
  PRESS_VECTOR_LOOP void run(const A* a, const B* b, R* target, std::int64_t count, const Op* op) {
    const A one_a = *a;
    const B one_b = *b;
    for (std::int64_t i = 0; i < count; ++i)
      target[i] = (*op)(repeat_a ? one_a : a[i], repeat_b ? one_b : b[i]);
  }
};

/// One output element from one element of each operand: out[i] = op(a[i], b[i]).
template <typename A, typename B, typename R, typename Op>
void combine(const BroadcastLoop& loop, const A* a, const B* b, R* out, int threads, const Op& op) {
  const bool repeat_a = loop.repeats(0), repeat_b = loop.repeats(1);
  loop.run<2>(threads,
              [&](std::int64_t position, const std::array<std::int64_t, 2>& from, std::int64_t count) {
                R* target = out + position;
                const A* left = a + from[0];
                const B* right = b + from[1];
                if (!repeat_a && !repeat_b) {
                  run_vectorized<CombineLoop<A, B, R, Op, false, false>>(left, right, target, count, &op);
                } else if (!repeat_a) {
                  run_vectorized<CombineLoop<A, B, R, Op, false, true>>(left, right, target, count, &op);
                } else if (!repeat_b) {
                  run_vectorized<CombineLoop<A, B, R, Op, true, false>>(left, right, target, count, &op);
                } else {
                  std::fill_n(target, count, op(*left, *right));
                }
              });
}

/// A block that is copied between two tensors of different strides (in elements); strides may be 0 or
/// negative.
struct StridedCopy {
  Dims extents;
  Dims from, to;
  std::int64_t from_offset = 0, to_offset = 0;
};

/// Copies elements of `width` bytes (1, 2, 4 or 8). Blocks that are contiguous in both are moved whole,
/// transposed ones in tiles that stay in cache.
void copy_strided(const StridedCopy& copy, const std::byte* source, std::byte* target, std::size_t width,
                  int threads);

}  // namespace press::kernels
