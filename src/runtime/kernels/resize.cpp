// Resize and Upsample: nearest, linear and cubic, one axis after the other.
//
// Interpolation is separable: each axis has a table of source elements and weights for every output position,
// computed by the coordinate transformation of the operator. An axis that does not change is skipped.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ops/shapes.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {
namespace {

struct Settings {
  std::string mode = "nearest";
  std::string transformation = "half_pixel";
  std::string rounding = "round_prefer_floor";
  double cubic_a = -0.75;
  bool exclude_outside = false;
  bool antialias = false;
  float extrapolation = 0;
};

/// One axis: its extents, its scale, and for tf_crop_and_resize its region of interest.
struct Axis {
  std::int64_t input = 1, output = 1;
  double scale = 1;
  double roi_begin = 0, roi_end = 1;
};

/// For output i: weights[begin[i] … begin[i + 1]) apply to the same entries of sources. No entries:
/// extrapolation.
struct Taps {
  std::vector<std::size_t> begin{0};
  std::vector<std::int64_t> sources;
  std::vector<float> weights;
};

Settings read_settings(const KernelContext& context) {
  Settings settings;
  const Node& node = context.node();
  settings.mode = node.string_attribute("mode", "nearest");
  if (settings.mode == "bilinear") settings.mode = "linear";
  if (node.is("Upsample") || context.opset() < 11) {
    // Before opset 11 there was no choice: output / scale, rounded down.
    settings.transformation = "asymmetric";
    settings.rounding = "floor";
    return settings;
  }
  settings.transformation = node.string_attribute("coordinate_transformation_mode", "half_pixel");
  settings.rounding = node.string_attribute("nearest_mode", "round_prefer_floor");
  settings.cubic_a = node.float_attribute("cubic_coeff_a", -0.75F);
  settings.exclude_outside = node.int_attribute("exclude_outside", 0) != 0;
  settings.antialias = node.int_attribute("antialias", 0) != 0;
  settings.extrapolation = node.float_attribute("extrapolation_value", 0.0F);
  return settings;
}

/// The coordinate in the input that output position i looks at.
Result<double> source_coordinate(const Settings& settings, const Axis& axis, std::int64_t i) {
  const auto x = static_cast<double>(i);
  const auto in = static_cast<double>(axis.input), out = static_cast<double>(axis.output);
  const std::string& how = settings.transformation;
  if (how == "half_pixel") return (x + 0.5) / axis.scale - 0.5;
  if (how == "asymmetric") return x / axis.scale;
  if (how == "pytorch_half_pixel") return axis.output > 1 ? (x + 0.5) / axis.scale - 0.5 : 0.0;
  if (how == "align_corners") return axis.output > 1 ? x * (in - 1) / (out - 1) : 0.0;
  if (how == "tf_half_pixel_for_nn") return (x + 0.5) / axis.scale;
  if (how == "half_pixel_symmetric") {
    const double adjustment = out / (axis.scale * in), center = in / 2;
    return center * (1 - adjustment) + (x + 0.5) / axis.scale - 0.5;
  }
  if (how == "tf_crop_and_resize") {
    return axis.output > 1
               ? axis.roi_begin * (in - 1) + x * (axis.roi_end - axis.roi_begin) * (in - 1) / (out - 1)
               : 0.5 * (axis.roi_begin + axis.roi_end) * (in - 1);
  }
  return reject("attribute coordinate_transformation_mode is '{}'", how);
}

Result<std::int64_t> nearest_index(const Settings& settings, double x) {
  const double floor = std::floor(x), fraction = x - floor;
  if (settings.rounding == "floor") return static_cast<std::int64_t>(floor);
  if (settings.rounding == "ceil") return static_cast<std::int64_t>(std::ceil(x));
  if (settings.rounding == "round_prefer_floor")
    return static_cast<std::int64_t>(fraction > 0.5 ? floor + 1 : floor);
  if (settings.rounding == "round_prefer_ceil")
    return static_cast<std::int64_t>(fraction >= 0.5 ? floor + 1 : floor);
  return reject("attribute nearest_mode is '{}'", settings.rounding);
}

/// Keys' cubic convolution kernel (IEEE Trans. ASSP 29(6), 1981) with the free parameter a.
double cubic_weight(double distance, double a) {
  const double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return 0;
}

Result<Taps> taps_of(const Settings& settings, const Axis& axis) {
  Taps taps;
  const bool linear = settings.mode == "linear";
  // Antialiasing widens the kernel by as much as the axis shrinks.
  const double widen = settings.antialias && axis.scale < 1 ? 1 / axis.scale : 1;
  const double reach = (linear ? 1.0 : 2.0) * widen;
  if (!(reach <= 1e6)) return reject("scale {} is too small", axis.scale);
  for (std::int64_t i = 0; i < axis.output; ++i) {
    PRESS_ASSIGN(double x, source_coordinate(settings, axis, i));
    if (!(std::abs(x) <= 1e15)) return reject("output {} of an axis of {} looks at {}", i, axis.input, x);
    const auto last = static_cast<double>(axis.input - 1);
    const bool outside = settings.transformation == "tf_crop_and_resize" && (x < 0 || x > last);
    if (outside) {
      taps.begin.push_back(taps.sources.size());
      continue;
    }
    if (settings.mode == "nearest") {
      PRESS_ASSIGN(const std::int64_t index, nearest_index(settings, x));
      taps.sources.push_back(std::clamp<std::int64_t>(index, 0, axis.input - 1));
      taps.weights.push_back(1);
      taps.begin.push_back(taps.sources.size());
      continue;
    }
    if (linear && !settings.antialias) x = std::clamp(x, 0.0, last);
    const auto first = static_cast<std::int64_t>(std::floor(x - reach)) + 1;
    const auto end = static_cast<std::int64_t>(std::ceil(x + reach));
    const std::size_t start = taps.weights.size();
    double sum = 0;
    for (std::int64_t k = first; k < end || k == first; ++k) {
      const double distance = (static_cast<double>(k) - x) / widen;
      double weight =
          linear ? std::max(0.0, 1 - std::abs(distance)) : cubic_weight(distance, settings.cubic_a);
      if (settings.exclude_outside && (k < 0 || k >= axis.input)) weight = 0;
      if (weight == 0) continue;
      sum += weight;
      taps.sources.push_back(std::clamp<std::int64_t>(k, 0, axis.input - 1));
      taps.weights.push_back(static_cast<float>(weight));
    }
    if (sum == 0) return reject("output {} of an axis of {} has no source", i, axis.input);
    for (std::size_t k = start; k < taps.weights.size(); ++k) taps.weights[k] /= static_cast<float>(sum);
    taps.begin.push_back(taps.sources.size());
  }
  return taps;
}

/// Interpolates one axis of [outer][input][inner] float32.
void apply(const Taps& taps, const Axis& axis, std::int64_t outer, std::int64_t inner, float extrapolation,
           const float* from, float* to, int threads) {
  parallel_for(threads, outer * axis.output,
               std::max<std::int64_t>(1, kElementGrain / std::max<std::int64_t>(inner, 1)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t row = begin; row < end; ++row) {
                   const auto i = static_cast<std::size_t>(row % axis.output);
                   const float* source = from + row / axis.output * axis.input * inner;
                   float* target = to + row * inner;
                   std::fill_n(target, inner, taps.begin[i] == taps.begin[i + 1] ? extrapolation : 0.0F);
                   for (std::size_t k = taps.begin[i]; k < taps.begin[i + 1]; ++k) {
                     const float* line = source + taps.sources[k] * inner;
                     const float weight = taps.weights[k];
                     for (std::int64_t j = 0; j < inner; ++j) target[j] += weight * line[j];
                   }
                 }
               });
}

/// Picks one element for each output: nearest, for every element type.
template <typename T>
void pick(const Taps& taps, const Axis& axis, std::int64_t outer, std::int64_t inner, T extrapolation,
          const T* from, T* to, int threads) {
  parallel_for(threads, outer,
               std::max<std::int64_t>(1, kElementGrain / std::max<std::int64_t>(inner * axis.output, 1)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t row = begin; row < end; ++row) {
                   const T* source = from + row * axis.input * inner;
                   T* target = to + row * axis.output * inner;
                   for (std::size_t i = 0; i < static_cast<std::size_t>(axis.output); ++i, target += inner) {
                     if (taps.begin[i] == taps.begin[i + 1]) {
                       std::fill_n(target, inner, extrapolation);
                     } else {
                       std::copy_n(source + taps.sources[taps.begin[i]] * inner, inner, target);
                     }
                   }
                 }
               });
}

/// The scales that the node gives, if it gives any, one for each resized axis.
Result<std::vector<float>> read_scales(const KernelContext& context) {
  const bool upsample = context.node().is("Upsample");
  if (upsample && context.opset() < 9) return context.node().floats_attribute("scales");
  const std::size_t position = upsample || context.opset() < 11 ? 1 : 2;
  const Tensor* scales = position < context.input_count() ? context.input(position) : nullptr;
  if (scales == nullptr || scales->size() == 0) return std::vector<float>();
  if (scales->type() != DataType::kFloat)
    return reject("the scales are {}, expected float32", name(scales->type()));
  return std::vector<float>(scales->data<float>().begin(), scales->data<float>().end());
}

Result<std::vector<Axis>> read_axes(const KernelContext& context, const Tensor& input) {
  std::vector<std::size_t> resized(input.rank());
  std::iota(resized.begin(), resized.end(), std::size_t{0});
  if (context.node().has_attribute("axes")) {
    PRESS_ASSIGN(resized, normalize_axes(context.node().ints_attribute("axes"), input.rank()));
  }
  std::vector<Axis> axes;
  for (const std::int64_t dim : input.dims()) axes.push_back({.input = dim, .output = dim});
  PRESS_ASSIGN(const std::vector<float> scales, read_scales(context));
  const bool modern = !context.node().is("Upsample") && context.opset() >= 11;
  const Tensor* sizes = modern && context.input_count() > 3 ? context.input(3) : nullptr;
  if (sizes != nullptr && sizes->size() > 0) {
    PRESS_ASSIGN(const std::vector<std::int64_t> wanted, integers(*sizes));
    if (wanted.size() != resized.size()) return reject("{} sizes for {} axes", wanted.size(), resized.size());
    // keep_aspect_ratio_policy: one scale for all axes, the smallest (not_larger) or the largest
    // (not_smaller).
    const std::string policy = context.node().string_attribute("keep_aspect_ratio_policy", "stretch");
    std::optional<double> common;
    for (std::size_t i = 0; i < resized.size(); ++i) {
      Axis& axis = axes[resized[i]];
      if (wanted[i] < 0) return reject("size {} is negative", wanted[i]);
      axis.output = wanted[i];
      axis.scale =
          static_cast<double>(wanted[i]) / static_cast<double>(std::max<std::int64_t>(axis.input, 1));
      if (policy == "not_larger") common = std::min(common.value_or(axis.scale), axis.scale);
      if (policy == "not_smaller") common = std::max(common.value_or(axis.scale), axis.scale);
    }
    for (std::size_t i = 0; common && i < resized.size(); ++i) {
      Axis& axis = axes[resized[i]];
      axis.scale = *common;
      axis.output = static_cast<std::int64_t>(std::round(*common * static_cast<double>(axis.input)));
    }
  } else {
    if (scales.size() != resized.size())
      return reject("{} scales for {} axes", scales.size(), resized.size());
    for (std::size_t i = 0; i < resized.size(); ++i) {
      Axis& axis = axes[resized[i]];
      axis.scale = scales[i];
      PRESS_ASSIGN(axis.output, scaled_extent(axis.input, scales[i]));
    }
  }
  const Tensor* roi = modern && context.input_count() > 1 ? context.input(1) : nullptr;
  if (context.node().string_attribute("coordinate_transformation_mode", "") == "tf_crop_and_resize") {
    if (roi == nullptr || roi->type() != DataType::kFloat ||
        roi->size() != 2 * static_cast<std::int64_t>(resized.size())) {
      return reject("tf_crop_and_resize needs a region of two float32 numbers for each axis");
    }
    const std::span<const float> bounds = roi->data<float>();
    for (std::size_t i = 0; i < resized.size(); ++i) {
      axes[resized[i]].roi_begin = bounds[i];
      axes[resized[i]].roi_end = bounds[resized.size() + i];
    }
  }
  return axes;
}

/// Integers as float32, to be weighed.
Result<Tensor> in_floats(KernelContext& context, const Tensor& input) {
  PRESS_ASSIGN(Tensor floats, context.allocate_scratch(DataType::kFloat, input.dims()));
  PRESS_TRY(dispatch_integers(context, input.type(), [&]<typename T>() -> Status {
    std::ranges::transform(input.data<T>(), floats.mutable_data<float>().begin(),
                           [](T value) { return static_cast<float>(value); });
    return {};
  }));
  return floats;
}

/// Weighed integers: the nearest ones that the type has.
Status write_integers(KernelContext& context, const Tensor& floats, DataType type) {
  return dispatch_integers(context, type, [&]<typename T>() -> Status {
    PRESS_ASSIGN(Tensor * output, context.allocate_output(0, type, floats.dims()));
    std::ranges::transform(floats.data<float>(), output->mutable_data<T>().begin(), [](float value) {
      constexpr auto kLowest = static_cast<double>(std::numeric_limits<T>::lowest());
      const double limit = std::ldexp(1.0, std::numeric_limits<T>::digits);  // the first one too large
      const double rounded = std::nearbyint(static_cast<double>(value));
      if (rounded >= limit) return std::numeric_limits<T>::max();
      return rounded >= kLowest ? static_cast<T>(rounded) : std::numeric_limits<T>::lowest();
    });
    return {};
  });
}
}  // namespace

Status resize(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  const Settings settings = read_settings(context);
  if (settings.mode != "nearest" && settings.mode != "linear" && settings.mode != "cubic") {
    return reject("attribute mode is '{}', expected nearest, linear or cubic", settings.mode);
  }
  PRESS_ASSIGN(const std::vector<Axis> axes, read_axes(context, *input));
  const bool crops = settings.transformation == "tf_crop_and_resize";
  Tensor current = *input;
  const bool weighs = settings.mode != "nearest" && input->type() != DataType::kFloat;
  if (weighs) {
    PRESS_ASSIGN(current, in_floats(context, *input));
  }
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const Axis& axis = axes[i];
    if (axis.output == axis.input && axis.scale == 1 &&
        (!crops || (axis.roi_begin == 0 && axis.roi_end == 1)))
      continue;
    if (axis.input == 0 && axis.output > 0) return reject("axis {} is empty", i);
    Dims dims = current.dims();
    dims[i] = axis.output;
    const std::int64_t outer = span_count(dims, 0, i), inner = span_count(dims, i + 1, dims.size());
    PRESS_ASSIGN(Tensor next, context.allocate_scratch(current.type(), dims));
    if (next.size() > 0) {
      PRESS_ASSIGN(const Taps taps, taps_of(settings, axis));
      if (current.type() == DataType::kFloat && (settings.mode != "nearest" || crops)) {
        apply(taps, axis, outer, inner, settings.extrapolation, current.data<float>().data(),
              next.mutable_data<float>().data(), context.threads());
      } else {
        PRESS_TRY(dispatch_width(context, current.type(), [&]<typename T>() -> Status {
          pick(taps, axis, outer, inner, T{0}, raw<T>(current), raw<T>(next), context.threads());
          return {};
        }));
      }
    }
    current = std::move(next);
  }
  if (weighs) return write_integers(context, current, input->type());
  context.set_output(0, std::move(current));
  return {};
}

}  // namespace press::kernels
