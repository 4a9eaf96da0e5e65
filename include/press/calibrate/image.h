// Images in memory: decoding of JPEG, PNG, BMP and PNM files, and the steps on 8-bit pixels before they
// become tensors.
//
// Every step gives the pixels of Pillow (https://python-pillow.org), because networks are trained and scored
// with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "press/support/result.h"

namespace press {

/// Images with more pixels are refused before memory is asked for.
inline constexpr std::int64_t kMaxImagePixels = 100'000'000;

/// Longer image files are refused unread.
inline constexpr std::size_t kMaxImageFileBytes = std::size_t{1} << 28;

struct ImageSize {
  int height = 0;
  int width = 0;
  friend bool operator==(ImageSize, ImageSize) = default;
};

/// A part of an image, in pixels from its upper left corner.
struct ImageWindow {
  int top = 0;
  int left = 0;
  ImageSize size;
};

/// 8-bit pixels [height][width][channels], packed.
struct Image {
  ImageSize size;
  int channels = 0;     // 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA
  int orientation = 1;  // EXIF's 1 to 8: how the stored pixels lie to the upright picture
  std::vector<std::uint8_t> pixels;
};

enum class Interpolation { kNearest, kBilinear, kBicubic };

/// Pixels of zero. Errors: kInput where a side is not positive, there are more than kMaxImagePixels, or no
/// memory.
Result<Image> make_image(ImageSize size, int channels);

/// Decodes the bytes of an image file; the format is told by the content: JPEG (grey, RGB, YCbCr, CMYK,
/// YCCK), PNG, BMP, PGM and PPM (ASCII and binary). 16-bit samples keep their upper byte. CMYK becomes RGB.
/// Errors: kInput for an unknown format, for damaged or truncated data, for more than kMaxImagePixels or
/// kMaxImageFileBytes.
Result<Image> decode_image(std::span<const std::byte> file);

/// The picture turned and mirrored so that its orientation is 1.
Result<Image> upright(Image image);

/// The picture with 1 (grey), 3 (RGB) or 4 (RGBA) channels. Alpha is dropped or set to 255; grey is ITU-R
/// BT.601 luma in 16-bit fixed point, (19595 R + 38470 G + 7471 B + 32768) >> 16.
Result<Image> with_channels(Image image, int channels);

/// `window` of the picture resized to `size`; what lies outside is not computed.
///
/// Bilinear and bicubic (Catmull-Rom, a = -0.5) are separable convolutions whose support grows with the
/// reduction, so that they are antialiased: rows first, then columns, with coefficients of 22 fractional bits
/// and 8-bit pixels in between, as Pillow does since 2.7. Channels are resized independently of alpha.
/// Errors: as make_image.
Result<Image> resize(const Image& image, ImageSize size, ImageWindow window, Interpolation interpolation);

}  // namespace press
