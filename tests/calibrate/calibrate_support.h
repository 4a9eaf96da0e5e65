// What tests of image sets share: images of tests/data/images, and the pixels that Pillow makes of them.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "calibrate/npy.h"
#include "press/calibrate/image.h"
#include "support/files.h"

namespace press::test {

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// An entry of tests/data/images/expected.npz (made by make.py there).
inline const Tensor& expected(const std::string& name) {
  static const std::map<std::string, Tensor> arrays = [] {
    std::map<std::string, Tensor> result;
    const auto file = map_file(data_path("images/expected.npz"));
    const auto entries = parse_npz(*file);
    for (const NamedArray& entry : *entries) result[entry.name] = entry.array;
    return result;
  }();
  const auto found = arrays.find(name);
  if (found != arrays.end()) return found->second;
  ADD_FAILURE() << "no expected array " << name;
  static const Tensor none = Tensor::of<std::uint8_t>({0, 0}, std::vector<std::uint8_t>());
  return none;
}

inline Result<Image> decode_file(const std::string& name) {
  const std::string bytes = read_bytes(data_path("images/" + name));
  return decode_image(as_bytes(bytes));
}

/// The largest difference of 8-bit values; fails where the sizes differ.
inline int difference(const Image& image, const Tensor& pixels) {
  const Dims dims = image.channels == 1 ? Dims{image.size.height, image.size.width}
                                        : Dims{image.size.height, image.size.width, image.channels};
  EXPECT_EQ(dims, pixels.dims());
  if (dims != pixels.dims()) return 255;
  const std::span<const std::uint8_t> wanted = pixels.data<std::uint8_t>();
  int largest = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    largest = std::max(largest, std::abs(int{image.pixels[i]} - int{wanted[i]}));
  }
  return largest;
}

/// The message of an error of code kInput.
template <typename T>
std::string input_error(const Result<T>& result) {
  if (result.ok()) {
    ADD_FAILURE() << "an error was expected";
    return {};
  }
  EXPECT_EQ(result.error().code(), ErrorCode::kInput) << result.error().message();
  return result.error().message();
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// An 8-bit binary PGM of one value, whose bytes are easily read.
inline std::string pgm(int height, int width, int value) {
  return fmt::format("P5 {} {} 255\n{}", width, height,
                     std::string(static_cast<std::size_t>(height * width), static_cast<char>(value)));
}

}  // namespace press::test
