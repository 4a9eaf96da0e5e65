// Arithmetic on extents that shape rules and kernels share, so that what is predicted and what is computed
// cannot differ. Everything is checked for overflow; errors (kInput) say which number makes no sense.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "press/ir/graph.h"
#include "press/ir/type.h"
#include "press/support/result.h"

namespace press {

/// `axis` of a tensor of that rank, counted from the front. Errors: outside of [-rank, rank).
Result<std::size_t> normalize_axis(std::int64_t axis, std::size_t rank);

/// The same for a list; each axis at most once. The order stays.
Result<std::vector<std::size_t>> normalize_axes(std::span<const std::int64_t> axes, std::size_t rank);

/// Multidirectional broadcasting (numpy rules). Errors: extents that neither agree nor are 1.
Result<Dims> broadcast_dims(const Dims& a, const Dims& b);
/// The same where dims may be open: an open dim against a known one above 1 becomes the known one.
Result<Shape> broadcast_shapes(const Shape& a, const Shape& b);

/// The sliding window of convolutions and pools, one entry a spatial axis.
struct Window {
  enum class AutoPad { kNotSet, kSameUpper, kSameLower, kValid };

  Dims kernel, strides, dilations, pads_begin, pads_end;
  AutoPad auto_pad = AutoPad::kNotSet;
  bool ceil_mode = false;

  std::size_t rank() const { return kernel.size(); }
};

/// Reads kernel_shape, strides, dilations, pads, auto_pad and ceil_mode. `weight_kernel`: the spatial dims of
/// the weight (convolutions), which kernel_shape must repeat. Errors: attributes of a wrong length or without
/// sense, no kernel.
Result<Window> read_window(const Node& node, const std::optional<Dims>& weight_kernel);

/// What a window makes of one axis: its output extent, and the padding with auto_pad resolved.
struct WindowExtent {
  std::int64_t output = 0;
  std::int64_t pad_begin = 0;
  std::int64_t pad_end = 0;
};

/// Convolution and pooling. Errors: the window is larger than the padded input.
Result<WindowExtent> window_extent(const Window& window, std::size_t axis, std::int64_t input);

/// Transposed convolution; reads output_padding and output_shape of the node. Errors: no positive extent
/// comes out.
Result<WindowExtent> transposed_window_extent(const Node& node, const Window& window, std::size_t axis,
                                              std::int64_t input);

/// The dims that Reshape makes of `input`: 0 copies (unless allow_zero), one -1 takes the rest.
Result<Dims> reshape_target(const Dims& input, std::span<const std::int64_t> target, bool allow_zero);

/// One axis of Slice with its ends clipped: elements start, start + step, … `count` of them.
struct SliceRange {
  std::int64_t start = 0;
  std::int64_t step = 1;
  std::int64_t count = 0;
};
Result<SliceRange> slice_range(std::int64_t start, std::int64_t end, std::int64_t step, std::int64_t extent);

/// Extents of the parts of Split. `sizes`: asked for; where empty, `extent` in `parts` equal ones, the last
/// one smaller.
Result<Dims> split_sizes(std::int64_t extent, std::span<const std::int64_t> sizes, std::size_t parts);

/// Elements of Range; works for every numeric type through double or integers. Errors: step 0, more than 2^40
/// elements.
Result<std::int64_t> range_count(std::int64_t start, std::int64_t limit, std::int64_t delta);
Result<std::int64_t> range_count(double start, double limit, double delta);

/// floor(extent * scale), what Resize and Upsample make of one axis. Errors: a scale that is not positive and
/// finite.
Result<std::int64_t> scaled_extent(std::int64_t extent, float scale);

/// The dims after a reduction over `axes` (normalized).
Dims reduced_dims(const Dims& input, std::span<const std::size_t> axes, bool keep_dims);

/// a * b and a + b. Errors: overflow.
Result<std::int64_t> checked_multiply(std::int64_t a, std::int64_t b);
Result<std::int64_t> checked_add(std::int64_t a, std::int64_t b);

}  // namespace press
