#include "runtime/kernels/convolution_shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "ops/shapes.h"
#include "runtime/layout.h"

namespace press::kernels {

namespace {

/// oneDNN counts in 32 bits inside of its kernels.
constexpr std::int64_t kLargestDim = INT32_MAX;
constexpr std::int64_t kLargestStep = 1 << 15;  // oneDNN 3.7 counts bytes between positions in 32 bits

}  // namespace

Result<onednn::ConvolutionSpec> describe_convolution(const Node& node, bool transposed, onednn::Layout layout,
                                                     const Dims& source, const Dims& weights) {
  const bool last = layout == onednn::Layout::kChannelsLast && source.size() >= 3;
  const Dims x = last ? from_channels_last(source) : source;
  const Dims& w = weights;
  if (x.size() < 3 || w.size() != x.size()) {
    return Error(ErrorCode::kInput,
                 fmt::format("input {} and weight {} should both have a batch or output dim, a "
                             "channel dim and the same spatial dims",
                             to_string(x), to_string(w)));
  }
  if (x.size() > 5) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("only 1 to 3 spatial dims can be executed, but the input is {}", to_string(x)));
  }
  onednn::ConvolutionSpec spec;
  spec.transposed = transposed;
  spec.layout = layout;
  spec.groups = node.int_attribute("group", 1);
  const bool groups_fit = spec.groups >= 1 && w[0] % spec.groups == 0 && x[1] % spec.groups == 0;
  if (!groups_fit || (transposed ? x[1] != w[0] : x[1] / spec.groups != w[1])) {
    return Error(ErrorCode::kInput,
                 fmt::format("{} input channels, weight {} and {} groups do not fit together", x[1],
                             to_string(w), spec.groups));
  }
  PRESS_ASSIGN(const Window window, read_window(node, Dims(w.begin() + 2, w.end())));
  spec.source = x;
  spec.weights = w;
  spec.target = {x[0], w[0]};
  if (transposed) {
    PRESS_ASSIGN(spec.target[1], checked_multiply(w[1], spec.groups));
  }
  for (std::size_t axis = 0; axis < window.rank(); ++axis) {
    WindowExtent extent;
    if (transposed) {
      PRESS_ASSIGN(extent, transposed_window_extent(node, window, axis, x[axis + 2]));
      // oneDNN derives the output from the pads; whatever output_padding adds is a smaller end pad.
      const std::int64_t full =
          (x[axis + 2] - 1) * window.strides[axis] + (window.kernel[axis] - 1) * window.dilations[axis] + 1;
      extent.pad_end = full - extent.pad_begin - extent.output;
    } else {
      PRESS_ASSIGN(extent, window_extent(window, axis, x[axis + 2]));
    }
    spec.target.push_back(extent.output);
    spec.pads_begin.push_back(extent.pad_begin);
    spec.pads_end.push_back(extent.pad_end);
  }
  spec.strides = window.strides;
  spec.dilations = window.dilations;
  for (const Dims* dims : {&spec.source, &spec.target, &spec.weights}) {
    if (std::ranges::any_of(*dims, [](std::int64_t dim) { return dim > kLargestDim; })) {
      return Error(ErrorCode::kUnsupported,
                   fmt::format("dims {} are too large for a convolution", to_string(*dims)));
    }
  }
  for (const Dims* steps : {&spec.pads_begin, &spec.pads_end, &spec.strides, &spec.dilations}) {
    if (std::ranges::any_of(*steps, [](std::int64_t step) { return std::abs(step) > kLargestStep; })) {
      return Error(
          ErrorCode::kUnsupported,
          fmt::format("pads, strides or dilations of {} are too large for a convolution; up to {} can "
                      "be executed",
                      to_string(*steps), kLargestStep));
    }
  }
  return spec;
}

}  // namespace press::kernels
