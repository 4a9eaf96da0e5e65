#include "ops/shapes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace press {
namespace {

template <typename... Args>
Error reject(fmt::format_string<Args...> format, Args&&... args) {
  return {ErrorCode::kInput, fmt::format(format, std::forward<Args>(args)...)};
}

/// Extents, pads and strides beyond this are nonsense; below it sums and products of two stay within 64 bits.
constexpr std::int64_t kLargestExtent = std::int64_t{1} << 31;

/// The attribute, or `count` times `fallback`.
Result<Dims> window_attribute(const Node& node, const char* name, std::size_t count, std::int64_t fallback,
                              std::int64_t smallest) {
  if (!node.has_attribute(name)) return Dims(count, fallback);
  Dims values = node.ints_attribute(name);
  if (values.size() != count)
    return reject("attribute {} has {} entries, expected {}", name, values.size(), count);
  for (const std::int64_t value : values) {
    if (value < smallest || value > kLargestExtent) {
      return reject("attribute {} has the entry {}, expected {} to {}", name, value, smallest,
                    kLargestExtent);
    }
  }
  return values;
}

Result<Window::AutoPad> read_auto_pad(const Node& node) {
  const std::string text = node.string_attribute("auto_pad", "NOTSET");
  if (text == "NOTSET" || text.empty()) return Window::AutoPad::kNotSet;
  if (text == "SAME_UPPER") return Window::AutoPad::kSameUpper;
  if (text == "SAME_LOWER") return Window::AutoPad::kSameLower;
  if (text == "VALID") return Window::AutoPad::kValid;
  return reject("attribute auto_pad is '{}', expected NOTSET, SAME_UPPER, SAME_LOWER or VALID", text);
}

Result<std::int64_t> checked_extent(std::int64_t extent) {
  if (extent < 0 || extent > kLargestExtent) return reject("extent {} is out of range", extent);
  return extent;
}

/// The extent that a dilated kernel covers.
std::int64_t kernel_reach(const Window& window, std::size_t axis) {
  return (window.kernel[axis] - 1) * window.dilations[axis] + 1;
}

WindowExtent share_padding(std::int64_t output, std::int64_t total, bool upper) {
  const std::int64_t small = total / 2, large = total - small;
  return upper ? WindowExtent{output, small, large} : WindowExtent{output, large, small};
}

template <typename D, typename Merge>
Result<std::vector<D>> broadcast(const std::vector<D>& a, const std::vector<D>& b, Merge merge) {
  const std::vector<D>& longer = a.size() >= b.size() ? a : b;
  const std::vector<D>& shorter = a.size() >= b.size() ? b : a;
  std::vector<D> result = longer;
  const std::size_t offset = longer.size() - shorter.size();
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    if (!merge(result[offset + i], shorter[i])) {
      return reject("shapes {} and {} do not broadcast", to_string(a), to_string(b));
    }
  }
  return result;
}
}  // namespace

Result<std::int64_t> checked_multiply(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) return reject("{} x {} is too large", a, b);
  return result;
}

Result<std::int64_t> checked_add(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) return reject("{} + {} is too large", a, b);
  return result;
}

Result<std::size_t> normalize_axis(std::int64_t axis, std::size_t rank) {
  const auto signed_rank = static_cast<std::int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank)
    return reject("axis {} is out of range for rank {}", axis, rank);
  return static_cast<std::size_t>(axis < 0 ? axis + signed_rank : axis);
}

Result<std::vector<std::size_t>> normalize_axes(std::span<const std::int64_t> axes, std::size_t rank) {
  std::vector<std::size_t> result;
  std::vector<bool> seen(rank, false);
  for (const std::int64_t axis : axes) {
    PRESS_ASSIGN(const std::size_t normal, normalize_axis(axis, rank));
    if (seen[normal]) return reject("axis {} is named twice", axis);
    seen[normal] = true;
    result.push_back(normal);
  }
  return result;
}

Result<Dims> broadcast_dims(const Dims& a, const Dims& b) {
  return broadcast(a, b, [](std::int64_t& into, std::int64_t other) {
    if (into == 1) into = other;
    return other == 1 || into == other;
  });
}

Result<Shape> broadcast_shapes(const Shape& a, const Shape& b) {
  return broadcast(a, b, [](Dim& into, const Dim& other) {
    if (into.known() && into.value() == 1) {
      into = other;
      return true;
    }
    if ((other.known() && other.value() == 1) || same(into, other)) return true;
    if (into.known() && other.known()) return false;
    if (into.known()) return true;  // above 1 or 0: the open one is the same or 1
    into = other.known() ? other : Dim();
    return true;
  });
}

Result<Window> read_window(const Node& node, const std::optional<Dims>& weight_kernel) {
  Window window;
  if (node.has_attribute("kernel_shape")) {
    window.kernel = node.ints_attribute("kernel_shape");
    if (weight_kernel && *weight_kernel != window.kernel) {
      return reject("kernel_shape is {}, but the weight's kernel is {}", to_string(window.kernel),
                    to_string(*weight_kernel));
    }
  } else if (weight_kernel) {
    window.kernel = *weight_kernel;
  } else {
    return reject("attribute kernel_shape is missing");
  }
  for (const std::int64_t extent : window.kernel) {
    if (extent < 1 || extent > kLargestExtent)
      return reject("kernel {} is out of range", to_string(window.kernel));
  }
  const std::size_t rank = window.kernel.size();
  PRESS_ASSIGN(window.strides, window_attribute(node, "strides", rank, 1, 1));
  PRESS_ASSIGN(window.dilations, window_attribute(node, "dilations", rank, 1, 1));
  PRESS_ASSIGN(const Dims pads, window_attribute(node, "pads", 2 * rank, 0, 0));
  window.pads_begin.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(rank));
  window.pads_end.assign(pads.begin() + static_cast<std::ptrdiff_t>(rank), pads.end());
  PRESS_ASSIGN(window.auto_pad, read_auto_pad(node));
  window.ceil_mode = node.int_attribute("ceil_mode", 0) != 0;
  return window;
}

Result<WindowExtent> window_extent(const Window& window, std::size_t axis, std::int64_t input) {
  PRESS_TRY(checked_extent(input));
  const std::int64_t reach = kernel_reach(window, axis);
  const std::int64_t stride = window.strides[axis];
  if (window.auto_pad == Window::AutoPad::kSameUpper || window.auto_pad == Window::AutoPad::kSameLower) {
    const std::int64_t output = (input + stride - 1) / stride;
    const std::int64_t total = std::max<std::int64_t>((output - 1) * stride + reach - input, 0);
    return share_padding(output, total, window.auto_pad == Window::AutoPad::kSameUpper);
  }
  WindowExtent extent;
  if (window.auto_pad == Window::AutoPad::kNotSet) {
    extent.pad_begin = window.pads_begin[axis];
    extent.pad_end = window.pads_end[axis];
  }
  const std::int64_t room = input + extent.pad_begin + extent.pad_end - reach;
  if (room < 0) {
    return reject("the window of {} on axis {} is larger than the padded input of {}", reach, axis + 2,
                  input + extent.pad_begin + extent.pad_end);
  }
  extent.output = (window.ceil_mode ? room + stride - 1 : room) / stride + 1;
  // The last window must begin inside of the input or the padding before it.
  if (window.ceil_mode && (extent.output - 1) * stride >= input + extent.pad_begin) --extent.output;
  return extent;
}

Result<WindowExtent> transposed_window_extent(const Node& node, const Window& window, std::size_t axis,
                                              std::int64_t input) {
  PRESS_TRY(checked_extent(input));
  PRESS_ASSIGN(const Dims extra, window_attribute(node, "output_padding", window.rank(), 0, 0));
  const std::int64_t full = (input - 1) * window.strides[axis] + kernel_reach(window, axis) + extra[axis];
  if (node.has_attribute("output_shape")) {
    Dims shape = node.ints_attribute("output_shape");
    // Some exporters name batch and channels too.
    if (shape.size() == window.rank() + 2) shape.erase(shape.begin(), shape.begin() + 2);
    if (shape.size() != window.rank()) return reject("attribute output_shape has {} entries", shape.size());
    PRESS_ASSIGN(const std::int64_t output, checked_extent(shape[axis]));
    return share_padding(
        output, std::max<std::int64_t>(full - output, 0),
        window.auto_pad != Window::AutoPad::kSameLower && window.auto_pad != Window::AutoPad::kNotSet);
  }
  if (window.auto_pad == Window::AutoPad::kSameUpper || window.auto_pad == Window::AutoPad::kSameLower) {
    const std::int64_t output = input * window.strides[axis];
    return share_padding(output, std::max<std::int64_t>(full - output, 0),
                         window.auto_pad == Window::AutoPad::kSameUpper);
  }
  WindowExtent extent;
  if (window.auto_pad == Window::AutoPad::kNotSet) {
    extent.pad_begin = window.pads_begin[axis];
    extent.pad_end = window.pads_end[axis];
  }
  extent.output = full - extent.pad_begin - extent.pad_end;
  if (extent.output < 1)
    return reject("the pads leave nothing of axis {} (extent {})", axis + 2, extent.output);
  return extent;
}

Result<Dims> reshape_target(const Dims& input, std::span<const std::int64_t> target, bool allow_zero) {
  PRESS_ASSIGN(const std::int64_t count, element_count(input));
  Dims dims(target.begin(), target.end());
  std::optional<std::size_t> rest;
  std::int64_t product = 1;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && !allow_zero) {
      if (i >= input.size())
        return reject("shape {} copies dim {} of an input of rank {}", to_string(dims), i, input.size());
      dims[i] = input[i];
    }
    if (dims[i] == -1) {
      if (rest) return reject("shape {} has more than one -1", to_string(Dims(target.begin(), target.end())));
      rest = i;
      continue;
    }
    if (dims[i] < 0) return reject("shape {} has a negative dim", to_string(dims));
    PRESS_ASSIGN(product, checked_multiply(product, dims[i]));
  }
  if (rest) {
    if (product == 0 ? count != 0 : count % product != 0) {
      return reject("{} elements of {} do not divide into shape {}", count, to_string(input),
                    to_string(dims));
    }
    dims[*rest] = product == 0 ? 0 : count / product;
  } else if (product != count) {
    return reject("shape {} has {} elements, the input {} has {}", to_string(dims), product, to_string(input),
                  count);
  }
  return dims;
}

Result<SliceRange> slice_range(std::int64_t start, std::int64_t end, std::int64_t step, std::int64_t extent) {
  if (step == 0) return reject("slice step is 0");
  PRESS_TRY(checked_extent(extent));
  if (start < 0) start = std::max<std::int64_t>(start, -extent - 1) + extent;
  if (end < 0) end = std::max<std::int64_t>(end, -extent - 1) + extent;
  SliceRange range{.start = 0, .step = step, .count = 0};
  if (step > 0) {
    range.start = std::clamp<std::int64_t>(start, 0, extent);
    end = std::clamp<std::int64_t>(end, 0, extent);
    if (end > range.start) range.count = (end - range.start - 1) / step + 1;
  } else {
    range.start = std::clamp<std::int64_t>(start, 0, std::max<std::int64_t>(extent - 1, 0));
    end = std::clamp<std::int64_t>(end, -1, extent - 1);
    if (start >= 0 && extent > 0 && range.start > end) {
      // -step overflows for the smallest number, which makes one step at most.
      const std::int64_t stride = step == INT64_MIN ? INT64_MAX : -step;
      range.count = (range.start - end - 1) / stride + 1;
    }
  }
  return range;
}

Result<Dims> split_sizes(std::int64_t extent, std::span<const std::int64_t> sizes, std::size_t parts) {
  if (parts == 0) return reject("there are no outputs to split into");
  if (sizes.empty()) {
    const auto count = static_cast<std::int64_t>(parts);
    const std::int64_t part = extent / count + (extent % count != 0 ? 1 : 0);
    Dims result;
    for (std::int64_t left = extent; result.size() < parts; left -= result.back()) {
      result.push_back(std::min(part, left));
    }
    return result;
  }
  if (sizes.size() != parts) return reject("{} split sizes for {} outputs", sizes.size(), parts);
  std::int64_t sum = 0;
  for (const std::int64_t size : sizes) {
    if (size < 0) return reject("split size {} is negative", size);
    PRESS_ASSIGN(sum, checked_add(sum, size));
  }
  if (sum != extent) return reject("split sizes add up to {}, the axis has {}", sum, extent);
  return Dims(sizes.begin(), sizes.end());
}

namespace {
constexpr std::int64_t kLongestRange = std::int64_t{1} << 40;
}

Result<std::int64_t> range_count(double start, double limit, double delta) {
  if (!(std::abs(delta) > 0.0)) return reject("range step is {}", delta);
  const double count = std::ceil((limit - start) / delta);
  if (std::isnan(count) || count > static_cast<double>(kLongestRange)) {
    return reject("range from {} to {} in steps of {} is too long", start, limit, delta);
  }
  return count > 0.0 ? static_cast<std::int64_t>(count) : 0;
}

Result<std::int64_t> range_count(std::int64_t start, std::int64_t limit, std::int64_t delta) {
  if (delta == 0) return reject("range step is 0");
  if (delta > 0 ? limit <= start : limit >= start) return std::int64_t{0};
  const std::uint64_t distance = delta > 0
                                     ? static_cast<std::uint64_t>(limit) - static_cast<std::uint64_t>(start)
                                     : static_cast<std::uint64_t>(start) - static_cast<std::uint64_t>(limit);
  const std::uint64_t step =
      delta > 0 ? static_cast<std::uint64_t>(delta) : 0 - static_cast<std::uint64_t>(delta);
  const std::uint64_t count = (distance - 1) / step + 1;
  if (count > static_cast<std::uint64_t>(kLongestRange)) {
    return reject("range from {} to {} in steps of {} is too long", start, limit, delta);
  }
  return static_cast<std::int64_t>(count);
}

Result<std::int64_t> scaled_extent(std::int64_t extent, float scale) {
  PRESS_TRY(checked_extent(extent));
  if (!(scale > 0.0F) || !std::isfinite(scale)) return reject("scale {} is not a positive number", scale);
  // The product in float, as the reference and the runtimes compute it.
  const float scaled = std::floor(static_cast<float>(extent) * scale);
  if (scaled > static_cast<float>(kLargestExtent))
    return reject("extent {} times {} is too large", extent, scale);
  return static_cast<std::int64_t>(scaled);
}

Dims reduced_dims(const Dims& input, std::span<const std::size_t> axes, bool keep_dims) {
  Dims result;
  for (std::size_t i = 0; i < input.size(); ++i) {
    const bool reduced = std::ranges::find(axes, i) != axes.end();
    if (!reduced) result.push_back(input[i]);
    if (reduced && keep_dims) result.push_back(1);
  }
  return result;
}

}  // namespace press
