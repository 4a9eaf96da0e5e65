#include "calibrate/columns.h"

#include <fmt/format.h>

#include <algorithm>

#include "ops/shapes.h"

namespace press {
namespace {

/// A number that looks random and depends on its arguments alone (splitmix64).
std::uint64_t mixed(std::uint64_t sample, std::uint64_t draw) {
  std::uint64_t z = sample * 0x9e3779b97f4a7c15U + (draw + 1) * 0xd1b54a32d192ed03U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

}  // namespace

Result<ColumnSampler> ColumnSampler::create(const Node& node, const LinearLayer& layer, const Tensor& input,
                                            std::int64_t samples) {
  const auto unfit = [&] {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("node {}: an input of {} {} for {} samples has no columns", node.label(),
                             name(input.type()), to_string(input.dims()), samples));
  };
  if (input.type() != DataType::kFloat || samples < 1 || input.size() % samples != 0 || input.size() == 0) {
    return unfit();
  }
  ColumnSampler sampler;
  sampler.sample_size_ = input.size() / samples;
  if (!node.is("Conv")) {
    sampler.width_ = layer.inputs;
    if (input.dims().back() != layer.inputs || sampler.sample_size_ % layer.inputs != 0) return unfit();
    sampler.positions_ = sampler.sample_size_ / layer.inputs;
    return sampler;
  }
  const Dims& weight = node.input(layer.weight_input)->constant()->dims();
  const Dims& dims = input.dims();
  if (dims.size() != weight.size() || dims[0] != samples || dims[1] != weight[1] * layer.groups)
    return unfit();
  PRESS_ASSIGN(const Window window, read_window(node, Dims(weight.begin() + 2, weight.end())));
  sampler.window_ = true;
  sampler.channels_ = dims[1];
  sampler.width_ = layer.inputs * layer.groups;
  sampler.height_ = window.rank() == 2 ? dims[2] : 1;
  sampler.width_in_ = dims.back();
  std::int64_t extents[2] = {1, 1};
  for (std::size_t axis = 0; axis < window.rank(); ++axis) {
    const std::size_t slot = axis + 2 - window.rank();
    PRESS_ASSIGN(const WindowExtent extent, window_extent(window, axis, dims[2 + axis]));
    extents[slot] = extent.output;
    sampler.kernel_[slot] = window.kernel[axis];
    sampler.stride_[slot] = window.strides[axis];
    sampler.dilation_[slot] = window.dilations[axis];
    sampler.pad_[slot] = extent.pad_begin;
  }
  sampler.width_out_ = extents[1];
  sampler.positions_ = extents[0] * extents[1];
  if (sampler.positions_ < 1) return unfit();
  return sampler;
}

void ColumnSampler::append(const Tensor& input, std::int64_t sample, std::uint64_t index, std::int64_t count,
                           std::vector<float>& columns) const {
  const float* from = input.data<float>().data() + sample * sample_size_;
  const std::int64_t taken = std::min(count, positions_);
  std::size_t at = columns.size();
  columns.resize(at + static_cast<std::size_t>(taken * width_));
  for (std::int64_t i = 0; i < taken; ++i, at += static_cast<std::size_t>(width_)) {
    const std::int64_t begin = positions_ * i / taken;
    const std::int64_t end = positions_ * (i + 1) / taken;
    const std::uint64_t draw = mixed(index, static_cast<std::uint64_t>(i));
    const std::int64_t position =
        begin + static_cast<std::int64_t>(draw % static_cast<std::uint64_t>(end - begin));
    if (window_) {
      append_window(from, position, columns.data() + at);
    } else {
      std::copy_n(from + position * width_, width_, columns.data() + at);
    }
  }
}

void ColumnSampler::append_window(const float* sample, std::int64_t position, float* column) const {
  const std::int64_t top = position / width_out_ * stride_[0] - pad_[0];
  const std::int64_t left = position % width_out_ * stride_[1] - pad_[1];
  for (std::int64_t channel = 0; channel < channels_; ++channel) {
    const float* plane = sample + channel * height_ * width_in_;
    for (std::int64_t i = 0; i < kernel_[0]; ++i) {
      const std::int64_t y = top + i * dilation_[0];
      const bool inside = y >= 0 && y < height_;
      for (std::int64_t j = 0; j < kernel_[1]; ++j) {
        const std::int64_t x = left + j * dilation_[1];
        *column++ = inside && x >= 0 && x < width_in_ ? plane[y * width_in_ + x] : 0.0F;
      }
    }
  }
}

}  // namespace press
