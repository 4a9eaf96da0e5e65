// JPEG through libjpeg-turbo with its defaults: accurate integer DCT, fancy upsampling, no scaling in the DCT
// domain.
//
// libjpeg reports errors by a callback that must not return, so each call into it stands in a member function
// of JpegReader that sets the point to come back to and holds no object with a destructor.
#include <fmt/format.h>

#include <csetjmp>
#include <cstdio>

#include <jpeglib.h>

#include <jerror.h>

#include <algorithm>
#include <optional>

#include "calibrate/image_formats.h"

namespace press {

namespace {
/// Progressive files may repeat scans without end; encoders write about ten.
constexpr int kMaxScans = 500;

struct JpegErrors {
  jpeg_error_mgr manager;  // first, so that libjpeg's pointer to it is a pointer to this
  std::jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void leave_with_error(j_common_ptr info) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  errors->manager.format_message(info, errors->message);
  std::longjmp(errors->escape, 1);
}

/// libjpeg goes on with grey or repeated pixels after these warnings.
bool loses_pixels(int message) {
  return message == JWRN_JPEG_EOF || message == JWRN_HIT_MARKER || message == JWRN_HUFF_BAD_CODE ||
         message == JWRN_ARITH_BAD_CODE || message == JWRN_MUST_RESYNC;
}

void receive_message(j_common_ptr info, int level) {
  if (level < 0 && loses_pixels(info->err->msg_code)) leave_with_error(info);
}

void limit_scans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMaxScans) return;
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  std::snprintf(errors->message, sizeof errors->message, "more than %d scans", kMaxScans);
  std::longjmp(errors->escape, 1);
}

class JpegReader {
 public:
  JpegReader() = default;
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&info_); }

  bool read_header(const unsigned char* file, std::size_t size) {
    info_.err = jpeg_std_error(&errors_.manager);
    errors_.manager.error_exit = leave_with_error;
    errors_.manager.emit_message = receive_message;
    if (setjmp(errors_.escape) != 0) return false;
    jpeg_create_decompress(&info_);
    progress_.progress_monitor = limit_scans;
    info_.progress = &progress_;
    jpeg_mem_src(&info_, file, size);
    jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&info_, TRUE);
    switch (info_.num_components) {
      case 1:
        info_.out_color_space = JCS_GRAYSCALE;
        break;
      case 3:
        info_.out_color_space = JCS_RGB;
        break;
      case 4:
        info_.out_color_space = JCS_CMYK;
        break;
      default:
        info_.err->msg_code = JERR_CONVERSION_NOTIMPL;
        leave_with_error(reinterpret_cast<j_common_ptr>(&info_));
    }
    return true;
  }

  /// `pixels` has room for height * width * components().
  bool read_pixels(std::uint8_t* pixels) {
    if (setjmp(errors_.escape) != 0) return false;
    jpeg_start_decompress(&info_);
    while (info_.output_scanline < info_.output_height) {
      const std::size_t stride =
          std::size_t{info_.output_width} * static_cast<std::size_t>(info_.output_components);
      JSAMPROW row = pixels + info_.output_scanline * stride;
      jpeg_read_scanlines(&info_, &row, 1);
    }
    jpeg_finish_decompress(&info_);
    return true;
  }

  ImageSize size() const {
    return {static_cast<int>(info_.image_height), static_cast<int>(info_.image_width)};
  }
  int components() const { return info_.num_components; }
  const char* error() const { return errors_.message; }
  const jpeg_marker_struct* markers() const { return info_.marker_list; }

 private:
  jpeg_decompress_struct info_{};
  jpeg_progress_mgr progress_{};
  JpegErrors errors_{};
};

/// Little- or big-endian numbers out of EXIF's TIFF block; reads beyond its end are nullopt.
class TiffReader {
 public:
  explicit TiffReader(std::span<const std::uint8_t> bytes)
      : bytes_(bytes), big_endian_(!bytes.empty() && bytes[0] == 'M') {}

  std::optional<std::uint32_t> number(std::size_t offset, std::size_t width) const {
    if (offset > bytes_.size() || bytes_.size() - offset < width) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < width; ++i) {
      value = value << 8 | bytes_[offset + (big_endian_ ? i : width - 1 - i)];
    }
    return value;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  bool big_endian_;
};

/// Tag 0x0112 of the first directory (CIPA DC-008, EXIF 2.3, 4.6.4); 1 where there is none or it is
/// malformed.
int tiff_orientation(std::span<const std::uint8_t> block) {
  constexpr std::uint32_t kOrientation = 0x0112;
  constexpr std::uint32_t kShort = 3;
  const TiffReader tiff(block);
  const auto directory = tiff.number(4, 4);
  if (!directory) return 1;
  const std::uint32_t entries = tiff.number(*directory, 2).value_or(0);
  for (std::uint32_t i = 0; i < entries; ++i) {
    const std::size_t entry = std::size_t{*directory} + 2 + std::size_t{12} * i;
    if (tiff.number(entry, 2) != kOrientation || tiff.number(entry + 2, 2) != kShort) continue;
    const std::uint32_t value = tiff.number(entry + 8, 2).value_or(1);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

int exif_orientation(const jpeg_marker_struct* marker) {
  constexpr std::uint8_t kSignature[] = {'E', 'x', 'i', 'f', 0, 0};
  for (; marker != nullptr; marker = marker->next) {
    const std::span<const std::uint8_t> data(marker->data, marker->data_length);
    if (data.size() > std::size(kSignature) &&
        std::equal(std::begin(kSignature), std::end(kSignature), data.begin())) {
      return tiff_orientation(data.subspan(std::size(kSignature)));
    }
  }
  return 1;
}

/// round(a * b / 255) for 8-bit a and b.
std::uint8_t multiply_255(unsigned a, unsigned b) {
  const unsigned product = a * b + 128;
  return static_cast<std::uint8_t>((product + (product >> 8)) >> 8);
}

/// Files hold inverted inks, as Adobe writes them: 255 is no ink.
Result<Image> cmyk_to_rgb(const Image& cmyk) {
  PRESS_ASSIGN(Image rgb, make_image(cmyk.size, 3));
  const std::uint8_t* source = cmyk.pixels.data();
  for (std::size_t i = 0; i < rgb.pixels.size(); i += 3, source += 4) {
    const std::uint8_t white = source[3];
    for (std::size_t c = 0; c < 3; ++c) {
      rgb.pixels[i + c] = static_cast<std::uint8_t>(white - multiply_255(255u - source[c], white));
    }
  }
  return rgb;
}
}  // namespace

Result<Image> decode_jpeg(std::span<const std::byte> file) {
  JpegReader reader;
  if (!reader.read_header(reinterpret_cast<const unsigned char*>(file.data()), file.size())) {
    return Error(ErrorCode::kInput, reader.error());
  }
  const int orientation = exif_orientation(reader.markers());
  PRESS_ASSIGN(Image image, make_image(reader.size(), reader.components()));
  if (!reader.read_pixels(image.pixels.data())) return Error(ErrorCode::kInput, reader.error());
  if (image.channels == 4) {
    PRESS_ASSIGN(image, cmyk_to_rgb(image));
  }
  image.orientation = orientation;
  return image;
}

}  // namespace press
