#include <algorithm>
#include <cmath>
#include <functional>

#include "ops/shape_rules.h"

namespace press::shape_rules {
namespace {

/// Broadcasts inputs [first, last); nullopt where a rank is open.
Result<std::optional<Shape>> broadcast_inputs(const ShapeContext& context, std::size_t first,
                                              std::size_t last) {
  std::optional<Shape> result = Shape{};
  for (std::size_t i = first; i < last; ++i) {
    const Shape* shape = shape_of(context, i);
    if (shape == nullptr) {
      result.reset();
    } else if (result) {
      PRESS_ASSIGN(result, broadcast_shapes(*result, *shape));
    }
  }
  return result;
}

/// Before opset 7 the second operand was stretched onto the first one, whose shape stays.
bool has_axis_broadcast(const ShapeContext& context) {
  return context.node().domain().empty() && context.opset() < 7;
}

Result<std::optional<Shape>> binary_shape(const ShapeContext& context) {
  if (has_axis_broadcast(context)) {
    const Shape* shape = shape_of(context, 0);
    return shape != nullptr ? std::optional(*shape) : std::nullopt;
  }
  return broadcast_inputs(context, 0, 2);
}

/// Applies `combine` to the elements of two inputs; one of them may be a single element.
template <typename Combine>
void combine_elements(ShapeContext& context, std::size_t a, std::size_t b, const Combine& combine) {
  const Shape* left = elements_of(context, a);
  const Shape* right = elements_of(context, b);
  if (left == nullptr || right == nullptr || context.output_count() == 0) return;
  // Lists and single elements only: facts of higher ranks would have to broadcast by axis.
  for (const std::size_t input : {a, b}) {
    if (shape_of(context, input) == nullptr || shape_of(context, input)->size() > 1) return;
  }
  const std::size_t count = left->size() == 1 ? right->size() : left->size();
  if ((left->size() != count && left->size() != 1) || (right->size() != count && right->size() != 1)) return;
  Shape elements;
  for (std::size_t i = 0; i < count; ++i) {
    elements.push_back(combine((*left)[left->size() == 1 ? 0 : i], (*right)[right->size() == 1 ? 0 : i]));
  }
  context.output(0).elements = std::move(elements);
}

Dim constant_dim(std::int64_t value) {
  return value >= 0 ? Dim(value) : Dim();
}

Status arithmetic(ShapeContext& context, Dim (*combine)(const Dim&, const Dim&)) {
  PRESS_TRY(broadcast(context));
  combine_elements(context, 0, 1, combine);
  return {};
}

/// All elements of the constant input are below 0, which no extent ever is.
bool all_negative(const ShapeContext& context, std::size_t input) {
  if (context.constant(input) == nullptr) return false;
  const auto values = integers_of(context, input);
  if (!values || values->empty()) return false;
  for (const std::int64_t value : *values) {
    if (value >= 0) return false;
  }
  return true;
}
}  // namespace

Status open(ShapeContext&) {
  return {};
}

Status same(ShapeContext& context) {
  if (const ValueFacts* input = context.input(0); input != nullptr && context.output_count() > 0) {
    context.output(0).type = input->type;
  }
  return {};
}

Status same_elements(ShapeContext& context) {
  PRESS_TRY(same(context));
  if (const Shape* elements = elements_of(context, 0)) context.output(0).elements = *elements;
  return {};
}

Status same_bool(ShapeContext& context) {
  PRESS_TRY(same(context));
  if (context.output_count() > 0) context.output(0).type.element = DataType::kBool;
  return {};
}

Status dropout(ShapeContext& context) {
  PRESS_TRY(same(context));
  const Shape* shape = shape_of(context, 0);
  set(context, 1, context.opset() < 10 ? type_of(context, 0) : DataType::kBool,
      shape != nullptr ? std::optional(*shape) : std::nullopt);
  return {};
}

Status broadcast(ShapeContext& context) {
  PRESS_ASSIGN(std::optional<Shape> shape, binary_shape(context));
  set(context, 0, type_of(context, 0), std::move(shape));
  return {};
}

Status compare(ShapeContext& context) {
  PRESS_ASSIGN(std::optional<Shape> shape, binary_shape(context));
  set(context, 0, DataType::kBool, std::move(shape));
  return {};
}

Status equal(ShapeContext& context) {
  PRESS_TRY(compare(context));
  combine_elements(context, 0, 1, [](const Dim& a, const Dim& b) {
    return a.known() && b.known() ? Dim(a.value() == b.value() ? 1 : 0) : Dim();
  });
  for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
    const Shape* elements = elements_of(context, 1 - side);
    if (!all_negative(context, side) || elements == nullptr || shape_of(context, 1 - side)->size() > 1)
      continue;
    const std::size_t length = length_of(context, side).value_or(1);
    if (length != 1 && length != elements->size()) continue;
    Shape differs;
    for (const Dim& dim : *elements) differs.push_back(dim.known() || dim.named() ? Dim(0) : Dim());
    context.output(0).elements = std::move(differs);
  }
  return {};
}

Status variadic(ShapeContext& context) {
  if (context.input_count() == 0) return reject("there are no inputs");
  PRESS_ASSIGN(std::optional<Shape> shape, broadcast_inputs(context, 0, context.input_count()));
  set(context, 0, type_of(context, 0), std::move(shape));
  return {};
}

Status add(ShapeContext& context) {
  return arithmetic(context, [](const Dim& a, const Dim& b) -> Dim {
    if (a.known() && a.value() == 0) return b;
    if (b.known() && b.value() == 0) return a;
    const Result<std::int64_t> sum = checked_add(a.value(), b.value());
    return a.known() && b.known() && sum.ok() ? constant_dim(*sum) : Dim();
  });
}

Status sub(ShapeContext& context) {
  return arithmetic(context, [](const Dim& a, const Dim& b) -> Dim {
    if (b.known() && b.value() == 0) return a;
    return a.known() && b.known() ? constant_dim(a.value() - b.value()) : Dim();
  });
}

Status mul(ShapeContext& context) {
  return arithmetic(context, [](const Dim& a, const Dim& b) -> Dim {
    if (a.known() && a.value() == 1) return b;
    if (b.known() && b.value() == 1) return a;
    const Result<std::int64_t> product = checked_multiply(a.value(), b.value());
    return a.known() && b.known() && product.ok() ? constant_dim(*product) : Dim();
  });
}

Status div(ShapeContext& context) {
  PRESS_TRY(broadcast(context));
  const bool integer = is_integer(type_of(context, 0));
  combine_elements(context, 0, 1, [integer](const Dim& a, const Dim& b) -> Dim {
    if (!b.known() || b.value() == 0) return {};
    if (b.value() == 1) return a;
    // A quotient of floats is carried on only where it is whole.
    if (!a.known() || (!integer && a.value() % b.value() != 0)) return {};
    return a.value() / b.value();
  });
  return {};
}

Status where(ShapeContext& context) {
  PRESS_ASSIGN(std::optional<Shape> shape, broadcast_inputs(context, 0, 3));
  set(context, 0, type_of(context, 1), std::move(shape));
  const Shape* condition = elements_of(context, 0);
  const Shape* yes = elements_of(context, 1);
  const Shape* no = elements_of(context, 2);
  if (condition == nullptr || yes == nullptr || no == nullptr || context.output_count() == 0) return {};
  for (const std::size_t input : {0, 1, 2}) {
    if (shape_of(context, input) == nullptr || shape_of(context, input)->size() > 1) return {};
  }
  const std::size_t count = std::max({condition->size(), yes->size(), no->size()});
  Shape elements;
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = [i](const Shape& list) {
      return list.size() == 1 ? list[0] : i < list.size() ? list[i] : Dim();
    };
    const Dim chosen = at(*condition);
    elements.push_back(!chosen.known() ? Dim() : chosen.value() != 0 ? at(*yes) : at(*no));
  }
  context.output(0).elements = std::move(elements);
  return {};
}

Status prelu(ShapeContext& context) {
  const Shape* input = shape_of(context, 0);
  const Shape* slope = shape_of(context, 1);
  if (input != nullptr && slope != nullptr && context.opset() >= 7) {
    PRESS_ASSIGN(const Shape shape, broadcast_shapes(*input, *slope));
    if (shape.size() > input->size()) {
      return reject("slope {} does not broadcast to the input {}", to_string(*slope), to_string(*input));
    }
  }
  return same(context);
}

Status cast(ShapeContext& context) {
  PRESS_TRY(same_elements(context));
  const Attribute* to = context.node().attribute("to");
  DataType type = DataType::kUndefined;
  if (to != nullptr && std::holds_alternative<std::string>(to->value)) return {};  // opset 1 named the type
  if (to == nullptr) return reject("attribute to is missing");
  type = static_cast<DataType>(context.node().int_attribute("to", 0));
  if (type != DataType::kString && bit_width(type) == 0) {
    return reject("attribute to is {}, which is no element type", context.node().int_attribute("to", 0));
  }
  if (context.output_count() > 0) context.output(0).type.element = type;
  return {};
}

Status cast_like(ShapeContext& context) {
  PRESS_TRY(same_elements(context));
  if (context.output_count() > 0) context.output(0).type.element = type_of(context, 1);
  return {};
}

/// Same shape, and the element type that an attribute names (else that of the input).
Status same_with_dtype(ShapeContext& context) {
  PRESS_TRY(same(context));
  const std::int64_t dtype = context.node().int_attribute("dtype", 0);
  if (dtype != 0 && context.output_count() > 0) context.output(0).type.element = static_cast<DataType>(dtype);
  return {};
}

Status random(ShapeContext& context) {
  const Dims dims = context.node().ints_attribute("shape");
  PRESS_TRY(element_count(dims));
  set(context, 0, static_cast<DataType>(context.node().int_attribute("dtype", 1)),
      Shape(dims.begin(), dims.end()));
  return {};
}

Status quantize_linear(ShapeContext& context) {
  PRESS_TRY(same(context));
  if (context.output_count() == 0) return {};
  DataType type = static_cast<DataType>(context.node().int_attribute("output_dtype", 0));
  if (context.node().input(2) != nullptr) type = type_of(context, 2);
  context.output(0).type.element =
      type != DataType::kUndefined || context.node().input(2) != nullptr ? type : DataType::kUint8;
  return {};
}

Status dequantize_linear(ShapeContext& context) {
  PRESS_TRY(same(context));
  const auto type = static_cast<DataType>(context.node().int_attribute("output_dtype", 0));
  if (context.output_count() > 0) {
    context.output(0).type.element = type != DataType::kUndefined ? type : type_of(context, 1);
  }
  return {};
}

Status dynamic_quantize_linear(ShapeContext& context) {
  PRESS_TRY(same(context));
  if (context.output_count() > 0) context.output(0).type.element = DataType::kUint8;
  set(context, 1, DataType::kFloat, Shape{});
  set(context, 2, DataType::kUint8, Shape{});
  return {};
}

/// com.microsoft.QLinearAdd, QLinearMul: operands at 0 and 3.
Status qlinear_binary(ShapeContext& context) {
  const Shape* a = shape_of(context, 0);
  const Shape* b = shape_of(context, 3);
  std::optional<Shape> shape;
  if (a != nullptr && b != nullptr) {
    PRESS_ASSIGN(shape, broadcast_shapes(*a, *b));
  }
  set(context, 0, type_of(context, 0), std::move(shape));
  return {};
}

}  // namespace press::shape_rules
