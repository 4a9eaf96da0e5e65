#include <cassert>

#include "press/calibrate/image.h"

namespace press {

namespace {
std::uint8_t luma(const std::uint8_t* rgb) {
  return static_cast<std::uint8_t>((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}
}  // namespace

Result<Image> upright(Image image) {
  if (image.orientation == 1) return image;
  // EXIF 2.3, 4.6.4: which edges of the picture the first stored row and column are.
  const bool transposed = image.orientation >= 5;
  const bool from_bottom =
      image.orientation == 3 || image.orientation == 4 || image.orientation == 6 || image.orientation == 7;
  const bool from_right =
      image.orientation == 2 || image.orientation == 3 || image.orientation == 7 || image.orientation == 8;
  const ImageSize stored = image.size;
  const ImageSize turned = transposed ? ImageSize{stored.width, stored.height} : stored;
  PRESS_ASSIGN(Image result, make_image(turned, image.channels));
  const auto channels = static_cast<std::size_t>(image.channels);
  std::uint8_t* target = result.pixels.data();
  for (int y = 0; y < turned.height; ++y) {
    for (int x = 0; x < turned.width; ++x, target += channels) {
      const int row = transposed ? x : y;
      const int column = transposed ? y : x;
      const int stored_row = from_bottom ? stored.height - 1 - row : row;
      const int stored_column = from_right ? stored.width - 1 - column : column;
      const std::uint8_t* source = image.pixels.data() + (static_cast<std::size_t>(stored_row) *
                                                              static_cast<std::size_t>(stored.width) +
                                                          static_cast<std::size_t>(stored_column)) *
                                                             channels;
      for (std::size_t c = 0; c < channels; ++c) target[c] = source[c];
    }
  }
  return result;
}

Result<Image> with_channels(Image image, int channels) {
  assert(channels == 1 || channels == 3 || channels == 4);
  if (image.channels == channels) return image;
  PRESS_ASSIGN(Image result, make_image(image.size, channels));
  result.orientation = image.orientation;
  const bool from_colour = image.channels >= 3;
  const bool from_alpha = image.channels == 2 || image.channels == 4;
  const std::uint8_t* source = image.pixels.data();
  std::uint8_t* target = result.pixels.data();
  for (std::size_t i = 0; i < image.pixels.size(); i += static_cast<std::size_t>(image.channels)) {
    if (channels == 1) {
      target[0] = from_colour ? luma(source) : source[0];
    } else {
      for (int c = 0; c < 3; ++c) target[c] = source[from_colour ? c : 0];
      if (channels == 4) target[3] = from_alpha ? source[image.channels - 1] : 255;
    }
    source += image.channels;
    target += channels;
  }
  return result;
}

}  // namespace press
