#include "onnx/recognize.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "press/support/text.h"

namespace press {
namespace {

struct Signature {
  std::size_t offset;
  std::string_view bytes;
  std::string_view meaning;
};

constexpr std::array kSignatures = {
    Signature{0, "version https://git-lfs",
              "this is a Git LFS pointer, not the model; fetch it with `git lfs pull`"},
    Signature{0, "\x1f\x8b", "this is a gzip archive; unpack it with `gunzip`"},
    Signature{0, "PK\x03\x04",
              "this is a ZIP archive (PyTorch, Core ML or Keras 3 write such files); unpack it, or export "
              "the model to ONNX"},
    Signature{0, "\x89HDF\r\n\x1a\n", "this is an HDF5 file, as Keras writes them; convert it with tf2onnx"},
    Signature{4, "TFL3", "this is a TensorFlow Lite model; convert it with tf2onnx"},
    Signature{4, "ORTM",
              "this is a model in ONNX Runtime's own format; use the ONNX file that it was made from"},
    Signature{0, "7z\xbc\xaf\x27\x1c", "this is a 7z archive; unpack it"},
    Signature{0,
              "\xfd"
              "7zXZ",
              "this is an xz archive; unpack it with `unxz`"},
    Signature{0, "BZh", "this is a bzip2 archive; unpack it with `bunzip2`"},
    Signature{0, "\x28\xb5\x2f\xfd", "this is a zstd archive; unpack it with `unzstd`"},
};

bool is_text(std::string_view start) {
  return std::ranges::all_of(start, [](char c) {
    const auto byte = static_cast<std::uint8_t>(c);
    return (byte >= 0x20 && byte < 0x7f) || byte == '\n' || byte == '\r' || byte == '\t';
  });
}

}  // namespace

std::string recognize(wire::Bytes bytes) {
  const std::string_view text = wire::as_text(bytes.first(std::min<std::size_t>(bytes.size(), 512)));
  for (const Signature& signature : kSignatures) {
    if (text.size() >= signature.offset && text.substr(signature.offset).starts_with(signature.bytes)) {
      return std::string(signature.meaning);
    }
  }
  if (is_text(text)) {
    return fmt::format("this is text, not an ONNX model; it starts with {}",
                       quoted(text.substr(0, std::min<std::size_t>(text.find('\n'), 60))));
  }
  return {};
}

}  // namespace press
