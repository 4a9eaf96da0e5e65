// Shape rules of ONNX Runtime's own operators (domain com.microsoft).
#include <algorithm>

#include "ops/shape_rules.h"

namespace press::shape_rules {
namespace {

/// The type that a QLinear operator makes: that of the result's zero point, where it has one, else the
/// data's.
DataType quantized_type(const ShapeContext& context, std::size_t zero_point, std::size_t data) {
  return context.node().input(zero_point) != nullptr ? type_of(context, zero_point) : type_of(context, data);
}

std::optional<Shape> copied(const Shape* shape) {
  return shape != nullptr ? std::optional(*shape) : std::nullopt;
}

/// A product of matrices of these shapes; nullopt where it is not known.
Result<std::optional<Shape>> product_shape(const Shape* left, const Shape* right) {
  if (left == nullptr || right == nullptr || left->size() < 2 || right->size() < 2)
    return std::optional<Shape>();
  const Dim &inner_a = left->back(), &inner_b = (*right)[right->size() - 2];
  if (inner_a.known() && inner_b.known() && inner_a.value() != inner_b.value())
    return reject("inner dims {} and {} of the product differ", inner_a.value(), inner_b.value());
  PRESS_ASSIGN(Shape output, broadcast_shapes(Shape(left->begin(), left->end() - 2),
                                              Shape(right->begin(), right->end() - 2)));
  output.push_back((*left)[left->size() - 2]);
  output.push_back(right->back());
  return std::optional(std::move(output));
}
}  // namespace

/// QLinearSigmoid, QLinearLeakyRelu, QLinearSoftmax
Status qlinear_unary(ShapeContext& context) {
  set(context, 0, quantized_type(context, 4, 0), copied(shape_of(context, 0)));
  return {};
}

/// QLinearAveragePool, NhwcMaxPool: the window's own rule reads batch, channels, spatial; other orders stay
/// open.
Status contributed_pool(ShapeContext& context) {
  const bool channels_last = context.node().is("NhwcMaxPool", "com.microsoft") ||
                             context.node().int_attribute("channels_last", 0) != 0;
  const Shape* input = shape_of(context, 0);
  if (!channels_last) return pool(context);
  set(context, 0, type_of(context, 0), input != nullptr ? std::optional(Shape(input->size())) : std::nullopt);
  return {};
}

Status qlinear_global_pool(ShapeContext& context) {
  const Shape* input = shape_of(context, 0);
  if (context.node().int_attribute("channels_last", 0) == 0) return global_pool(context);
  set(context, 0, type_of(context, 0), std::nullopt);
  if (input == nullptr) return {};
  if (input->size() < 3) return reject("the input has shape {}, expected 3 dims or more", to_string(*input));
  Shape output(input->size(), Dim(1));
  output.front() = input->front();
  output.back() = input->back();
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

/// QLinearConcat: the result's scale and zero point first, then data, scale and zero point of each part.
Status qlinear_concat(ShapeContext& context) {
  set(context, 0, type_of(context, 1), std::nullopt);
  const Shape* first = shape_of(context, 2);
  if (first == nullptr) return {};
  PRESS_ASSIGN(const std::size_t axis,
               normalize_axis(context.node().int_attribute("axis", 0), first->size()));
  Shape output = *first;
  for (std::size_t i = 5; i < context.input_count(); i += 3) {
    const Shape* part = shape_of(context, i);
    if (part != nullptr && part->size() != output.size())
      return reject("shapes {} and {} have different ranks", to_string(*first), to_string(*part));
    Dim& along = output[axis];
    if (part == nullptr || !along.known() || !(*part)[axis].known()) {
      along = Dim();
      continue;
    }
    PRESS_ASSIGN(const std::int64_t sum, checked_add(along.value(), (*part)[axis].value()));
    along = sum;
  }
  set(context, 0, type_of(context, 1), std::move(output));
  return {};
}

Status qlinear_where(ShapeContext& context) {
  std::optional<Shape> output = Shape{};
  for (const std::size_t input : {0, 1, 4}) {
    const Shape* shape = shape_of(context, input);
    if (shape == nullptr) {
      output.reset();
    } else if (output) {
      PRESS_ASSIGN(output, broadcast_shapes(*output, *shape));
    }
  }
  set(context, 0, quantized_type(context, 8, 1), std::move(output));
  return {};
}

Status fused_mat_mul(ShapeContext& context) {
  const Node& node = context.node();
  set(context, 0, type_of(context, 0), std::nullopt);
  if (node.int_attribute("transBatchA", 0) != 0 || node.int_attribute("transBatchB", 0) != 0) return {};
  std::optional<Shape> a = copied(shape_of(context, 0)), b = copied(shape_of(context, 1));
  if (!a || !b || a->size() < 2 || b->size() < 2) return {};
  if (node.int_attribute("transA", 0) != 0) std::swap(a->back(), (*a)[a->size() - 2]);
  if (node.int_attribute("transB", 0) != 0) std::swap(b->back(), (*b)[b->size() - 2]);
  PRESS_ASSIGN(std::optional<Shape> output, product_shape(&*a, &*b));
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

/// A, its scale and zero point, B, its scale and zero point, C, the scale and zero point of the result.
Status q_gemm(ShapeContext& context) {
  const DataType type = context.node().input(8) != nullptr ? type_of(context, 8) : DataType::kFloat;
  set(context, 0, type, std::nullopt);
  std::optional<Shape> a = copied(shape_of(context, 0)), b = copied(shape_of(context, 3));
  if (!a || !b) return {};
  if (a->size() != 2 || b->size() != 2) {
    return reject("the operands have shapes {} and {}, expected 2 dims each", to_string(*a), to_string(*b));
  }
  if (context.node().int_attribute("transA", 0) != 0) std::swap((*a)[0], (*a)[1]);
  if (context.node().int_attribute("transB", 0) != 0) std::swap((*b)[0], (*b)[1]);
  PRESS_ASSIGN(std::optional<Shape> output, product_shape(&*a, &*b));
  set(context, 0, type, std::move(output));
  return {};
}

/// DynamicQuantizeMatMul, MatMulIntegerToFloat
Status mat_mul_to_float(ShapeContext& context) {
  PRESS_ASSIGN(std::optional<Shape> output, product_shape(shape_of(context, 0), shape_of(context, 1)));
  set(context, 0, DataType::kFloat, std::move(output));
  return {};
}

Status mat_mul_n_bits(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* a = shape_of(context, 0);
  const std::int64_t k = context.node().int_attribute("K", 0), n = context.node().int_attribute("N", 0);
  if (k < 1 || n < 1) return reject("attributes K and N are {} and {}", k, n);
  if (a == nullptr || a->empty()) return {};
  if (a->back().known() && a->back().value() != k)
    return reject("the rows have {} elements, attribute K is {}", a->back().value(), k);
  Shape output = *a;
  output.back() = n;
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

}  // namespace press::shape_rules
