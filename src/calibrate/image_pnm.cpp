// PGM and PPM, ASCII (P2, P3) and binary (P5, P6), of 8 or 16 bits
// (https://netpbm.sourceforge.net/doc/ppm.html).
#include <fmt/format.h>

#include <optional>

#include "calibrate/image_formats.h"

namespace press {

namespace {
constexpr std::uint32_t kMaxNumber = 100'000'000;

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

class PnmReader {
 public:
  explicit PnmReader(std::span<const std::byte> file)
      : at_(reinterpret_cast<const char*>(file.data()) + 2), end_(at_ + file.size() - 2) {}

  /// The next decimal number after white space and comments; nullopt at the end, at other text, above
  /// kMaxNumber.
  std::optional<std::uint32_t> number() {
    while (at_ != end_ && (is_space(*at_) || *at_ == '#')) {
      if (*at_ == '#') {
        while (at_ != end_ && *at_ != '\n') ++at_;
      } else {
        ++at_;
      }
    }
    if (at_ == end_ || *at_ < '0' || *at_ > '9') return std::nullopt;
    std::uint32_t value = 0;
    for (; at_ != end_ && *at_ >= '0' && *at_ <= '9'; ++at_) {
      value = value * 10 + static_cast<std::uint32_t>(*at_ - '0');
      if (value > kMaxNumber) return std::nullopt;
    }
    return value;
  }

  /// The next binary sample of 1 or 2 bytes, big-endian.
  std::optional<std::uint32_t> sample(std::size_t width) {
    if (remaining() < width) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < width; ++i) value = value << 8 | static_cast<std::uint8_t>(*at_++);
    return value;
  }

  bool skip_one_space() { return at_ != end_ && is_space(*at_++); }
  std::size_t remaining() const { return static_cast<std::size_t>(end_ - at_); }

 private:
  const char* at_;
  const char* end_;
};
}  // namespace

Result<Image> decode_pnm(std::span<const std::byte> file) {
  const char kind = static_cast<char>(file[1]);
  const bool binary = kind == '5' || kind == '6';
  const int channels = kind == '2' || kind == '5' ? 1 : 3;
  PnmReader reader(file);
  const auto width = reader.number();
  const auto height = reader.number();
  const auto maximum = reader.number();
  if (!width || !height || !maximum || *maximum == 0 || *maximum > 65535 || !reader.skip_one_space()) {
    return Error(ErrorCode::kInput,
                 "malformed header: width, height and a maximum of 1 to 65535 are expected");
  }
  const std::size_t sample_bytes = *maximum > 255 ? 2 : 1;
  const Error truncated(ErrorCode::kInput, "the data is truncated or malformed");
  // An ASCII sample takes two bytes, the last one may take one.
  const auto samples = std::uint64_t{*width} * *height * static_cast<std::uint64_t>(channels);
  if (reader.remaining() < (binary ? samples * sample_bytes : samples * 2 - 1)) return truncated;
  PRESS_ASSIGN(Image image, make_image({static_cast<int>(*height), static_cast<int>(*width)}, channels));
  for (std::uint8_t& pixel : image.pixels) {
    const auto value = binary ? reader.sample(sample_bytes) : reader.number();
    if (!value || *value > *maximum) return truncated;
    pixel = static_cast<std::uint8_t>((*value * 255 + *maximum / 2) / *maximum);
  }
  return image;
}

}  // namespace press
