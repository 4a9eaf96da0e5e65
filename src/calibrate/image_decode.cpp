#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>
#include <string_view>

#include "calibrate/image_formats.h"

namespace press {

namespace {
struct Format {
  std::string_view name;
  std::string_view magic;
  std::size_t offset;                                   // of the magic bytes in the file
  Result<Image> (*decode)(std::span<const std::byte>);  // nullptr: known by name only
};

using namespace std::string_view_literals;
constexpr std::array kFormats{
    Format{"JPEG", "\xff\xd8\xff"sv, 0, decode_jpeg},
    Format{"PNG", "\x89PNG\r\n\x1a\n"sv, 0, decode_png},
    Format{"BMP", "BM"sv, 0, decode_bmp},
    Format{"PGM", "P2"sv, 0, decode_pnm},
    Format{"PGM", "P5"sv, 0, decode_pnm},
    Format{"PPM", "P3"sv, 0, decode_pnm},
    Format{"PPM", "P6"sv, 0, decode_pnm},
    Format{"GIF", "GIF8"sv, 0, nullptr},
    Format{"WebP", "WEBP"sv, 8, nullptr},
    Format{"TIFF", "II*\0"sv, 0, nullptr},
    Format{"TIFF", "MM\0*"sv, 0, nullptr},
    Format{"HEIF", "ftyphei"sv, 4, nullptr},
    Format{"AVIF", "ftypavif"sv, 4, nullptr},
};

bool matches(const Format& format, std::string_view file) {
  return file.size() >= format.offset && file.substr(format.offset).starts_with(format.magic);
}
}  // namespace

Result<Image> make_image(ImageSize size, int channels) {
  if (size.height <= 0 || size.width <= 0) {
    return Error(ErrorCode::kInput,
                 fmt::format("an image of {}x{} pixels has no content", size.height, size.width));
  }
  const std::int64_t pixels = std::int64_t{size.height} * size.width;
  if (pixels > kMaxImagePixels) {
    return Error(ErrorCode::kInput,
                 fmt::format("the image has {}x{} (height x width) pixels, the limit is {} million",
                             size.height, size.width, kMaxImagePixels / 1'000'000));
  }
  Image image{size, channels, 1, {}};
  try {
    image.pixels.resize(static_cast<std::size_t>(pixels * channels));
  } catch (const std::bad_alloc&) {
    return Error(ErrorCode::kInput,
                 fmt::format("not enough memory for an image of {}x{} pixels", size.height, size.width));
  }
  return image;
}

Result<Image> decode_image(std::span<const std::byte> file) {
  if (file.empty()) return Error(ErrorCode::kInput, "the file is empty");
  if (file.size() > kMaxImageFileBytes) {
    return Error(ErrorCode::kInput, fmt::format("the file has {} bytes, the limit for one image is {} MiB",
                                                file.size(), kMaxImageFileBytes >> 20));
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  const auto format =
      std::ranges::find_if(kFormats, [&](const Format& known) { return matches(known, text); });
  if (format == kFormats.end()) {
    return Error(ErrorCode::kInput, "the content is no image (readable are JPEG, PNG, BMP, PGM and PPM)");
  }
  if (format->decode == nullptr) {
    return Error(
        ErrorCode::kInput,
        fmt::format("{} images are not supported: convert it to JPEG, PNG, BMP, PGM or PPM", format->name));
  }
  return format->decode(file).with_context(std::string(format->name));
}

}  // namespace press
