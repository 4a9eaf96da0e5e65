// Operators that pick or place elements by index.
#include <algorithm>
#include <cstring>

#include "ops/shapes.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {
namespace {

/// Indices along one axis of `extent`, negative ones counted from the end. Errors: out of range.
Result<std::vector<std::int64_t>> checked_indices(const Tensor& tensor, std::int64_t extent) {
  PRESS_ASSIGN(std::vector<std::int64_t> indices, integers(tensor));
  for (std::int64_t& index : indices) {
    if (index < -extent || index >= extent)
      return reject("index {} is out of range for an axis of {}", index, extent);
    if (index < 0) index += extent;
  }
  return indices;
}

/// Element offsets into `data` of tuples of indices: `tuples` of `depth` each, over the axes from `first` on.
Result<std::vector<std::int64_t>> tuple_offsets(const Tensor& indices, std::int64_t tuples, std::size_t depth,
                                                const Dims& data, std::size_t first) {
  PRESS_ASSIGN(const std::vector<std::int64_t> values, integers(indices));
  const Dims strides = strides_of(data);
  std::vector<std::int64_t> offsets;
  for (std::size_t t = 0; t < static_cast<std::size_t>(tuples); ++t) {
    std::int64_t offset = 0;
    for (std::size_t k = 0; k < depth; ++k) {
      std::int64_t index = values[t * depth + k];
      const std::int64_t extent = data[first + k];
      if (index < -extent || index >= extent)
        return reject("index {} is out of range for an axis of {}", index, extent);
      if (index < 0) index += extent;
      offset += index * strides[first + k];
    }
    offsets.push_back(offset);
  }
  return offsets;
}

/// A copy of the input as output 0, to be written into.
Result<Tensor*> copied(KernelContext& context, const Tensor& input) {
  PRESS_ASSIGN(Tensor * output, context.allocate_output(0, input.type(), input.dims()));
  if (input.size() > 0)
    std::memcpy(output->mutable_bytes().data(), input.aligned_bytes(), input.bytes().size());
  return output;
}

/// How a scattered element meets the one that is there.
template <typename T>
T met(const std::string& reduction, T old, T update) {
  if (reduction == "add") return static_cast<T>(old + update);
  if (reduction == "mul") return static_cast<T>(old * update);
  if (reduction == "max") return std::max(old, update);
  if (reduction == "min") return std::min(old, update);
  return update;
}

/// Calls body<T>(): without a reduction T only has the width of the elements.
template <typename Body>
Status dispatch_scatter(KernelContext& context, const Tensor& data, const std::string& reduction,
                        const Body& body) {
  if (reduction == "none") return dispatch_width(context, data.type(), body);
  if (reduction != "add" && reduction != "mul" && reduction != "max" && reduction != "min") {
    return reject("attribute reduction is '{}', expected none, add, mul, max or min", reduction);
  }
  return dispatch<float, double, std::int32_t, std::int64_t, std::uint8_t, std::int8_t>(context, data.type(),
                                                                                        body);
}
}  // namespace

Status gather(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* data, required(context, 0));
  PRESS_ASSIGN(const Tensor* second, required(context, 1));
  PRESS_ASSIGN(const std::size_t axis, normalize_axis(context.node().int_attribute("axis", 0), data->rank()));
  PRESS_ASSIGN(const std::vector<std::int64_t> indices, checked_indices(*second, data->dims()[axis]));
  PRESS_ASSIGN(const std::size_t width, element_width(context, data->type()));
  const auto cut = static_cast<std::ptrdiff_t>(axis);
  Dims dims(data->dims().begin(), data->dims().begin() + cut);
  dims.insert(dims.end(), second->dims().begin(), second->dims().end());
  dims.insert(dims.end(), data->dims().begin() + cut + 1, data->dims().end());
  PRESS_ASSIGN(Tensor * output, context.allocate_output(0, data->type(), std::move(dims)));
  if (output->size() == 0) return {};
  const std::size_t row = width * static_cast<std::size_t>(span_count(data->dims(), axis + 1, data->rank()));
  const std::byte* from = data->aligned_bytes();
  std::byte* to = output->mutable_bytes().data();
  const std::int64_t extent = data->dims()[axis];
  const auto count = static_cast<std::int64_t>(indices.size());
  parallel_for(context.threads(), span_count(data->dims(), 0, axis) * count,
               std::max<std::int64_t>(1, kElementGrain / static_cast<std::int64_t>(row)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const std::int64_t source =
                       i / count * extent + indices[static_cast<std::size_t>(i % count)];
                   std::memcpy(to + static_cast<std::size_t>(i) * row,
                               from + static_cast<std::size_t>(source) * row, row);
                 }
               });
  return {};
}

Status gather_elements(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* data, required(context, 0));
  PRESS_ASSIGN(const Tensor* second, required(context, 1));
  PRESS_ASSIGN(const std::size_t axis, normalize_axis(context.node().int_attribute("axis", 0), data->rank()));
  PRESS_ASSIGN(const std::vector<std::int64_t> indices, checked_indices(*second, data->dims()[axis]));
  if (second->rank() != data->rank())
    return reject("indices of rank {} for rank {}", second->rank(), data->rank());
  for (std::size_t i = 0; i < data->rank(); ++i) {
    if (i != axis && second->dims()[i] > data->dims()[i]) {
      return reject("indices {} reach beyond the data {}", to_string(second->dims()),
                    to_string(data->dims()));
    }
  }
  return dispatch_width(context, data->type(), [&]<typename T>() -> Status {
    PRESS_ASSIGN(Tensor * output, context.allocate_output(0, data->type(), second->dims()));
    const Dims strides = strides_of(data->dims());
    const T* from = raw<T>(*data);
    T* to = raw<T>(*output);
    Dims at(data->rank(), 0);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      std::int64_t offset = indices[i] * strides[axis];
      for (std::size_t d = 0; d < at.size(); ++d) offset += d == axis ? 0 : at[d] * strides[d];
      to[i] = from[offset];
      for (std::size_t d = at.size(); d-- > 0 && ++at[d] == second->dims()[d];) at[d] = 0;
    }
    return {};
  });
}

Status gather_nd(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* data, required(context, 0));
  PRESS_ASSIGN(const Tensor* indices, required(context, 1));
  PRESS_ASSIGN(const std::size_t width, element_width(context, data->type()));
  const std::int64_t batch_dims = context.node().int_attribute("batch_dims", 0);
  const auto rank = static_cast<std::int64_t>(data->rank());
  if (indices->rank() == 0 || batch_dims < 0 || batch_dims >= static_cast<std::int64_t>(indices->rank()) ||
      batch_dims > rank || indices->dims().back() < 1 || indices->dims().back() > rank - batch_dims) {
    return reject("indices {} with batch_dims {} do not fit data {}", to_string(indices->dims()), batch_dims,
                  to_string(data->dims()));
  }
  const auto batch = static_cast<std::size_t>(batch_dims);
  const auto depth = static_cast<std::size_t>(indices->dims().back());
  if (!std::equal(data->dims().begin(), data->dims().begin() + batch_dims, indices->dims().begin())) {
    return reject("indices {} and data {} have different batches", to_string(indices->dims()),
                  to_string(data->dims()));
  }
  Dims dims(indices->dims().begin(), indices->dims().end() - 1);
  dims.insert(dims.end(), data->dims().begin() + static_cast<std::ptrdiff_t>(batch + depth),
              data->dims().end());
  const std::int64_t tuples = span_count(indices->dims(), 0, indices->rank() - 1);
  PRESS_ASSIGN(const std::vector<std::int64_t> offsets,
               tuple_offsets(*indices, tuples, depth, data->dims(), batch));
  PRESS_ASSIGN(Tensor * output, context.allocate_output(0, data->type(), std::move(dims)));
  if (output->size() == 0) return {};
  const std::int64_t batches = span_count(data->dims(), 0, batch), per_batch = tuples / batches;
  const std::int64_t batch_stride = span_count(data->dims(), batch, data->rank());
  const std::size_t row =
      width * static_cast<std::size_t>(span_count(data->dims(), batch + depth, data->rank()));
  const std::byte* from = data->aligned_bytes();
  std::byte* to = output->mutable_bytes().data();
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const std::int64_t source = static_cast<std::int64_t>(i) / per_batch * batch_stride + offsets[i];
    std::memcpy(to + i * row, from + static_cast<std::size_t>(source) * width, row);
  }
  return {};
}

Status scatter_elements(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* data, required(context, 0));
  PRESS_ASSIGN(const Tensor* second, required(context, 1));
  PRESS_ASSIGN(const Tensor* updates, required(context, 2));
  PRESS_TRY(same_type(*data, *updates));
  PRESS_ASSIGN(const std::size_t axis, normalize_axis(context.node().int_attribute("axis", 0), data->rank()));
  PRESS_ASSIGN(const std::vector<std::int64_t> indices, checked_indices(*second, data->dims()[axis]));
  if (second->dims() != updates->dims() || second->rank() != data->rank()) {
    return reject("indices {} and updates {} do not fit data {}", to_string(second->dims()),
                  to_string(updates->dims()), to_string(data->dims()));
  }
  for (std::size_t i = 0; i < data->rank(); ++i) {
    if (i != axis && second->dims()[i] > data->dims()[i]) {
      return reject("indices {} reach beyond the data {}", to_string(second->dims()),
                    to_string(data->dims()));
    }
  }
  const std::string reduction = context.node().string_attribute("reduction", "none");
  return dispatch_scatter(context, *data, reduction, [&]<typename T>() -> Status {
    PRESS_ASSIGN(Tensor * output, copied(context, *data));
    const Dims strides = strides_of(data->dims());
    const T* from = raw<T>(*updates);
    T* to = raw<T>(*output);
    Dims at(data->rank(), 0);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      std::int64_t offset = indices[i] * strides[axis];
      for (std::size_t d = 0; d < at.size(); ++d) offset += d == axis ? 0 : at[d] * strides[d];
      to[offset] = met(reduction, to[offset], from[i]);
      for (std::size_t d = at.size(); d-- > 0 && ++at[d] == second->dims()[d];) at[d] = 0;
    }
    return {};
  });
}

Status scatter_nd(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* data, required(context, 0));
  PRESS_ASSIGN(const Tensor* indices, required(context, 1));
  PRESS_ASSIGN(const Tensor* updates, required(context, 2));
  PRESS_TRY(same_type(*data, *updates));
  if (indices->rank() == 0 || indices->dims().back() < 1 ||
      indices->dims().back() > static_cast<std::int64_t>(data->rank())) {
    return reject("indices {} do not fit data {}", to_string(indices->dims()), to_string(data->dims()));
  }
  const auto depth = static_cast<std::size_t>(indices->dims().back());
  Dims expected(indices->dims().begin(), indices->dims().end() - 1);
  expected.insert(expected.end(), data->dims().begin() + static_cast<std::ptrdiff_t>(depth),
                  data->dims().end());
  if (updates->dims() != expected) {
    return reject("updates are {}, expected {}", to_string(updates->dims()), to_string(expected));
  }
  const std::int64_t tuples = span_count(indices->dims(), 0, indices->rank() - 1);
  PRESS_ASSIGN(const std::vector<std::int64_t> offsets,
               tuple_offsets(*indices, tuples, depth, data->dims(), 0));
  const std::int64_t row = span_count(data->dims(), depth, data->rank());
  const std::string reduction = context.node().string_attribute("reduction", "none");
  return dispatch_scatter(context, *data, reduction, [&]<typename T>() -> Status {
    PRESS_ASSIGN(Tensor * output, copied(context, *data));
    const T* from = raw<T>(*updates);
    T* to = raw<T>(*output);
    for (const std::int64_t offset : offsets) {
      for (std::int64_t k = 0; k < row; ++k) to[offset + k] = met(reduction, to[offset + k], from[k]);
      from += row;
    }
    return {};
  });
}

/// Writes a sequence into a cache [batch, …, positions, …], for each batch entry from its own position on.
Status tensor_scatter(KernelContext& context) {
  const Node& node = context.node();
  PRESS_ASSIGN(const Tensor* cache, required(context, 0));
  PRESS_ASSIGN(const Tensor* update, required(context, 1));
  PRESS_TRY(same_type(*cache, *update));
  PRESS_ASSIGN(const std::size_t axis, normalize_axis(node.int_attribute("axis", -2), cache->rank()));
  const std::string mode = node.string_attribute("mode", "linear");
  if (mode != "linear" && mode != "circular")
    return reject("attribute mode is '{}', expected linear or circular", mode);
  Dims expected = cache->dims();
  const std::int64_t positions = expected[axis];
  const std::int64_t length = update->rank() == cache->rank() ? update->dims()[axis] : 0;
  expected[axis] = length;
  if (axis == 0 || update->dims() != expected || length > positions)
    return reject("the update {} does not fit the cache {} along axis {}", to_string(update->dims()),
                  to_string(cache->dims()), axis);
  std::vector<std::int64_t> starts(static_cast<std::size_t>(cache->dims()[0]), 0);
  if (const Tensor* given = context.input(2); given != nullptr) {
    PRESS_ASSIGN(starts, integers(*given));
  }
  if (static_cast<std::int64_t>(starts.size()) != cache->dims()[0])
    return reject("{} positions for a batch of {}", starts.size(), cache->dims()[0]);
  for (const std::int64_t start : starts) {
    if (start < 0 || start >= std::max<std::int64_t>(positions, 1) ||
        (mode == "linear" && start > positions - length))
      return reject("position {} does not fit a sequence of {} into {}", start, length, positions);
  }
  PRESS_ASSIGN(const std::size_t width, element_width(context, cache->type()));
  PRESS_ASSIGN(Tensor * output, copied(context, *cache));
  const std::int64_t outer = span_count(expected, 0, axis), per_batch = span_count(expected, 1, axis);
  const std::size_t row = width * static_cast<std::size_t>(span_count(expected, axis + 1, expected.size()));
  std::byte* to = output->mutable_bytes().data();
  const std::byte* from = update->aligned_bytes();
  for (std::int64_t i = 0; i < outer; ++i) {
    const std::int64_t start = starts[static_cast<std::size_t>(i / per_batch)];
    for (std::int64_t k = 0; k < length; ++k, from += row)
      std::memcpy(to + static_cast<std::size_t>(i * positions + (start + k) % positions) * row, from, row);
  }
  return {};
}

}  // namespace press::kernels
