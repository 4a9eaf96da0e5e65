#include <fmt/format.h>
#include <zlib.h>

#include "calibrate/calibrate_support.h"

#include <algorithm>

namespace press::test {
namespace {

class DecodesAsPillow : public testing::TestWithParam<const char*> {};

TEST_P(DecodesAsPillow, WithinNothing) {
  const std::string name = GetParam();
  Result<Image> image = decode_file(name);
  ASSERT_TRUE(image.ok()) << image.error().message();
  image = upright(std::move(image).value());
  ASSERT_TRUE(image.ok());
  const Tensor& pixels = expected(name);
  image = with_channels(std::move(image).value(), pixels.rank() == 2 ? 1 : 3);
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(difference(*image, pixels), 0);
}

INSTANTIATE_TEST_SUITE_P(Images, DecodesAsPillow,
                         testing::Values("grey.jpg", "420.jpg", "422.jpg", "444.jpg", "progressive.jpg",
                                         "cmyk.jpg", "one.jpg", "orientation1.jpg", "orientation2.jpg",
                                         "orientation3.jpg", "orientation4.jpg", "orientation5.jpg",
                                         "orientation6.jpg", "orientation7.jpg", "orientation8.jpg",
                                         "rgb.png", "grey.png", "rgba.png", "grey_alpha.png", "palette.png",
                                         "palette_transparent.png", "bilevel.png", "one.png", "rgb16.png",
                                         "grey16.png", "rgb.bmp", "grey.bmp", "palette.bmp", "rgb.ppm",
                                         "grey.pgm"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

TEST(DecodeImage, KeepsChannelsAsStored) {
  EXPECT_EQ(decode_file("grey.jpg")->channels, 1);
  EXPECT_EQ(decode_file("420.jpg")->channels, 3);
  EXPECT_EQ(decode_file("cmyk.jpg")->channels, 3);
  EXPECT_EQ(decode_file("grey.png")->channels, 1);
  EXPECT_EQ(decode_file("grey_alpha.png")->channels, 2);
  EXPECT_EQ(decode_file("palette.png")->channels, 3);
  EXPECT_EQ(decode_file("rgba.png")->channels, 4);
}

TEST(DecodeImage, ReadsTheOrientation) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    EXPECT_EQ(decode_file(fmt::format("orientation{}.jpg", orientation))->orientation, orientation);
  }
  EXPECT_EQ(decode_file("420.jpg")->orientation, 1);
}

TEST(DecodeImage, ConvertsChannelsAsPillow) {
  const Image rgba = decode_file("rgba.png").value();
  EXPECT_EQ(difference(with_channels(rgba, 4).value(), expected("rgba.png:rgba")), 0);
  EXPECT_EQ(difference(with_channels(rgba, 1).value(), expected("rgba.png:grey")), 0);
  EXPECT_EQ(difference(with_channels(decode_file("rgb.png").value(), 1).value(), expected("rgb.png:grey")),
            0);

  const Image grey{{1, 1}, 1, 1, {77}};
  EXPECT_EQ(with_channels(grey, 3)->pixels, (std::vector<std::uint8_t>{77, 77, 77}));
  EXPECT_EQ(with_channels(grey, 4)->pixels, (std::vector<std::uint8_t>{77, 77, 77, 255}));
}

TEST(DecodeImage, ReadsAsciiPnmWithCommentsAndScalesToTheMaximum) {
  const Result<Image> grey = decode_image(as_bytes("P2\n# a comment\n3 1\n# another\n4\n0 2 4"));
  ASSERT_TRUE(grey.ok()) << grey.error().message();
  EXPECT_EQ(grey->pixels, (std::vector<std::uint8_t>{0, 128, 255}));
  const Result<Image> colour = decode_image(as_bytes("P3 1 2 255  1 2 3\n4 5 6\n"));
  ASSERT_TRUE(colour.ok()) << colour.error().message();
  EXPECT_EQ(colour->pixels, (std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6}));
  const Result<Image> wide = decode_image(as_bytes(std::string("P5 2 1 65535\n\xff\xff\x80\x00", 17)));
  ASSERT_TRUE(wide.ok()) << wide.error().message();
  EXPECT_EQ(wide->pixels, (std::vector<std::uint8_t>{255, 128}));
}

TEST(DecodeImage, RefusesEveryTruncation) {
  for (const char* name : {"420.jpg", "progressive.jpg", "grey.jpg", "rgb.png", "palette.png", "rgb.bmp",
                           "grey.pgm", "rgb.ppm"}) {
    const std::string bytes = read_bytes(data_path(std::string("images/") + name));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      // Copied, so that a read beyond the end is seen by the address sanitizer.
      const std::vector<char> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      input_error(decode_image(std::as_bytes(std::span(part))));
    }
  }
}

TEST(DecodeImage, SurvivesEveryFlippedByte) {
  for (const char* name : {"420.jpg", "progressive.jpg", "cmyk.jpg", "orientation6.jpg", "rgb.png",
                           "palette.bmp", "rgb16.png", "grey.pgm"}) {
    std::string bytes = read_bytes(data_path(std::string("images/") + name));
    for (char& byte : bytes) {
      const char old = byte;
      for (const int flip : {0x01, 0x80, 0xff}) {
        byte = static_cast<char>(old ^ flip);
        const Result<Image> image = decode_image(as_bytes(bytes));
        if (image.ok()) {
          EXPECT_EQ(image->pixels.size(), static_cast<std::size_t>(image->size.height) *
                                              static_cast<std::size_t>(image->size.width) *
                                              static_cast<std::size_t>(image->channels));
        } else {
          EXPECT_EQ(image.error().code(), ErrorCode::kInput);
          EXPECT_FALSE(image.error().message().empty());
        }
      }
      byte = old;
    }
  }
}

TEST(DecodeImage, SaysWhatIsDamaged) {
  const std::string jpeg = read_bytes(data_path("images/420.jpg"));
  EXPECT_EQ(input_error(decode_image(as_bytes(jpeg.substr(0, jpeg.size() - 60)))),
            "JPEG: Premature end of JPEG file");
  std::string png = read_bytes(data_path("images/rgb.png"));
  png[60] = static_cast<char>(png[60] ^ 1);
  EXPECT_EQ(input_error(decode_image(as_bytes(png))),
            "PNG: the data is damaged: wrong checksum in the chunk at byte 33");
}

TEST(DecodeImage, ToleratesBytesThatLoseNoPixels) {
  const std::string jpeg = read_bytes(data_path("images/420.jpg"));
  const Result<Image> image = decode_image(as_bytes(jpeg + "trailing bytes"));
  ASSERT_TRUE(image.ok()) << image.error().message();
  EXPECT_EQ(difference(*image, expected("420.jpg")), 0);
}

TEST(DecodeImage, NamesFormatsThatItDoesNotRead) {
  EXPECT_EQ(input_error(decode_image({})), "the file is empty");
  EXPECT_TRUE(contains(input_error(decode_image(as_bytes("hello"))), "no image"));
  EXPECT_TRUE(contains(input_error(decode_image(as_bytes("GIF89a......"))), "GIF images are not supported"));
  EXPECT_TRUE(contains(input_error(decode_image(as_bytes("RIFF....WEBPVP8 "))), "WebP"));
}

TEST(DecodeImage, ChecksTheSizeBeforeItAsksForMemory) {
  const auto with_png_size = [](std::uint32_t width, std::uint32_t height) {
    std::string png = read_bytes(data_path("images/rgb.png"));
    for (int i = 0; i < 4; ++i) {
      png[static_cast<std::size_t>(16 + i)] = static_cast<char>(width >> (24 - 8 * i));
      png[static_cast<std::size_t>(20 + i)] = static_cast<char>(height >> (24 - 8 * i));
    }
    const auto crc = crc32(0, reinterpret_cast<const Bytef*>(png.data() + 12), 17);
    for (int i = 0; i < 4; ++i)
      png[static_cast<std::size_t>(29 + i)] = static_cast<char>(crc >> (24 - 8 * i));
    return png;
  };
  EXPECT_TRUE(
      contains(input_error(decode_image(as_bytes(with_png_size(12000, 12000)))), "limit is 100 million"));
  EXPECT_FALSE(decode_image(as_bytes(with_png_size(1u << 31, 1u << 31))).ok());

  std::string jpeg = read_bytes(data_path("images/444.jpg"));
  const std::size_t frame = jpeg.find("\xff\xc0");
  for (const std::size_t at : {frame + 5, frame + 7}) jpeg[at] = '\xff';
  EXPECT_TRUE(contains(input_error(decode_image(as_bytes(jpeg))), "limit is 100 million"));

  EXPECT_FALSE(decode_image(as_bytes("P5 99999999 99999999 255\n..")).ok());
  EXPECT_FALSE(decode_image(as_bytes("P5 99999999999 1 255\n..")).ok());
  EXPECT_FALSE(decode_image(as_bytes("P5 0 5 255\n")).ok());
}

}  // namespace
}  // namespace press::test
