// PNG and BMP through stb_image, which checks neither checksums nor the end of the data: that is done here
// first.
#include <fmt/format.h>
#include <zlib.h>

#include <cstring>
#include <memory>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_BMP
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#include <stb/stb_image.h>

#include "calibrate/image_formats.h"

namespace press {

namespace {
std::uint32_t big_endian_32(const std::byte* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | std::to_integer<std::uint32_t>(bytes[i]);
  return value;
}

template <typename T>
T little_endian(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

/// Walks the chunks up to IEND and compares their checksums (PNG specification, 5.3).
Status check_png(std::span<const std::byte> file) {
  constexpr std::size_t kSignature = 8;
  constexpr std::size_t kFrame = 12;  // length, type and checksum around the data
  for (std::size_t at = kSignature; file.size() - at >= kFrame;) {
    const std::byte* chunk = file.data() + at;
    const std::size_t length = big_endian_32(chunk);
    if (length > file.size() - at - kFrame) break;
    const auto crc = crc32(0, reinterpret_cast<const Bytef*>(chunk + 4), static_cast<uInt>(length + 4));
    if (crc != big_endian_32(chunk + 8 + length)) {
      return Error(ErrorCode::kInput,
                   fmt::format("the data is damaged: wrong checksum in the chunk at byte {}", at));
    }
    if (std::memcmp(chunk + 4, "IEND", 4) == 0) return {};
    at += kFrame + length;
  }
  return Error(ErrorCode::kInput, "the data is truncated");
}

/// All rows of pixels lie in the file.
Status check_bmp(std::span<const std::byte> file) {
  const Error truncated(ErrorCode::kInput, "the data is truncated");
  if (file.size() < 54) return truncated;
  const auto header = little_endian<std::uint32_t>(file.data() + 14);
  if (header < 40) return Error(ErrorCode::kInput, "OS/2 headers are not supported: convert it to PNG");
  const auto pixels = little_endian<std::uint32_t>(file.data() + 10);
  const std::int64_t width = little_endian<std::int32_t>(file.data() + 18);
  const std::int64_t height = std::abs(std::int64_t{little_endian<std::int32_t>(file.data() + 22)});
  const auto bits = little_endian<std::uint16_t>(file.data() + 28);
  if (width <= 0 || width > kMaxImagePixels || height > kMaxImagePixels) {
    return Error(ErrorCode::kInput,
                 fmt::format("the header asks for {}x{} (height x width) pixels", height, width));
  }
  const std::int64_t stride = (width * bits + 31) / 32 * 4;
  return pixels + stride * height <= static_cast<std::int64_t>(file.size()) ? Status() : Status(truncated);
}

Result<Image> decode_with_stb(std::span<const std::byte> file) {
  const auto* bytes = reinterpret_cast<const stbi_uc*>(file.data());
  const int size = static_cast<int>(file.size());
  int width = 0;
  int height = 0;
  int channels = 0;
  if (stbi_info_from_memory(bytes, size, &width, &height, &channels) == 0) {
    return Error(ErrorCode::kInput, stbi_failure_reason());
  }
  PRESS_TRY(make_image({height, width}, 1));
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> pixels(
      stbi_load_from_memory(bytes, size, &width, &height, &channels, 0), &stbi_image_free);
  if (pixels == nullptr) return Error(ErrorCode::kInput, stbi_failure_reason());
  PRESS_ASSIGN(Image image, make_image({height, width}, channels));
  std::memcpy(image.pixels.data(), pixels.get(), image.pixels.size());
  return image;
}
}  // namespace

Result<Image> decode_png(std::span<const std::byte> file) {
  PRESS_TRY(check_png(file));
  return decode_with_stb(file);
}

Result<Image> decode_bmp(std::span<const std::byte> file) {
  PRESS_TRY(check_bmp(file));
  return decode_with_stb(file);
}

}  // namespace press
