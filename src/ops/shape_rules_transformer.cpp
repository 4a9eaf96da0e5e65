#include <algorithm>

#include "ops/shape_rules.h"

namespace press::shape_rules {
namespace {

/// Batch, heads, sequence and head size of queries, keys or values, whether heads have a dim of their own or
/// not; nullopt where the rank is open.
Result<std::optional<Shape>> heads_of(const ShapeContext& context, std::size_t input,
                                      const char* count_attribute) {
  const Shape* shape = shape_of(context, input);
  if (shape == nullptr) return std::optional<Shape>();
  if (shape->size() == 4) return std::optional(*shape);
  const std::int64_t heads = context.node().int_attribute(count_attribute, 0);
  if (shape->size() != 3 || heads < 1 || ((*shape)[2].known() && (*shape)[2].value() % heads != 0)) {
    return reject("input {} has shape {}, which does not hold {} heads ({})", input, to_string(*shape), heads,
                  count_attribute);
  }
  return std::optional(
      Shape{(*shape)[0], heads, (*shape)[1], (*shape)[2].known() ? Dim((*shape)[2].value() / heads) : Dim()});
}

/// The shape of the input with 1 in the place of each dim from `axis` on.
Shape outer_shape(const Shape& input, std::size_t axis) {
  Shape outer = input;
  std::fill(outer.begin() + static_cast<std::ptrdiff_t>(axis), outer.end(), Dim(1));
  return outer;
}
}  // namespace

Status attention(ShapeContext& context) {
  const DataType type = type_of(context, 0);
  for (std::size_t i = 0; i < context.output_count(); ++i) set(context, i, type, std::nullopt);
  PRESS_ASSIGN(const std::optional<Shape> q, heads_of(context, 0, "q_num_heads"));
  PRESS_ASSIGN(const std::optional<Shape> k, heads_of(context, 1, "kv_num_heads"));
  PRESS_ASSIGN(const std::optional<Shape> v, heads_of(context, 2, "kv_num_heads"));
  const auto with_past = [&](const Shape& heads, std::size_t past_input) {
    if (context.node().input(past_input) == nullptr) return heads[2];
    const Shape* past = shape_of(context, past_input);
    const bool known = past != nullptr && past->size() == 4 && (*past)[2].known() && heads[2].known();
    const Result<std::int64_t> sum =
        checked_add(known ? (*past)[2].value() : 0, known ? heads[2].value() : 0);
    return known && sum.ok() ? Dim(*sum) : Dim();
  };
  if (q && v) {
    const Dim& size = (*v)[3];
    if (shape_of(context, 0)->size() == 4) {
      set(context, 0, type, Shape{(*q)[0], (*q)[1], (*q)[2], size});
    } else {
      Dim width;
      if (size.known()) {
        PRESS_ASSIGN(const std::int64_t product, checked_multiply((*q)[1].value(), size.value()));
        width = product;
      }
      set(context, 0, type, Shape{(*q)[0], (*q)[2], width});
    }
  }
  if (k) set(context, 1, type, Shape{(*k)[0], (*k)[1], with_past(*k, 4), (*k)[3]});
  if (v) set(context, 2, type_of(context, 2), Shape{(*v)[0], (*v)[1], with_past(*v, 5), (*v)[3]});
  if (q && k) set(context, 3, type, Shape{(*q)[0], (*q)[1], (*q)[2], with_past(*k, 4)});
  return {};
}

/// RMSNormalization, and ONNX Runtime's SimplifiedLayerNormalization with the factors as second output.
Status rms_normalization(ShapeContext& context) {
  PRESS_TRY(same(context));
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  PRESS_ASSIGN(const std::size_t axis,
               normalize_axis(context.node().int_attribute("axis", -1), input->size()));
  set(context, 1, static_cast<DataType>(context.node().int_attribute("stash_type", 1)),
      outer_shape(*input, axis));
  return {};
}

/// com.microsoft: SkipLayerNormalization and its simplified form; the fourth output is the sum.
Status skip_normalization(ShapeContext& context) {
  PRESS_TRY(same(context));
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  if (input->empty()) return reject("the input is a scalar");
  for (std::size_t i : {1, 2}) set(context, i, DataType::kFloat, outer_shape(*input, input->size() - 1));
  set(context, 3, type_of(context, 0), *input);
  return {};
}

Status embed_layer_normalization(ShapeContext& context) {
  const Shape* ids = shape_of(context, 0);
  const Shape* words = shape_of(context, 2);
  const DataType type = type_of(context, 2);
  for (std::size_t i : {0, 2}) {
    set(context, i, type, std::nullopt);
    if (ids == nullptr || words == nullptr || ids->size() != 2 || words->size() != 2) continue;
    set(context, i, type, Shape{(*ids)[0], (*ids)[1], (*words)[1]});
  }
  set(context, 1, DataType::kInt32, Shape{ids != nullptr && !ids->empty() ? ids->front() : Dim()});
  return {};
}

}  // namespace press::shape_rules
