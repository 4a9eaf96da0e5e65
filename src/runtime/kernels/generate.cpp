// Operators whose output comes from shapes, attributes or a few numbers.
#include <algorithm>
#include <cstring>

#include "ops/shapes.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {

Status shape(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  const auto rank = static_cast<std::int64_t>(input->rank());
  const auto clipped = [rank](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const std::int64_t start = clipped(context.node().int_attribute("start", 0));
  const std::int64_t end = std::max(start, clipped(context.node().int_attribute("end", rank)));
  const Dims dims(input->dims().begin() + start, input->dims().begin() + end);
  context.set_output(0, Tensor::of<std::int64_t>({end - start}, dims));
  return {};
}

Status size(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  context.set_output(0, Tensor::scalar(input->size()));
  return {};
}

Status constant(KernelContext& context) {
  const Node& node = context.node();
  const auto length = [](const auto& list) { return Dims{static_cast<std::int64_t>(list.size())}; };
  if (const Tensor* value = node.tensor_attribute("value")) {
    context.set_output(0, *value);
  } else if (node.has_attribute("value_int")) {
    context.set_output(0, Tensor::scalar(node.int_attribute("value_int", 0)));
  } else if (node.has_attribute("value_float")) {
    context.set_output(0, Tensor::scalar(node.float_attribute("value_float", 0)));
  } else if (node.has_attribute("value_ints")) {
    const std::vector<std::int64_t> values = node.ints_attribute("value_ints");
    context.set_output(0, Tensor::of(length(values), values));
  } else if (node.has_attribute("value_floats")) {
    const std::vector<float> values = node.floats_attribute("value_floats");
    context.set_output(0, Tensor::of(length(values), values));
  } else if (node.has_attribute("value_string")) {
    PRESS_ASSIGN(Tensor text, Tensor::from_strings({}, {node.string_attribute("value_string", "")}));
    context.set_output(0, std::move(text));
  } else {
    return Error(ErrorCode::kUnsupported, "a constant without a dense value");
  }
  return {};
}

Status constant_of_shape(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(Dims dims, integers(*input));
  const Tensor zero = Tensor::scalar(0.0F);
  const Tensor* value = context.node().tensor_attribute("value");
  if (value == nullptr) value = &zero;
  if (value->size() != 1) return reject("attribute value has {} elements, expected 1", value->size());
  return dispatch_width(context, value->type(), [&]<typename T>() -> Status {
    PRESS_ASSIGN(Tensor * output, context.allocate_output(0, value->type(), std::move(dims)));
    std::fill_n(raw<T>(*output), output->size(), *raw<T>(*value));
    return {};
  });
}

Status range(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* start, required(context, 0));
  PRESS_ASSIGN(const Tensor* limit, required(context, 1));
  PRESS_ASSIGN(const Tensor* delta, required(context, 2));
  PRESS_TRY(same_type(*start, *limit));
  PRESS_TRY(same_type(*start, *delta));
  if (start->size() != 1 || limit->size() != 1 || delta->size() != 1)
    return reject("start, limit and delta are scalars");
  return dispatch<float, double, std::int16_t, std::int32_t, std::int64_t>(
      context, start->type(), [&]<typename T>() -> Status {
        using Wide = std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>;
        const T first = start->data<T>()[0], step = delta->data<T>()[0];
        PRESS_ASSIGN(const std::int64_t count,
                     range_count(static_cast<Wide>(first), static_cast<Wide>(limit->data<T>()[0]),
                                 static_cast<Wide>(step)));
        PRESS_ASSIGN(Tensor * output, context.allocate_output(0, start->type(), {count}));
        T* target = output->mutable_data<T>().data();
        for (std::int64_t i = 0; i < count; ++i) target[i] = static_cast<T>(first + static_cast<T>(i) * step);
        return {};
      });
}

Status eye_like(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  if (input->rank() != 2) return reject("the input is {}, expected 2 dims", to_string(input->dims()));
  const std::int64_t dtype = context.node().int_attribute("dtype", static_cast<std::int64_t>(input->type()));
  const std::int64_t k = context.node().int_attribute("k", 0);
  return dispatch<float, double, std::int32_t, std::int64_t, std::uint8_t, std::int8_t, std::uint64_t,
                  std::uint32_t, bool>(context, static_cast<DataType>(dtype), [&]<typename T>() -> Status {
    PRESS_ASSIGN(Tensor * output, context.allocate_output(0, data_type_of<T>(), input->dims()));
    const std::span<T> target = output->mutable_data<T>();
    std::ranges::fill(target, T{0});
    const std::int64_t rows = input->dims()[0], columns = input->dims()[1];
    for (std::int64_t row = 0; row < rows; ++row) {
      std::int64_t column = 0;
      if (__builtin_add_overflow(row, k, &column) || column < 0 || column >= columns) continue;
      target[static_cast<std::size_t>(row * columns + column)] = T{1};
    }
    return {};
  });
}

Status one_hot(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* indices, required(context, 0));
  PRESS_ASSIGN(const Tensor* depth_input, required(context, 1));
  PRESS_ASSIGN(const Tensor* values, required(context, 2));
  PRESS_ASSIGN(const double depth_number, single_number(*depth_input));
  if (!(depth_number >= 1 && depth_number <= 1 << 30)) return reject("depth is {}", depth_number);
  const auto depth = static_cast<std::int64_t>(depth_number);
  if (values->size() != 2) return reject("values have {} elements, expected off and on", values->size());
  PRESS_ASSIGN(const std::size_t axis,
               normalize_axis(context.node().int_attribute("axis", -1), indices->rank() + 1));
  Dims dims = indices->dims();
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), depth);
  const std::int64_t outer = span_count(dims, 0, axis), inner = span_count(dims, axis + 1, dims.size());
  return dispatch<std::int64_t, std::int32_t, float, std::uint8_t, std::int8_t>(
      context, indices->type(), [&]<typename I>() -> Status {
        const I* index = indices->data<I>().data();
        return dispatch_width(context, values->type(), [&]<typename T>() -> Status {
          PRESS_ASSIGN(Tensor * output, context.allocate_output(0, values->type(), std::move(dims)));
          const T off = raw<T>(*values)[0], on = raw<T>(*values)[1];
          T* target = raw<T>(*output);
          std::fill_n(target, output->size(), off);
          for (std::int64_t i = 0; i < outer; ++i) {
            for (std::int64_t k = 0; k < inner; ++k) {
              const auto wanted = static_cast<double>(index[i * inner + k]);
              if (!(wanted >= -depth_number && wanted < depth_number)) continue;  // out of range: all off
              auto at = static_cast<std::int64_t>(wanted);
              if (at < 0) at += depth;
              target[(i * depth + at) * inner + k] = on;
            }
          }
          return {};
        });
      });
}

}  // namespace press::kernels
