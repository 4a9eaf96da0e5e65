#include "ops/shape_rules.h"

namespace press::shape_rules {
namespace {

/// The spatial dims of a weight, where all are known.
std::optional<Dims> kernel_of(const Shape* weight) {
  if (weight == nullptr || weight->size() < 3) return std::nullopt;
  return known_dims(Shape(weight->begin() + 2, weight->end()));
}

Status check_rank(const Shape& input, std::size_t spatial, const char* what) {
  if (input.size() == spatial + 2) return {};
  return reject("{} has shape {}, expected {} dims (batch, channels and {} spatial ones)", what,
                to_string(input), spatial + 2, spatial);
}

/// The output shape of a window over `input`: batch, `channels`, spatial extents.
Result<Shape> windowed(const Shape& input, const Window& window, Dim channels) {
  PRESS_TRY(check_rank(input, window.rank(), "the input"));
  Shape output{input[0], std::move(channels)};
  for (std::size_t i = 0; i < window.rank(); ++i) {
    const Dim& dim = input[i + 2];
    if (dim.known()) {
      PRESS_ASSIGN(const WindowExtent extent, window_extent(window, i, dim.value()));
      output.push_back(extent.output);
    } else {
      output.emplace_back();
    }
  }
  return output;
}

/// Convolution with the weight at `position`: [out channels, channels / group, kernel…].
Status convolve(ShapeContext& context, std::size_t position, DataType type) {
  set(context, 0, type, std::nullopt);
  const Shape* input = shape_of(context, 0);
  const Shape* weight = shape_of(context, position);
  const std::int64_t group = context.node().int_attribute("group", 1);
  if (group < 1) return reject("attribute group is {}", group);
  if (weight != nullptr && weight->size() < 3) {
    return reject("the weight has shape {}, expected output channels, channels and a kernel",
                  to_string(*weight));
  }
  if (input != nullptr && weight != nullptr) {
    PRESS_TRY(check_rank(*input, weight->size() - 2, "the input"));
    const Dim& channels = (*input)[1];
    const Dim& per_group = (*weight)[1];
    if (channels.known() && per_group.known() &&
        (channels.value() % group != 0 || channels.value() / group != per_group.value())) {
      return reject("the input has {} channels, but the weight {} in {} group(s) expects {} each",
                    channels.value(), to_string(*weight), group, per_group.value());
    }
  }
  if (weight != nullptr && (*weight)[0].known() && (*weight)[0].value() % group != 0) {
    return reject("{} output channels do not divide into {} groups", (*weight)[0].value(), group);
  }
  const std::optional<Dims> kernel = kernel_of(weight);
  if (!kernel && !context.node().has_attribute("kernel_shape")) return {};
  PRESS_ASSIGN(const Window window, read_window(context.node(), kernel));
  if (input == nullptr) return {};
  PRESS_ASSIGN(Shape output, windowed(*input, window, weight != nullptr ? (*weight)[0] : Dim()));
  set(context, 0, type, std::move(output));
  return {};
}

Status check_bias(const ShapeContext& context, std::size_t position, const Dim& channels) {
  const Shape* bias = shape_of(context, position);
  if (bias == nullptr) return {};
  if (bias->size() != 1 || ((*bias)[0].known() && channels.known() && !same((*bias)[0], channels))) {
    return reject("the bias has shape {}, expected {}", to_string(*bias), to_string(Shape{channels}));
  }
  return {};
}
}  // namespace

Status conv(ShapeContext& context) {
  PRESS_TRY(convolve(context, 1, type_of(context, 0)));
  const Shape* weight = shape_of(context, 1);
  return weight != nullptr ? check_bias(context, 2, (*weight)[0]) : Status();
}

Status conv_integer(ShapeContext& context) {
  return convolve(context, 1, DataType::kInt32);
}

Status qlinear_conv(ShapeContext& context) {
  PRESS_TRY(convolve(context, 3, type_of(context, 7)));
  const Shape* weight = shape_of(context, 3);
  return weight != nullptr ? check_bias(context, 8, (*weight)[0]) : Status();
}

Status conv_transpose(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* input = shape_of(context, 0);
  const Shape* weight = shape_of(context, 1);
  const std::int64_t group = context.node().int_attribute("group", 1);
  if (group < 1) return reject("attribute group is {}", group);
  if (weight != nullptr && weight->size() < 3) {
    return reject("the weight has shape {}, expected channels, output channels and a kernel",
                  to_string(*weight));
  }
  const std::optional<Dims> kernel = kernel_of(weight);
  if (!kernel && !context.node().has_attribute("kernel_shape")) return {};
  PRESS_ASSIGN(const Window window, read_window(context.node(), kernel));
  if (input == nullptr) return {};
  PRESS_TRY(check_rank(*input, window.rank(), "the input"));
  Dim channels;
  if (weight != nullptr) {
    const Dim& expected = (*weight)[0];
    if ((*input)[1].known() && expected.known() && (*input)[1].value() != expected.value()) {
      return reject("the input has {} channels, the weight {} expects {}", (*input)[1].value(),
                    to_string(*weight), expected.value());
    }
    if (expected.known() && expected.value() % group != 0) {
      return reject("{} channels do not divide into {} groups", expected.value(), group);
    }
    if ((*weight)[1].known()) {
      PRESS_ASSIGN(const std::int64_t count, checked_multiply((*weight)[1].value(), group));
      channels = Dim(count);
    }
    PRESS_TRY(check_bias(context, 2, channels));
  }
  Shape output{(*input)[0], channels};
  for (std::size_t i = 0; i < window.rank(); ++i) {
    const Dim& dim = (*input)[i + 2];
    output.emplace_back();
    if (!dim.known()) continue;
    PRESS_ASSIGN(const WindowExtent extent, transposed_window_extent(context.node(), window, i, dim.value()));
    output.back() = extent.output;
  }
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

Status pool(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  set(context, 1, DataType::kInt64, std::nullopt);
  PRESS_ASSIGN(const Window window, read_window(context.node(), std::nullopt));
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  PRESS_TRY(check_rank(*input, window.rank(), "the input"));
  PRESS_ASSIGN(const Shape output, windowed(*input, window, (*input)[1]));
  set(context, 0, type_of(context, 0), output);
  set(context, 1, DataType::kInt64, output);
  return {};
}

Status global_pool(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  if (input->size() < 2)
    return reject("the input has shape {}, expected batch and channels first", to_string(*input));
  Shape output{(*input)[0], (*input)[1]};
  output.resize(input->size(), Dim(1));
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

}  // namespace press::shape_rules
