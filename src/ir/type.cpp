#include "press/ir/type.h"

#include <fmt/format.h>

namespace press {

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ',';
    text += shape[i].known() ? std::to_string(shape[i].value()) : shape[i].named() ? shape[i].symbol() : "?";
  }
  return text + "]";
}

std::optional<Dims> known_dims(const Shape& shape) {
  Dims dims;
  for (const Dim& dim : shape) {
    if (!dim.known()) return std::nullopt;
    dims.push_back(dim.value());
  }
  return dims;
}

std::string to_string(const Type& type) {
  if (!type.is_tensor()) return "non-tensor";
  return fmt::format("{}{}", name(type.element), type.shape ? to_string(*type.shape) : "");
}

}  // namespace press
