// Reading images at fractional positions: GridSample, AffineGrid, RoiAlign.
#include <algorithm>
#include <array>
#include <cmath>

#include "runtime/kernels/arguments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {

namespace {

constexpr std::size_t kAxes = 3;  // spatial axes at most
constexpr std::int64_t kOutside = -1;

/// The elements along one axis that make up a sample, with their weights; kOutside counts as 0.
struct Taps {
  std::array<std::int64_t, 4> at{};
  std::array<float, 4> weight{};
  std::size_t count = 0;
};

struct Sampler {
  enum class Mode { kNearest, kLinear, kCubic };
  enum class Padding { kZeros, kBorder, kReflection };
  Mode mode = Mode::kLinear;
  Padding padding = Padding::kZeros;
  bool align_corners = false;

  /// x mirrored at the ends of the axis as often as it takes.
  float reflected(float x, std::int64_t extent) const {
    const float low = align_corners ? 0.0F : -0.5F;
    const float range = static_cast<float>(extent) - (align_corners ? 1.0F : 0.0F);
    if (range <= 0) return 0;
    const float distance = std::abs(x - low);
    const float folds = std::floor(distance / range);
    const float rest = distance - folds * range;
    return std::fmod(folds, 2.0F) == 0 ? low + rest : low + range - rest;
  }

  std::int64_t index(float x, std::int64_t extent) const {
    const auto last = static_cast<float>(extent - 1);
    if (padding == Padding::kReflection) x = std::nearbyint(reflected(x, extent));
    if (padding != Padding::kZeros) x = std::clamp(x, 0.0F, last);
    return x >= 0 && x <= last ? static_cast<std::int64_t>(x) : kOutside;
  }

  /// `position`: -1 and 1 are the ends of the axis.
  Taps taps(float position, std::int64_t extent) const {
    float x = align_corners ? (position + 1) / 2 * static_cast<float>(extent - 1)
                            : ((position + 1) * static_cast<float>(extent) - 1) / 2;
    Taps result;
    if (!std::isfinite(x)) x = -2;
    if (mode == Mode::kNearest) x = std::nearbyint(x);
    if (padding == Padding::kBorder) x = std::clamp(x, 0.0F, static_cast<float>(extent - 1));
    if (padding == Padding::kReflection) x = reflected(x, extent);
    if (mode == Mode::kNearest) {
      result.at[0] = index(std::nearbyint(x), extent);
      result.weight[0] = 1;
      result.count = 1;
      return result;
    }
    const float floor = std::floor(x), t = x - floor;
    if (mode == Mode::kLinear) {
      result.at = {index(floor, extent), index(floor + 1, extent)};
      result.weight = {1 - t, t};
      result.count = 2;
      return result;
    }
    // Keys' cubic convolution kernel with a = -0.75.
    constexpr float a = -0.75F;
    const auto outer = [](float d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
    const auto inner = [](float d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
    result.weight = {outer(t + 1), inner(t), inner(1 - t), outer(2 - t)};
    result.count = 4;
    for (std::size_t i = 0; i < 4; ++i) result.at[i] = index(floor + static_cast<float>(i) - 1, extent);
    return result;
  }
};

Result<Sampler> read_sampler(const Node& node) {
  Sampler sampler;
  const std::string mode = node.string_attribute("mode", "linear");
  if (mode == "nearest") {
    sampler.mode = Sampler::Mode::kNearest;
  } else if (mode == "cubic" || mode == "bicubic") {
    sampler.mode = Sampler::Mode::kCubic;
  } else if (mode != "linear" && mode != "bilinear") {
    return reject("attribute mode is '{}', expected nearest, linear or cubic", mode);
  }
  const std::string padding = node.string_attribute("padding_mode", "zeros");
  if (padding == "border") {
    sampler.padding = Sampler::Padding::kBorder;
  } else if (padding == "reflection") {
    sampler.padding = Sampler::Padding::kReflection;
  } else if (padding != "zeros") {
    return reject("attribute padding_mode is '{}', expected zeros, border or reflection", padding);
  }
  sampler.align_corners = node.int_attribute("align_corners", 0) != 0;
  return sampler;
}

}  // namespace

/// The input at the positions of a grid, whose last dim holds x, y (, z) between -1 and 1.
Status grid_sample(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const Tensor* grid, required(context, 1, DataType::kFloat));
  PRESS_ASSIGN(const Sampler sampler, read_sampler(context.node()));
  const Dims& in = input->dims();
  const Dims& places = grid->dims();
  const std::size_t rank = in.size() < 2 ? 0 : in.size() - 2;
  if (rank < 1 || rank > kAxes || places.size() != in.size() || places[0] != in[0] ||
      places.back() != static_cast<std::int64_t>(rank)) {
    return reject("the input {} and the grid {} do not fit together", to_string(in), to_string(places));
  }
  Dims dims{in[0], in[1]};
  dims.insert(dims.end(), places.begin() + 1, places.end() - 1);
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, dims));
  // Fewer axes are seen as three with leading ones of extent 1.
  std::array<std::int64_t, kAxes> extent{1, 1, 1};
  std::copy(in.begin() + 2, in.end(), extent.end() - static_cast<std::ptrdiff_t>(rank));
  const std::int64_t plane = extent[0] * extent[1] * extent[2];
  if (plane == 0 && target->size() > 0) return reject("the input {} is empty", to_string(in));
  const std::int64_t out_plane = product(dims, 2);
  const float* source = input->data<float>().data();
  const float* position = grid->data<float>().data();
  float* out = target->mutable_data<float>().data();
  parallel_for(context.threads(), in[0] * out_plane, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      std::array<Taps, kAxes> taps;
      for (std::size_t axis = 0; axis < kAxes; ++axis) {
        if (axis + rank < kAxes) {
          taps[axis].weight[0] = 1;
          taps[axis].count = 1;
        } else {
          taps[axis] = sampler.taps(
              position[i * static_cast<std::int64_t>(rank) + static_cast<std::int64_t>(kAxes - 1 - axis)],
              extent[axis]);
        }
      }
      for (std::int64_t c = 0; c < in[1]; ++c) {
        const float* data = source + (i / out_plane * in[1] + c) * plane;
        float sum = 0;
        for (std::size_t z = 0; z < taps[0].count; ++z) {
          for (std::size_t y = 0; y < taps[1].count; ++y) {
            for (std::size_t x = 0; x < taps[2].count; ++x) {
              if (taps[0].at[z] == kOutside || taps[1].at[y] == kOutside || taps[2].at[x] == kOutside)
                continue;
              const std::int64_t at = (taps[0].at[z] * extent[1] + taps[1].at[y]) * extent[2] + taps[2].at[x];
              sum += taps[0].weight[z] * taps[1].weight[y] * taps[2].weight[x] * data[at];
            }
          }
        }
        out[(i / out_plane * in[1] + c) * out_plane + i % out_plane] = sum;
      }
    }
  });
  return {};
}

/// Positions for GridSample: theta · (x, y (, z), 1) for every place of an image of the given size.
Status affine_grid(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* theta, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const Tensor* size, required(context, 1));
  PRESS_ASSIGN(const std::vector<std::int64_t> sizes, integers(*size));
  const std::size_t rank = sizes.size() < 2 ? 0 : sizes.size() - 2;
  const auto axes = static_cast<std::int64_t>(rank);
  if (rank < 2 || rank > kAxes || theta->dims() != Dims{sizes[0], axes, axes + 1})
    return reject("theta {} and size {} do not fit together", to_string(theta->dims()), to_string(sizes));
  const bool align_corners = context.node().int_attribute("align_corners", 0) != 0;
  Dims dims{sizes[0]};
  dims.insert(dims.end(), sizes.begin() + 2, sizes.end());
  dims.push_back(axes);
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, dims));
  float* out = target->mutable_data<float>().data();
  const std::int64_t plane = product(dims, 1, rank + 1);
  for (std::int64_t i = 0; i < dims[0] * plane; ++i) {
    std::array<double, kAxes> at{};  // x, y (, z)
    std::int64_t rest = i % plane;
    for (std::size_t k = 0; k < rank; ++k) {
      const std::int64_t extent = sizes[sizes.size() - 1 - k];
      const auto step = static_cast<double>(rest % extent);
      rest /= extent;
      const auto all = static_cast<double>(extent);
      at[k] = align_corners ? (extent > 1 ? -1 + 2 * step / (all - 1) : -1) : -1 + (2 * step + 1) / all;
    }
    const float* matrix = theta->data<float>().data() + i / plane * axes * (axes + 1);
    for (std::int64_t row = 0; row < axes; ++row) {
      double sum = matrix[row * (axes + 1) + axes];
      for (std::int64_t k = 0; k < axes; ++k)
        sum += matrix[row * (axes + 1) + k] * at[static_cast<std::size_t>(k)];
      out[i * axes + row] = static_cast<float>(sum);
    }
  }
  return {};
}

namespace {

/// The four elements around a position of a plane, and their weights.
struct Corners {
  std::array<std::int64_t, 4> at{};
  std::array<float, 4> weight{};
};

Corners corners(float y, float x, std::int64_t height, std::int64_t width) {
  if (!(y >= -1 && y <= static_cast<float>(height) && x >= -1 && x <= static_cast<float>(width))) return {};
  const auto split = [](float at, std::int64_t extent, std::int64_t& low, std::int64_t& high) {
    at = std::max(at, 0.0F);
    low = static_cast<std::int64_t>(at);
    high = low + 1;
    if (low < extent - 1) return at - static_cast<float>(low);
    low = high = extent - 1;
    return 0.0F;
  };
  std::int64_t top = 0, bottom = 0, left = 0, right = 0;
  const float v = split(y, height, top, bottom), u = split(x, width, left, right);
  return {.at = {top * width + left, top * width + right, bottom * width + left, bottom * width + right},
          .weight = {(1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u}};
}

}  // namespace

/// Pools regions of interest into a fixed number of bins, sampled between the elements (He et al., Mask
/// R-CNN, 2017). Max pooling takes the largest weighted corner, as the operator's reference does.
Status roi_align(KernelContext& context) {
  const Node& node = context.node();
  PRESS_ASSIGN(const Tensor* input, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const Tensor* regions, required(context, 1, DataType::kFloat));
  PRESS_ASSIGN(const Tensor* batch, required(context, 2));
  PRESS_ASSIGN(const std::vector<std::int64_t> entries, integers(*batch));
  const auto count = static_cast<std::int64_t>(entries.size());
  if (input->rank() != 4 || regions->dims() != Dims{count, 4}) {
    return reject("input {}, regions {} and {} batch indices do not fit together", to_string(input->dims()),
                  to_string(regions->dims()), count);
  }
  const std::int64_t channels = input->dims()[1], height = input->dims()[2], width = input->dims()[3];
  const std::int64_t rows = node.int_attribute("output_height", 1);
  const std::int64_t columns = node.int_attribute("output_width", 1);
  const std::int64_t ratio = node.int_attribute("sampling_ratio", 0);
  if (rows < 1 || columns < 1 || ratio < 0 || height < 1 || width < 1)
    return reject("a plane of {} x {} cannot be pooled to {} x {}", height, width, rows, columns);
  for (const std::int64_t entry : entries) {
    if (entry < 0 || entry >= input->dims()[0]) return reject("batch index {} is out of range", entry);
  }
  const std::string mode = node.string_attribute("mode", "avg");
  if (mode != "avg" && mode != "max") return reject("attribute mode is '{}', expected avg or max", mode);
  // Before opset 16 positions were not shifted by half an element.
  const bool half_pixel = context.opset() >= 16 && node.string_attribute("coordinate_transformation_mode",
                                                                         "half_pixel") == "half_pixel";
  const float scale = node.float_attribute("spatial_scale", 1.0F), offset = half_pixel ? 0.5F : 0.0F;
  PRESS_ASSIGN(Tensor * target,
               context.allocate_output(0, DataType::kFloat, {count, channels, rows, columns}));
  float* out = target->mutable_data<float>().data();
  constexpr float kMostSamples = 1 << 12;
  for (std::int64_t i = 0; i < count; ++i) {
    const float* region = regions->data<float>().data() + i * 4;
    const float left = region[0] * scale - offset, top = region[1] * scale - offset;
    float wide = region[2] * scale - offset - left, high = region[3] * scale - offset - top;
    if (!half_pixel) {
      wide = std::max(wide, 1.0F);
      high = std::max(high, 1.0F);
    }
    const float bin_height = high / static_cast<float>(rows), bin_width = wide / static_cast<float>(columns);
    const float samples_y = ratio > 0 ? static_cast<float>(ratio) : std::ceil(bin_height);
    const float samples_x = ratio > 0 ? static_cast<float>(ratio) : std::ceil(bin_width);
    if (!(samples_y <= kMostSamples && samples_x <= kMostSamples))
      return reject("region {} asks for {} x {} samples in a bin", i, samples_y, samples_x);
    const auto ny = static_cast<std::int64_t>(std::max(samples_y, 0.0F));
    const auto nx = static_cast<std::int64_t>(std::max(samples_x, 0.0F));
    const auto divisor = static_cast<float>(std::max<std::int64_t>(nx * ny, 1));
    for (std::int64_t bin = 0; bin < rows * columns; ++bin) {
      std::vector<Corners> samples;
      for (std::int64_t k = 0; k < nx * ny; ++k) {
        const std::int64_t bin_row = bin / columns, sample_row = k / nx;
        const float y = top + (static_cast<float>(bin_row) +
                               (static_cast<float>(sample_row) + 0.5F) / static_cast<float>(ny)) *
                                  bin_height;
        const float x = left + (static_cast<float>(bin % columns) +
                                (static_cast<float>(k % nx) + 0.5F) / static_cast<float>(nx)) *
                                   bin_width;
        samples.push_back(corners(y, x, height, width));
      }
      for (std::int64_t c = 0; c < channels; ++c) {
        const float* data = input->data<float>().data() +
                            (entries[static_cast<std::size_t>(i)] * channels + c) * height * width;
        float result = mode == "max" && !samples.empty() ? -INFINITY : 0.0F;
        for (const Corners& sample : samples) {
          for (std::size_t k = 0; k < 4; ++k) {
            const float value = sample.weight[k] * data[sample.at[k]];
            result = mode == "max" ? std::max(result, value) : result + value;
          }
        }
        out[(i * channels + c) * rows * columns + bin] = mode == "max" ? result : result / divisor;
      }
    }
  }
  return {};
}

}  // namespace press::kernels
