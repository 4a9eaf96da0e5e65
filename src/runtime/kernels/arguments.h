// What kernels ask of their inputs, with errors that say what was expected and what was found.
#pragma once

#include <fmt/format.h>

#include "runtime/kernel.h"

namespace press::kernels {

/// An input that must be there.
inline Result<const Tensor*> required(const KernelContext& context, std::size_t index) {
  const Tensor* tensor = context.input(index);
  if (tensor == nullptr) return Error(ErrorCode::kInput, fmt::format("input {} is missing", index));
  return tensor;
}

/// An input that must be there and of one type.
inline Result<const Tensor*> required(const KernelContext& context, std::size_t index, DataType type) {
  PRESS_ASSIGN(const Tensor* tensor, required(context, index));
  if (tensor->type() != type) {
    return Error(ErrorCode::kInput,
                 fmt::format("input {} should be {}, but is {}", index, name(type), name(tensor->type())));
  }
  return tensor;
}

/// An input that may be omitted (null); of one type where it is there.
inline Result<const Tensor*> optional(const KernelContext& context, std::size_t index, DataType type) {
  if (context.input(index) == nullptr) return static_cast<const Tensor*>(nullptr);
  return required(context, index, type);
}

/// A list with one entry per channel (bias, scale, mean).
inline Result<const Tensor*> per_channel(const KernelContext& context, std::size_t index,
                                         std::int64_t channels, DataType type = DataType::kFloat) {
  PRESS_ASSIGN(const Tensor* tensor, required(context, index, type));
  if (tensor->rank() != 1 || tensor->size() != channels) {
    return Error(ErrorCode::kInput,
                 fmt::format("input {} should have one entry for each of {} channels, but is {}", index,
                             channels, to_string(tensor->dims())));
  }
  return tensor;
}

/// The product of dims[begin, end); the dims are those of a tensor that exists.
inline std::int64_t product(const Dims& dims, std::size_t begin, std::size_t end) {
  std::int64_t result = 1;
  for (std::size_t i = begin; i < end; ++i) result *= dims[i];
  return result;
}
inline std::int64_t product(const Dims& dims, std::size_t begin = 0) {
  return product(dims, begin, dims.size());
}

/// The matrix of a batch with dims `own` that meets matrix `index` of the broadcast batch.
inline std::int64_t batch_index(const Dims& batch, const Dims& own, std::int64_t index) {
  std::int64_t result = 0;
  std::int64_t stride = 1;
  for (std::size_t i = batch.size(); i-- > 0;) {
    const std::int64_t coordinate = index % batch[i];
    index /= batch[i];
    if (i + own.size() < batch.size()) continue;
    const std::int64_t extent = own[i + own.size() - batch.size()];
    if (extent != 1) result += coordinate * stride;
    stride *= extent;
  }
  return result;
}

}  // namespace press::kernels
