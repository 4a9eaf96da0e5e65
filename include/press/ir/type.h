// Types of values: what a model file declares or shape inference finds out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "press/ir/data_type.h"
#include "press/ir/tensor.h"
#include "press/support/rare_text.h"

namespace press {

/// One dimension: known, named ("batch"), or unknown.
class Dim {
 public:
  Dim() = default;
  Dim(std::int64_t value) : value_(value) {}  // NOLINT(google-explicit-constructor)
  explicit Dim(std::string symbol) : symbol_(std::move(symbol)) {}

  bool known() const { return value_ >= 0; }
  bool named() const { return !known() && !symbol_.empty(); }
  /// The known extent; negative where it is not known.
  std::int64_t value() const { return value_; }
  const std::string& symbol() const { return symbol_.text(); }

  /// The same known extent or the same name; an unknown dim equals none, not even itself.
  friend bool same(const Dim& a, const Dim& b) {
    return a.known() ? a.value_ == b.value_ : a.named() && !b.known() && a.symbol() == b.symbol();
  }

 private:
  std::int64_t value_ = -1;
  RareText symbol_;
};

using Shape = std::vector<Dim>;

/// "[N,3,224,224]"; an unknown dim is "?".
std::string to_string(const Shape& shape);

/// The dims where all are known.
std::optional<Dims> known_dims(const Shape& shape);

/// A tensor type with element type and shape as far as known, or a type that we carry but do not look into.
struct Type {
  DataType element = DataType::kUndefined;
  std::optional<Shape> shape;  // nullopt: not even the rank is known
  RareText opaque;  // bytes of the TypeProto of a sequence, map, optional or sparse tensor; else empty

  bool is_tensor() const { return opaque.empty(); }
};

/// "float32[N,3,224,224]".
std::string to_string(const Type& type);

}  // namespace press
