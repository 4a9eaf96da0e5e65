#include "ops/shape_rules.h"

namespace press::shape_rules {
namespace {

DataType output_datatype(const ShapeContext& context) {
  return static_cast<DataType>(context.node().int_attribute("output_datatype", 1));
}

/// The number that an input holds, if known and no negative one.
Dim extent_of(const ShapeContext& context, std::size_t input) {
  const auto values = integers_of(context, input);
  return values && values->size() == 1 && (*values)[0] >= 0 ? Dim((*values)[0]) : Dim();
}
}  // namespace

/// HannWindow, HammingWindow, BlackmanWindow
Status signal_window(ShapeContext& context) {
  set(context, 0, output_datatype(context), Shape{extent_of(context, 0)});
  return {};
}

Status mel_weight_matrix(ShapeContext& context) {
  const Dim length = extent_of(context, 1);
  set(context, 0, output_datatype(context),
      Shape{length.known() ? Dim(length.value() / 2 + 1) : Dim(), extent_of(context, 0)});
  return {};
}

Status dft(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  if (input->size() < 2) return reject("the input has shape {}, expected 2 dims or more", to_string(*input));
  std::optional<std::int64_t> asked = context.node().int_attribute("axis", 1);
  if (context.opset() >= 20) {
    asked = -2;
    if (context.node().input(2) != nullptr) {
      const auto given = integers_of(context, 2);
      asked = given && given->size() == 1 ? std::optional(given->front()) : std::nullopt;
    }
  }
  if (!asked) {
    set(context, 0, type_of(context, 0), Shape(input->size()));
    return {};
  }
  PRESS_ASSIGN(const std::size_t axis, normalize_axis(*asked, input->size()));
  const bool inverse = context.node().int_attribute("inverse", 0) != 0;
  const bool onesided = context.node().int_attribute("onesided", 0) != 0;
  Dim length = (*input)[axis];
  if (inverse && onesided && length.known()) length = 2 * (length.value() - 1);
  if (context.node().input(1) != nullptr) length = extent_of(context, 1);
  if (onesided && !inverse) length = length.known() ? Dim(length.value() / 2 + 1) : Dim();
  Shape output = *input;
  output[axis] = length;
  output.back() = inverse && onesided ? 1 : 2;
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

Status stft(ShapeContext& context) {
  const Shape* signal = shape_of(context, 0);
  const Shape* window = shape_of(context, 2);
  const Dim step = extent_of(context, 1);
  Dim length = window != nullptr && window->size() == 1 ? window->front() : Dim();
  if (context.node().input(3) != nullptr) length = extent_of(context, 3);
  Shape output{signal != nullptr && !signal->empty() ? signal->front() : Dim(), Dim(), Dim(), Dim(2)};
  if (length.known()) {
    const bool onesided = context.node().int_attribute("onesided", 1) != 0;
    output[2] = onesided ? length.value() / 2 + 1 : length.value();
    if (signal != nullptr && signal->size() > 1 && (*signal)[1].known() && step.known() && step.value() > 0 &&
        (*signal)[1].value() >= length.value()) {
      output[1] = 1 + ((*signal)[1].value() - length.value()) / step.value();
    }
  }
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

}  // namespace press::shape_rules
