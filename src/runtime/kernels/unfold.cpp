// Windows put back in their places: Col2Im and MaxUnpool.
#include <algorithm>

#include "ops/shapes.h"
#include "runtime/kernels/arguments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {

/// Adds up the columns [batch, channels · window, windows] at the places of an image that they were taken
/// from; any number of spatial axes.
Status col2im(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* columns, required(context, 0));
  PRESS_ASSIGN(const Tensor* second, required(context, 1));
  PRESS_ASSIGN(const Tensor* third, required(context, 2));
  PRESS_ASSIGN(const std::vector<std::int64_t> image, integers(*second));
  PRESS_ASSIGN(const std::vector<std::int64_t> block, integers(*third));
  PRESS_ASSIGN(const Window window, read_window(context.node(), block));
  const std::size_t rank = image.size();
  if (rank == 0 || block.size() != rank || columns->rank() != 3)
    return reject("columns {}, image {} and block {} do not fit together", to_string(columns->dims()),
                  to_string(image), to_string(block));
  Dims counts;  // windows along each axis
  for (std::size_t i = 0; i < rank; ++i) {
    PRESS_ASSIGN(const WindowExtent extent, window_extent(window, i, image[i]));
    counts.push_back(extent.output);
  }
  PRESS_ASSIGN(const std::int64_t taps, element_count(block));
  PRESS_ASSIGN(const std::int64_t windows, element_count(counts));
  const std::int64_t batch = columns->dims()[0];
  if (columns->dims()[1] % taps != 0 || columns->dims()[2] != windows) {
    return reject("the columns are {}, expected {} x channels · {} x {}", to_string(columns->dims()), batch,
                  taps, windows);
  }
  const std::int64_t channels = columns->dims()[1] / taps;
  Dims dims{batch, channels};
  dims.insert(dims.end(), image.begin(), image.end());
  PRESS_TRY(element_count(dims));
  const std::int64_t plane = product(image);
  return dispatch_numbers(context, columns->type(), [&]<typename T>() -> Status {
    PRESS_ASSIGN(Tensor * target, context.allocate_output(0, columns->type(), dims));
    const T* in = columns->data<T>().data();
    T* out = target->mutable_data<T>().data();
    std::fill_n(out, target->size(), T{0});
    for (std::int64_t row = 0; row < batch * channels * taps; ++row) {
      for (std::int64_t column = 0; column < windows; ++column) {
        std::int64_t tap = row % taps, at_window = column, offset = 0, stride = 1;
        bool inside = true;
        for (std::size_t axis = rank; axis-- > 0;) {
          const std::int64_t at = at_window % counts[axis] * window.strides[axis] - window.pads_begin[axis] +
                                  tap % block[axis] * window.dilations[axis];
          inside = inside && at >= 0 && at < image[axis];
          offset += at * stride;
          stride *= image[axis];
          at_window /= counts[axis];
          tap /= block[axis];
        }
        if (inside) {
          T& sum = out[row / taps * plane + offset];
          sum = static_cast<T>(sum + in[row * windows + column]);
        }
      }
    }
    return {};
  });
}

/// Puts the maxima of a MaxPool back where they came from, everything else 0. The indices count in the shape
/// that the pool's window gives back; an output_shape larger than that gets the rest as zeros.
Status max_unpool(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(const Tensor* indices, required(context, 1, DataType::kInt64));
  PRESS_ASSIGN(const Window window, read_window(context.node(), std::nullopt));
  if (input->rank() != window.rank() + 2 || indices->dims() != input->dims()) {
    return reject("input {}, indices {} and a window of {} dims do not fit together",
                  to_string(input->dims()), to_string(indices->dims()), window.rank());
  }
  Dims pooled{input->dims()[0], input->dims()[1]};
  for (std::size_t i = 0; i < window.rank(); ++i) {
    PRESS_ASSIGN(const std::int64_t steps, checked_multiply(input->dims()[i + 2] - 1, window.strides[i]));
    pooled.push_back(steps + window.kernel[i] - window.pads_begin[i] - window.pads_end[i]);
  }
  Dims dims = pooled;
  if (const Tensor* shape = context.input(2); shape != nullptr) {
    PRESS_ASSIGN(dims, integers(*shape));
    bool fits = dims.size() == pooled.size();
    for (std::size_t i = 0; fits && i < dims.size(); ++i) fits = dims[i] >= pooled[i];
    if (!fits) return reject("output_shape is {}, the window gives {}", to_string(dims), to_string(pooled));
  }
  PRESS_ASSIGN(const std::int64_t count, element_count(pooled));
  const Dims strides = strides_of(dims);
  return dispatch_width(context, input->type(), [&]<typename T>() -> Status {
    PRESS_ASSIGN(Tensor * output, context.allocate_output(0, input->type(), dims));
    std::ranges::fill(output->mutable_bytes(), std::byte{0});
    T* to = raw<T>(*output);
    const T* from = raw<T>(*input);
    for (std::int64_t i = 0; i < input->size(); ++i) {
      std::int64_t index = indices->data<std::int64_t>()[static_cast<std::size_t>(i)];
      if (index < 0 || index >= count)
        return reject("index {} is out of range for {}", index, to_string(pooled));
      std::int64_t offset = 0;
      for (std::size_t axis = pooled.size(); axis-- > 0; index /= pooled[axis])
        offset += index % pooled[axis] * strides[axis];
      to[offset] = from[i];
    }
    return {};
  });
}

}  // namespace press::kernels
