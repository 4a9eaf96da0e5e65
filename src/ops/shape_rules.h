// The shape rules that ops.def names, and what they share. Private to the ops floor.
//
// A rule fills the facts of its node's outputs as far as those of the inputs tell; it rejects (kInput) what
// can never be right. What it does not know it leaves open: it never guesses.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <vector>

#include "ops/shapes.h"
#include "press/ops/operator.h"

namespace press {

/// Tensors with more elements than this carry no element facts.
inline constexpr std::int64_t kMostElementFacts = 64;

template <typename... Args>
Error reject(fmt::format_string<Args...> format, Args&&... args) {
  return {ErrorCode::kInput, fmt::format(format, std::forward<Args>(args)...)};
}

/// Element facts, in row-major order, of a small tensor that holds whole numbers (integers, bool, or floats
/// that are whole); entries that are no extent (negative) are open. Nullopt for other tensors.
std::optional<Shape> element_facts(const Tensor& tensor);

/// The shape of an input, or null where it is omitted or its rank is not known.
const Shape* shape_of(const ShapeContext& context, std::size_t input);
/// The element type of an input, kUndefined where it is not known.
DataType type_of(const ShapeContext& context, std::size_t input);
/// The elements of an input as far as known, or null.
const Shape* elements_of(const ShapeContext& context, std::size_t input);
/// The integers of an input where all are known, be it a constant (negative ones too) or derived from shapes.
std::optional<std::vector<std::int64_t>> integers_of(const ShapeContext& context, std::size_t input);
/// How many elements a rank 1 input has, if known.
std::optional<std::size_t> length_of(const ShapeContext& context, std::size_t input);

/// Sets an output, if the node has it.
void set(ShapeContext& context, std::size_t output, DataType type, std::optional<Shape> shape);

/// An integer list that is an attribute before opset `since` and the input `input` from then on. `present`
/// tells whether the node gives one; `values` is nullopt where it does, but cannot be known.
struct ListArgument {
  bool present = false;
  std::optional<std::vector<std::int64_t>> values;
};
ListArgument list_argument(const ShapeContext& context, const char* attribute, std::size_t input,
                           std::int64_t since);

/// The product of all dims: known, or one symbol alone, or open.
Dim total(const Shape& shape);

namespace shape_rules {
#define PRESS_OP(domain, type, rule, kernel, ...) Status rule(ShapeContext& context);
#include "ops/ops.def"
}  // namespace shape_rules

}  // namespace press
