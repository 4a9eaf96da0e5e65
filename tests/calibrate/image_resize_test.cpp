#include <fmt/format.h>

#include "calibrate/calibrate_support.h"

#include <algorithm>

namespace press::test {
namespace {

Image resize_whole(const Image& image, ImageSize size, Interpolation interpolation) {
  return resize(image, size, {0, 0, size}, interpolation).value();
}

struct Method {
  const char* name;
  Interpolation interpolation;
};
constexpr Method kMethods[] = {{"nearest", Interpolation::kNearest},
                               {"bilinear", Interpolation::kBilinear},
                               {"bicubic", Interpolation::kBicubic}};

TEST(Resize, EqualsPillow) {
  for (const char* source : {"rgb.png", "grey.png"}) {
    const Image image = decode_file(source).value();
    for (const auto& [name, interpolation] : kMethods) {
      for (const ImageSize size : {ImageSize{8, 11}, ImageSize{25, 31}, ImageSize{5, 23}, ImageSize{17, 7},
                                   ImageSize{1, 1}, ImageSize{29, 3}}) {
        const std::string key = fmt::format("{}:{}:{}x{}", source, name, size.height, size.width);
        EXPECT_EQ(difference(resize_whole(image, size, interpolation), expected(key)), 0) << key;
      }
    }
  }
}

TEST(Resize, OfAWindowIsThatPartOfTheWhole) {
  const Image image = decode_file("rgb.png").value();
  for (const auto& [name, interpolation] : kMethods) {
    for (const ImageSize size : {ImageSize{9, 14}, ImageSize{40, 31}, image.size}) {
      const Image whole = resize_whole(image, size, interpolation);
      const ImageWindow window{3, 5, {6, 7}};
      const Image part = resize(image, size, window, interpolation).value();
      ASSERT_EQ(part.size, window.size);
      for (int y = 0; y < 6; ++y) {
        for (int x = 0; x < 7; ++x) {
          for (int c = 0; c < 3; ++c) {
            EXPECT_EQ(part.pixels[static_cast<std::size_t>((y * 7 + x) * 3 + c)],
                      whole.pixels[static_cast<std::size_t>(((y + 3) * size.width + x + 5) * 3 + c)])
                << name;
          }
        }
      }
    }
  }
}

TEST(Resize, KeepsAConstantImage) {
  for (const auto& [name, interpolation] : kMethods) {
    for (const std::uint8_t value : {0, 1, 128, 255}) {
      Image image = make_image({13, 9}, 4).value();
      std::ranges::fill(image.pixels, value);
      for (const ImageSize size : {ImageSize{100, 1}, ImageSize{2, 3}, ImageSize{20, 50}}) {
        const Image resized = resize_whole(image, size, interpolation);
        EXPECT_TRUE(std::ranges::all_of(resized.pixels, [&](std::uint8_t pixel) { return pixel == value; }))
            << name;
      }
    }
  }
}

TEST(Resize, EnlargesOnePixel) {
  const Image dot{{1, 1}, 3, 1, {9, 8, 7}};
  const Image resized = resize_whole(dot, {2, 2}, Interpolation::kBicubic);
  EXPECT_EQ(resized.pixels, (std::vector<std::uint8_t>{9, 8, 7, 9, 8, 7, 9, 8, 7, 9, 8, 7}));
}

}  // namespace
}  // namespace press::test
