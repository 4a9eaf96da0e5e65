#include "ops/shape_rules.h"

#include <cmath>

namespace press {
namespace {

template <typename T>
std::vector<std::int64_t> widened(const Tensor& tensor) {
  const std::span<const T> data = tensor.data<T>();
  return {data.begin(), data.end()};
}

std::optional<std::vector<std::int64_t>> constant_integers(const Tensor& tensor) {
  switch (tensor.type()) {
    case DataType::kInt64:
      return widened<std::int64_t>(tensor);
    case DataType::kInt32:
      return widened<std::int32_t>(tensor);
    case DataType::kUint8:
      return widened<std::uint8_t>(tensor);
    case DataType::kBool:
      return widened<bool>(tensor);
    case DataType::kFloat: {
      std::vector<std::int64_t> result;
      for (const float value : tensor.data<float>()) {
        // What is no whole number cannot be an extent either: these are weights.
        if (!(std::abs(value) < 1e15F) || value != std::floor(value)) return std::nullopt;
        result.push_back(static_cast<std::int64_t>(value));
      }
      return result;
    }
    default:
      return std::nullopt;
  }
}
}  // namespace

std::optional<Shape> element_facts(const Tensor& tensor) {
  if (tensor.size() > kMostElementFacts) return std::nullopt;
  const auto integers = constant_integers(tensor);
  if (!integers) return std::nullopt;
  Shape elements;
  for (const std::int64_t value : *integers) elements.push_back(value >= 0 ? Dim(value) : Dim());
  return elements;
}

const Shape* shape_of(const ShapeContext& context, std::size_t input) {
  const ValueFacts* facts = context.input(input);
  return facts != nullptr && facts->type.is_tensor() && facts->type.shape ? &*facts->type.shape : nullptr;
}

DataType type_of(const ShapeContext& context, std::size_t input) {
  const ValueFacts* facts = context.input(input);
  return facts != nullptr ? facts->type.element : DataType::kUndefined;
}

const Shape* elements_of(const ShapeContext& context, std::size_t input) {
  const ValueFacts* facts = context.input(input);
  return facts != nullptr && facts->elements ? &*facts->elements : nullptr;
}

std::optional<std::vector<std::int64_t>> integers_of(const ShapeContext& context, std::size_t input) {
  const Tensor* constant = context.constant(input);
  if (constant != nullptr && is_integer(constant->type())) return constant_integers(*constant);
  const Shape* elements = elements_of(context, input);
  return elements != nullptr ? known_dims(*elements) : std::nullopt;
}

std::optional<std::size_t> length_of(const ShapeContext& context, std::size_t input) {
  const Shape* shape = shape_of(context, input);
  if (shape == nullptr || shape->size() != 1 || !shape->front().known()) return std::nullopt;
  return static_cast<std::size_t>(shape->front().value());
}

void set(ShapeContext& context, std::size_t output, DataType type, std::optional<Shape> shape) {
  if (output >= context.output_count()) return;
  context.output(output).type.element = type;
  context.output(output).type.shape = std::move(shape);
}

ListArgument list_argument(const ShapeContext& context, const char* attribute, std::size_t input,
                           std::int64_t since) {
  if (context.opset() < since) {
    if (!context.node().has_attribute(attribute)) return {};
    return {.present = true, .values = context.node().ints_attribute(attribute)};
  }
  if (context.node().input(input) == nullptr) return {};
  return {.present = true, .values = integers_of(context, input)};
}

Dim total(const Shape& shape) {
  std::int64_t known = 1;
  const Dim* symbol = nullptr;
  for (const Dim& dim : shape) {
    if (dim.known()) {
      if (dim.value() == 0) return 0;
      if (__builtin_mul_overflow(known, dim.value(), &known)) return {};
    } else {
      if (symbol != nullptr || !dim.named()) return {};
      symbol = &dim;
    }
  }
  if (symbol == nullptr) return known;
  return known == 1 ? *symbol : Dim();
}

}  // namespace press
