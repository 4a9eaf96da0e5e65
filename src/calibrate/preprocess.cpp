#include "press/calibrate/preprocess.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "calibrate/numbers.h"
#include "press/support/text.h"

namespace press {

namespace {
const std::vector<double> kImageNetMean = {0.485, 0.456, 0.406};
const std::vector<double> kImageNetStd = {0.229, 0.224, 0.225};

Preprocess imagenet_geometry() {
  Preprocess steps;
  steps.channels = Channels::kRgb;
  steps.resize = ShorterSide{256};
  steps.crop = ImageSize{224, 224};
  return steps;
}

Preprocess imagenet() {
  Preprocess steps = imagenet_geometry();
  steps.scale = 1.0 / 255;
  steps.mean = kImageNetMean;
  steps.std = kImageNetStd;
  return steps;
}

Preprocess imagenet_tf() {
  Preprocess steps = imagenet_geometry();
  steps.scale = 1.0 / 127.5;
  steps.mean = {1};
  return steps;
}

Preprocess cifar10() {
  Preprocess steps = imagenet();
  steps.resize = {};
  steps.crop.reset();
  return steps;
}

Preprocess fashion_mnist() {
  Preprocess steps;
  steps.channels = Channels::kGrey;
  steps.scale = 1.0 / 255;
  steps.mean = {0.2860};
  steps.std = {0.3530};
  return steps;
}

constexpr std::array kPresets{
    PreprocessPreset{"imagenet",
                     "RGB, shorter side 256 bilinear, crop 224, 1/255, ImageNet mean and std (torchvision)"},
    PreprocessPreset{"imagenet-tf", "RGB, shorter side 256 bilinear, crop 224, pixels to -1..1 (TensorFlow)"},
    PreprocessPreset{"cifar10", "RGB, size as stored, 1/255, ImageNet mean and std"},
    PreprocessPreset{"fashion-mnist", "grey, size as stored, 1/255, mean 0.2860, std 0.3530"},
    PreprocessPreset{"none", "channels and size as stored, pixels 0..255"},
};
constexpr Preprocess (*const kPresetMakers[])() = {imagenet, imagenet_tf, cifar10, fashion_mnist,
                                                   [] { return Preprocess(); }};
static_assert(std::size(kPresetMakers) == kPresets.size());

/// The name on the command line.
std::string_view name_of(Channels channels) {
  switch (channels) {
    case Channels::kAsStored:
      return "as-stored";
    case Channels::kGrey:
      return "grey";
    case Channels::kRgb:
      return "rgb";
    case Channels::kRgba:
      return "rgba";
  }
  return {};
}

std::string_view name_of(Interpolation interpolation) {
  switch (interpolation) {
    case Interpolation::kNearest:
      return "nearest";
    case Interpolation::kBilinear:
      return "bilinear";
    case Interpolation::kBicubic:
      return "bicubic";
  }
  return {};
}

std::string_view name_of(Layout layout) {
  return layout == Layout::kNchw ? "nchw" : "nhwc";
}

std::string to_string(ImageSize size) {
  return fmt::format("{}x{}", size.height, size.width);
}

bool positive(ImageSize size) {
  return size.height > 0 && size.width > 0;
}

Status check_steps(const Preprocess& steps) {
  const auto usage = [](std::string message) { return Error(ErrorCode::kUsage, std::move(message)); };
  if (const auto* side = std::get_if<ShorterSide>(&steps.resize); side != nullptr && side->pixels <= 0) {
    return usage(fmt::format("resize: the shorter side must be 1 or more, not {}", side->pixels));
  }
  if (const auto* size = std::get_if<ImageSize>(&steps.resize); size != nullptr && !positive(*size)) {
    return usage(fmt::format("resize: the size must be 1x1 or more, not {}", to_string(*size)));
  }
  if (steps.crop && !positive(*steps.crop)) {
    return usage(fmt::format("crop: the size must be 1x1 or more, not {}", to_string(*steps.crop)));
  }
  for (const auto& [what, numbers] : {std::pair("mean", &steps.mean), std::pair("std", &steps.std)}) {
    const std::size_t count = numbers->size();
    const bool fits = steps.channels == Channels::kAsStored
                          ? count <= 4
                          : count == static_cast<std::size_t>(steps.channels);
    if (count > 1 && !fits) {
      return usage(
          fmt::format("{} has {} numbers, but the images become {}: give one number or one a channel", what,
                      count, name_of(steps.channels)));
    }
  }
  const auto finite = [](double x) { return std::isfinite(x); };
  if (!finite(steps.scale) || !std::ranges::all_of(steps.mean, finite)) {
    return usage("scale and mean must be finite numbers");
  }
  if (!std::ranges::all_of(steps.std, [&](double x) { return finite(x) && x != 0; })) {
    return usage("std must be finite and not 0");
  }
  return {};
}

/// (full - part) / 2 rounded half to even, as torchvision's CenterCrop places its window.
int centre_offset(int full, int part) {
  const int rest = full - part;
  const int half = rest / 2;
  return rest % 2 != 0 && half % 2 != 0 ? half + 1 : half;
}

/// Where channels, height and width stand in a shape of rank 4.
struct Axes {
  std::size_t channels, height, width;
};
Axes axes_of(Layout layout) {
  return layout == Layout::kNchw ? Axes{1, 2, 3} : Axes{3, 1, 2};
}

bool counts_channels(const Dim& dim) {
  return dim.value() == 1 || dim.value() == 3 || dim.value() == 4;
}

Layout layout_of(const Shape& shape) {
  return !counts_channels(shape[1]) && counts_channels(shape[3]) ? Layout::kNhwc : Layout::kNchw;
}

bool differs(const Dim& dim, int extent) {
  return dim.known() && dim.value() != extent;
}

std::string describe_input(const NetworkInput& input) {
  return fmt::format("the network's input {} ({})", press::quoted(input.name), to_string(input.type));
}

std::string size_hint(const Shape& shape, Axes axes) {
  const Dim& height = shape[axes.height];
  const Dim& width = shape[axes.width];
  return fmt::format("{}x{}", height.known() ? std::to_string(height.value()) : "?",
                     width.known() ? std::to_string(width.value()) : "?");
}

/// What to ask for so that images get `count` channels.
std::string channels_hint(std::int64_t count) {
  const auto channels = static_cast<Channels>(count);
  return channels == Channels::kGrey || channels == Channels::kRgb || channels == Channels::kRgba
             ? fmt::format(": use --channels {}", name_of(channels))
             : std::string(", which no image has: check the layout or calibrate with an NPY file");
}
}  // namespace

std::span<const PreprocessPreset> preprocess_presets() {
  return kPresets;
}

Result<Preprocess> preprocess_preset(std::string_view name) {
  const auto* const preset = std::ranges::find(kPresets, name, &PreprocessPreset::name);
  if (preset != kPresets.end()) return kPresetMakers[preset - kPresets.begin()]();
  std::vector<std::string_view> names;
  names.reserve(kPresets.size());
  for (const PreprocessPreset& known : kPresets) names.push_back(known.name);
  return Error(ErrorCode::kUsage, fmt::format("unknown preprocessing preset {}: use one of {}",
                                              press::quoted(name), fmt::join(names, ", ")));
}

void set_channel_order(Preprocess& preprocess, ChannelOrder order) {
  if (order == preprocess.order) return;
  preprocess.order = order;
  for (std::vector<double>* numbers : {&preprocess.mean, &preprocess.std}) {
    if (numbers->size() >= 3) std::swap((*numbers)[0], (*numbers)[2]);
  }
}

std::string describe(const Preprocess& preprocess) {
  std::string text(preprocess.order == ChannelOrder::kBgr ? "bgr" : name_of(preprocess.channels));
  if (!preprocess.apply_orientation) text += ", orientation ignored";
  if (const auto* side = std::get_if<ShorterSide>(&preprocess.resize)) {
    text += fmt::format(", shorter side {} {}", side->pixels, name_of(preprocess.interpolation));
  } else if (const auto* size = std::get_if<ImageSize>(&preprocess.resize)) {
    text += fmt::format(", resize {} {}", to_string(*size), name_of(preprocess.interpolation));
  }
  if (preprocess.crop) text += fmt::format(", crop {}", to_string(*preprocess.crop));
  text += fmt::format(", scale {:.6g}", preprocess.scale);
  if (!preprocess.mean.empty()) text += fmt::format(", mean {}", preprocess.mean);
  if (!preprocess.std.empty()) text += fmt::format(", std {}", preprocess.std);
  if (preprocess.layout) text += fmt::format(", {}", name_of(*preprocess.layout));
  return text;
}

ImagePreprocessor::ImagePreprocessor(Preprocess preprocess, NetworkInput input)
    : preprocess_(std::move(preprocess)), input_(std::move(input)) {}

Result<ImagePreprocessor> ImagePreprocessor::create(Preprocess preprocess, NetworkInput input) {
  PRESS_TRY(check_steps(preprocess));
  if (!input.type.is_tensor()) {
    return Error(ErrorCode::kInput,
                 fmt::format("{} is no tensor and takes no images", describe_input(input)));
  }
  if (!input.type.shape) {
    input.type.shape = Shape(4);
  }
  const Shape& shape = *input.type.shape;
  if (shape.size() != 4) {
    return Error(ErrorCode::kInput,
                 fmt::format("{} takes no images, whose shape is [N,C,H,W] or [N,H,W,C]: calibrate "
                             "with an NPY or NPZ file",
                             describe_input(input)));
  }
  const bool asked_for_layout = preprocess.layout.has_value();
  if (!asked_for_layout) preprocess.layout = layout_of(shape);
  const Axes axes = axes_of(*preprocess.layout);

  const int channels = static_cast<int>(preprocess.channels);
  if (preprocess.channels != Channels::kAsStored && differs(shape[axes.channels], channels)) {
    const bool other_layout_fits = asked_for_layout && layout_of(shape) != *preprocess.layout;
    return Error(ErrorCode::kInput,
                 fmt::format("preprocessing makes {} channel{} ({}, {}), {} asks for {}{}", channels,
                             channels == 1 ? "" : "s", name_of(preprocess.channels),
                             name_of(*preprocess.layout), describe_input(input), shape[axes.channels].value(),
                             other_layout_fits ? fmt::format(": use --layout {}", name_of(layout_of(shape)))
                                               : channels_hint(shape[axes.channels].value())));
  }
  const auto* exact = std::get_if<ImageSize>(&preprocess.resize);
  const std::optional<ImageSize> size = preprocess.crop    ? preprocess.crop
                                        : exact != nullptr ? std::optional(*exact)
                                                           : std::nullopt;
  if (size && (differs(shape[axes.height], size->height) || differs(shape[axes.width], size->width))) {
    return Error(ErrorCode::kInput,
                 fmt::format("preprocessing makes images of {} (height x width), {} asks for {}: "
                             "use --{} {}",
                             to_string(*size), describe_input(input), size_hint(shape, axes),
                             preprocess.crop ? "crop" : "resize", size_hint(shape, axes)));
  }
  ImagePreprocessor result(std::move(preprocess), std::move(input));
  PRESS_TRY(result.check_values());
  return result;
}

double ImagePreprocessor::value(int channel, int pixel) const {
  const auto pick = [channel](const std::vector<double>& numbers, double none) {
    if (numbers.empty()) return none;
    return numbers[numbers.size() == 1 ? 0 : static_cast<std::size_t>(channel)];
  };
  return (pixel * preprocess_.scale - pick(preprocess_.mean, 0)) / pick(preprocess_.std, 1);
}

Status ImagePreprocessor::check_values() const {
  const int channels =
      static_cast<int>(std::max({std::size_t{1}, preprocess_.mean.size(), preprocess_.std.size()}));
  const auto check = [&]<typename T>() -> Status {
    if constexpr (std::is_same_v<T, bool>) {
      return Error(ErrorCode::kInput, "no image becomes bool elements");
    } else if constexpr (std::is_integral_v<T>) {
      for (int i = 0; i < channels * 256; ++i) {
        const double x = value(i / 256, i % 256);
        // Not <= max: the largest int64 is no double.
        if (x == std::floor(x) && x >= static_cast<double>(std::numeric_limits<T>::min()) &&
            x < std::ldexp(1.0, std::numeric_limits<T>::digits)) {
          continue;
        }
        return Error(
            ErrorCode::kInput,
            fmt::format(
                "preprocessing makes {:.6g} of the pixel value {}, which no {} element holds: choose scale, "
                "mean and std that keep whole numbers in its range, as --preset none does",
                x, i % 256, press::name(input_.type.element)));
      }
    }
    return {};
  };
  return with_number_type(input_.type.element, check).with_context(describe_input(input_));
}

Result<Image> ImagePreprocessor::shape_image(Image image, const std::string& name) const {
  if (preprocess_.apply_orientation) {
    PRESS_ASSIGN(image, upright(std::move(image)));
  }
  if (preprocess_.channels != Channels::kAsStored) {
    PRESS_ASSIGN(image, with_channels(std::move(image), static_cast<int>(preprocess_.channels)));
  }
  ImageSize full = image.size;
  if (const auto* exact = std::get_if<ImageSize>(&preprocess_.resize)) full = *exact;
  if (const auto* side = std::get_if<ShorterSide>(&preprocess_.resize)) {
    const auto [shorter, longer] = std::minmax(image.size.height, image.size.width);
    const std::int64_t other = std::int64_t{side->pixels} * longer / shorter;
    if (other > kMaxImagePixels) {
      return Error(ErrorCode::kInput,
                   fmt::format("image {} is {} (height x width): its longer side would become {}",
                               press::quoted(name), to_string(image.size), other));
    }
    full = image.size.height <= image.size.width ? ImageSize{side->pixels, static_cast<int>(other)}
                                                 : ImageSize{static_cast<int>(other), side->pixels};
  }
  const ImageSize crop = preprocess_.crop.value_or(full);
  if (crop.height > full.height || crop.width > full.width) {
    return Error(ErrorCode::kInput,
                 fmt::format("image {} is {} (height x width){}, the crop asks for {}: use --resize",
                             press::quoted(name), to_string(image.size),
                             full == image.size ? "" : " and becomes " + to_string(full), to_string(crop)));
  }
  if (crop == image.size && full == image.size) return image;
  return resize(image, full,
                {centre_offset(full.height, crop.height), centre_offset(full.width, crop.width), crop},
                preprocess_.interpolation)
      .with_context(fmt::format("image {}", press::quoted(name)));
}

Status ImagePreprocessor::check_image(const Image& image, const std::string& name) const {
  const Shape& shape = *input_.type.shape;
  const Axes axes = axes_of(*preprocess_.layout);
  const std::string channels = fmt::format("{} channel{}", image.channels, image.channels == 1 ? "" : "s");
  if (differs(shape[axes.channels], image.channels)) {
    return Error(ErrorCode::kInput,
                 fmt::format("image {} has {}, {} asks for {}{}", press::quoted(name), channels,
                             describe_input(input_), shape[axes.channels].value(),
                             channels_hint(shape[axes.channels].value())));
  }
  const std::size_t numbers = std::max(preprocess_.mean.size(), preprocess_.std.size());
  if (numbers > 1 && numbers != static_cast<std::size_t>(image.channels)) {
    return Error(ErrorCode::kInput,
                 fmt::format("image {} has {}, mean and std have {}{}", press::quoted(name), channels,
                             numbers, channels_hint(static_cast<std::int64_t>(numbers))));
  }
  if (differs(shape[axes.height], image.size.height) || differs(shape[axes.width], image.size.width)) {
    const std::string wanted = size_hint(shape, axes);
    return Error(ErrorCode::kInput,
                 fmt::format("image {} comes out as {} (height x width), {} asks for {}: use --resize {}{}",
                             press::quoted(name), to_string(image.size), describe_input(input_), wanted,
                             wanted, preprocess_.crop ? "" : " or --crop " + wanted));
  }
  return {};
}

template <typename T>
Result<Tensor> ImagePreprocessor::to_tensor(const Image& image) const {
  const auto channels = static_cast<std::size_t>(image.channels);
  const std::size_t pixels = image.pixels.size() / channels;
  const bool planar = *preprocess_.layout == Layout::kNchw;
  const Dims dims = planar ? Dims{1, image.channels, image.size.height, image.size.width}
                           : Dims{1, image.size.height, image.size.width, image.channels};
  PRESS_ASSIGN(Tensor tensor, Tensor::allocate(data_type_of<T>(), dims));
  const std::span<T> target = tensor.mutable_data<T>();
  for (std::size_t c = 0; c < channels; ++c) {
    T values[256];
    for (int pixel = 0; pixel < 256; ++pixel)
      values[pixel] = convert_number<T>(value(static_cast<int>(c), pixel));
    const bool swapped = preprocess_.order == ChannelOrder::kBgr && channels >= 3 && c < 3;
    const std::uint8_t* source = image.pixels.data() + (swapped ? 2 - c : c);
    T* out = target.data() + (planar ? c * pixels : c);
    const std::size_t stride = planar ? 1 : channels;
    for (std::size_t i = 0; i < pixels; ++i) out[i * stride] = values[source[i * channels]];
  }
  return tensor;
}

Result<Tensor> ImagePreprocessor::run(Image image, const std::string& name) const {
  PRESS_ASSIGN(image, shape_image(std::move(image), name));
  PRESS_TRY(check_image(image, name));
  return with_number_type(input_.type.element, [&]<typename T>() { return to_tensor<T>(image); });
}

}  // namespace press
