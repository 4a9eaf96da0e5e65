// The decoders behind decode_image(), one a file.
#pragma once

#include <cstddef>
#include <span>

#include "press/calibrate/image.h"

namespace press {

Result<Image> decode_jpeg(std::span<const std::byte> file);
Result<Image> decode_png(std::span<const std::byte> file);
Result<Image> decode_bmp(std::span<const std::byte> file);
Result<Image> decode_pnm(std::span<const std::byte> file);

}  // namespace press
