#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "press/calibrate/image.h"

namespace press {

namespace {
constexpr int kFractionBits = 22;  // 8 bits of pixel and 2 of overshoot beside it make 32
constexpr std::int32_t kHalf = 1 << (kFractionBits - 1);

std::uint8_t to_pixel(std::int32_t fixed) {
  return static_cast<std::uint8_t>(std::clamp(fixed >> kFractionBits, 0, 255));
}

double triangle(double x) {
  return std::max(0.0, 1.0 - std::abs(x));
}

/// Keys' cubic convolution kernel with a = -0.5 (Keys, IEEE Trans. ASSP 29, 1981).
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

/// Which inputs make up each output along one axis: output i is the sum of weight[j] * input[first + j].
class Axis {
 public:
  struct Taps {
    int first;
    std::span<const std::int32_t> weights;  // fixed point
  };

  /// For outputs begin to begin + count - 1 of an axis resized from `inputs` to `outputs`.
  Axis(int inputs, int outputs, int begin, int count, Interpolation interpolation) {
    const double scale = static_cast<double>(inputs) / outputs;
    const double stretch = std::max(scale, 1.0);
    const bool bilinear = interpolation == Interpolation::kBilinear;
    const double support = (bilinear ? 1.0 : 2.0) * stretch;
    std::vector<double> weights;
    for (int i = begin; i < begin + count; ++i) {
      const double center = (i + 0.5) * scale;
      const int first = std::max(static_cast<int>(std::floor(center - support + 0.5)), 0);
      const int last = std::min(static_cast<int>(std::floor(center + support + 0.5)), inputs);
      weights.clear();
      double sum = 0;
      for (int j = first; j < last; ++j) {
        const double distance = (j - center + 0.5) / stretch;
        weights.push_back(bilinear ? triangle(distance) : cubic(distance));
        sum += weights.back();
      }
      first_.push_back(first);
      start_.push_back(weights_.size());
      for (const double weight : weights) {
        weights_.push_back(static_cast<std::int32_t>(std::lround(weight / sum * (1 << kFractionBits))));
      }
    }
    start_.push_back(weights_.size());
  }

  Taps taps(int output) const {
    const auto i = static_cast<std::size_t>(output);
    return {first_[i], std::span(weights_).subspan(start_[i], start_[i + 1] - start_[i])};
  }
  /// The inputs that are read at all: [first_input, end_input).
  int first_input() const { return first_.front(); }
  int end_input() const {
    int end = 0;
    for (std::size_t i = 0; i < first_.size(); ++i) {
      end = std::max(end, first_[i] + static_cast<int>(start_[i + 1] - start_[i]));
    }
    return end;
  }

 private:
  std::vector<int> first_;
  std::vector<std::size_t> start_;
  std::vector<std::int32_t> weights_;
};

const std::uint8_t* row_of(const Image& image, int row) {
  return image.pixels.data() + static_cast<std::size_t>(row) * static_cast<std::size_t>(image.size.width) *
                                   static_cast<std::size_t>(image.channels);
}

template <int kChannels>
void convolve_row(const std::uint8_t* source, const Axis& axis, int outputs, std::uint8_t* target) {
  for (int x = 0; x < outputs; ++x) {
    const Axis::Taps taps = axis.taps(x);
    const std::uint8_t* pixel = source + static_cast<std::size_t>(taps.first) * kChannels;
    std::int32_t sums[kChannels];
    std::fill_n(sums, kChannels, kHalf);
    for (const std::int32_t weight : taps.weights) {
      for (int c = 0; c < kChannels; ++c) sums[c] += weight * *pixel++;
    }
    for (int c = 0; c < kChannels; ++c) *target++ = to_pixel(sums[c]);
  }
}

using ConvolveRow = void (*)(const std::uint8_t*, const Axis&, int, std::uint8_t*);
constexpr ConvolveRow kConvolveRow[] = {convolve_row<1>, convolve_row<2>, convolve_row<3>, convolve_row<4>};

Result<Image> convolve(const Image& image, ImageSize size, ImageWindow window, Interpolation interpolation) {
  const Axis columns(image.size.width, size.width, window.left, window.size.width, interpolation);
  const Axis rows(image.size.height, size.height, window.top, window.size.height, interpolation);

  const int first_row = rows.first_input();
  PRESS_ASSIGN(Image narrow, make_image({rows.end_input() - first_row, window.size.width}, image.channels));
  const std::size_t stride =
      static_cast<std::size_t>(window.size.width) * static_cast<std::size_t>(image.channels);
  for (int y = 0; y < narrow.size.height; ++y) {
    kConvolveRow[image.channels - 1](row_of(image, first_row + y), columns, window.size.width,
                                     narrow.pixels.data() + static_cast<std::size_t>(y) * stride);
  }

  PRESS_ASSIGN(Image result, make_image(window.size, image.channels));
  std::vector<std::int32_t> sums(stride);
  for (int y = 0; y < window.size.height; ++y) {
    const Axis::Taps taps = rows.taps(y);
    std::ranges::fill(sums, kHalf);
    const std::uint8_t* source = row_of(narrow, taps.first - first_row);
    for (const std::int32_t weight : taps.weights) {
      for (std::size_t i = 0; i < stride; ++i) sums[i] += weight * source[i];
      source += stride;
    }
    std::uint8_t* target = result.pixels.data() + static_cast<std::size_t>(y) * stride;
    for (std::size_t i = 0; i < stride; ++i) target[i] = to_pixel(sums[i]);
  }
  return result;
}

/// The input pixel under the centre of each output pixel. Centres are added up rather than multiplied, as
/// Pillow does, so that the same side is taken where a centre falls between two pixels.
std::vector<int> nearest_inputs(int inputs, int outputs, int begin, int count) {
  const double scale = static_cast<double>(inputs) / outputs;
  std::vector<int> result;
  double center = scale * 0.5;
  for (int i = 0; i < begin + count; ++i, center += scale) {
    if (i >= begin) result.push_back(std::min(static_cast<int>(center), inputs - 1));
  }
  return result;
}

Result<Image> pick_nearest(const Image& image, ImageSize size, ImageWindow window) {
  const std::vector<int> columns =
      nearest_inputs(image.size.width, size.width, window.left, window.size.width);
  const std::vector<int> rows =
      nearest_inputs(image.size.height, size.height, window.top, window.size.height);
  PRESS_ASSIGN(Image result, make_image(window.size, image.channels));
  const auto channels = static_cast<std::size_t>(image.channels);
  std::uint8_t* target = result.pixels.data();
  for (const int row : rows) {
    for (const int column : columns) {
      std::memcpy(target, row_of(image, row) + static_cast<std::size_t>(column) * channels, channels);
      target += channels;
    }
  }
  return result;
}
}  // namespace

Result<Image> resize(const Image& image, ImageSize size, ImageWindow window, Interpolation interpolation) {
  assert(image.channels >= 1 && image.channels <= 4);
  assert(window.top >= 0 && window.size.height <= size.height - window.top);
  assert(window.left >= 0 && window.size.width <= size.width - window.left);
  const bool same_size = size == image.size;
  return same_size || interpolation == Interpolation::kNearest ? pick_nearest(image, size, window)
                                                               : convolve(image, size, window, interpolation);
}

}  // namespace press
