#include <algorithm>
#include <array>
#include <map>

#include "ops/shape_rules.h"

namespace press::shape_rules {
namespace {

Status check_inner(const Dim& a, const Dim& b) {
  if (!a.known() || !b.known() || a.value() == b.value()) return {};
  return reject("inner dims {} and {} of the product differ", a.value(), b.value());
}

Status multiply_matrices(ShapeContext& context, std::size_t first, std::size_t second, DataType type) {
  set(context, 0, type, std::nullopt);
  const Shape* left = shape_of(context, first);
  const Shape* right = shape_of(context, second);
  if (left == nullptr || right == nullptr) return {};
  if (left->empty() || right->empty()) return reject("a scalar cannot be multiplied as a matrix");
  Shape a = *left, b = *right;
  if (a.size() == 1) a.insert(a.begin(), Dim(1));
  if (b.size() == 1) b.emplace_back(1);
  PRESS_TRY(check_inner(a.back(), b[b.size() - 2]));
  PRESS_ASSIGN(Shape output, broadcast_shapes(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2)));
  if (left->size() > 1) output.push_back(a[a.size() - 2]);
  if (right->size() > 1) output.push_back(b.back());
  set(context, 0, type, std::move(output));
  return {};
}

/// Y, Y_h (and Y_c) of a recurrent layer; `gates`: rows of the weight per hidden unit.
Status recurrent(ShapeContext& context, std::int64_t gates) {
  const DataType type = type_of(context, 0);
  for (std::size_t i = 0; i < context.output_count(); ++i) set(context, i, type, std::nullopt);
  const std::string direction = context.node().string_attribute("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    return reject("attribute direction is '{}', expected forward, reverse or bidirectional", direction);
  }
  const std::int64_t directions = direction == "bidirectional" ? 2 : 1;
  const Shape* input = shape_of(context, 0);
  const Shape* weight = shape_of(context, 1);
  if (input == nullptr) return {};
  if (input->size() != 3) return reject("the input has shape {}, expected 3 dims", to_string(*input));
  Dim hidden = context.node().int_attribute("hidden_size", -1);
  if (weight != nullptr) {
    if (weight->size() != 3) return reject("the weight has shape {}, expected 3 dims", to_string(*weight));
    if ((*weight)[0].known() && (*weight)[0].value() != directions) {
      return reject("the weight has {} directions, attribute direction is {}", (*weight)[0].value(),
                    direction);
    }
    if ((*weight)[2].known() && (*input)[2].known() && (*weight)[2].value() != (*input)[2].value()) {
      return reject("the input has {} features, the weight expects {}", (*input)[2].value(),
                    (*weight)[2].value());
    }
    if ((*weight)[1].known() && hidden.known() &&
        ((*weight)[1].value() % gates != 0 || (*weight)[1].value() / gates != hidden.value())) {
      return reject("hidden_size is {}, the weight has shape {}", hidden.value(), to_string(*weight));
    }
    if ((*weight)[1].known() && !hidden.known()) hidden = (*weight)[1].value() / gates;
  }
  if (context.node().int_attribute("layout", 0) == 0) {
    set(context, 0, type, Shape{(*input)[0], directions, (*input)[1], hidden});
    for (std::size_t i : {1, 2}) set(context, i, type, Shape{directions, (*input)[1], hidden});
  } else {
    set(context, 0, type, Shape{(*input)[0], (*input)[1], directions, hidden});
    for (std::size_t i : {1, 2}) set(context, i, type, Shape{(*input)[0], directions, hidden});
  }
  return {};
}

Status check_channels(const ShapeContext& context, std::size_t input, const Dim& channels, const char* what) {
  const Shape* shape = shape_of(context, input);
  if (shape == nullptr) return {};
  if (shape->size() == 1 && (!(*shape)[0].known() || !channels.known() || same((*shape)[0], channels)))
    return {};
  return reject("{} has shape {}, expected one entry for each of the {} channels", what, to_string(*shape),
                to_string(Shape{channels}));
}
}  // namespace

Status mat_mul(ShapeContext& context) {
  return multiply_matrices(context, 0, 1, type_of(context, 0));
}
Status mat_mul_integer(ShapeContext& context) {
  return multiply_matrices(context, 0, 1, DataType::kInt32);
}
Status qlinear_mat_mul(ShapeContext& context) {
  return multiply_matrices(context, 0, 3, type_of(context, 7));
}

Status gemm(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* a = shape_of(context, 0);
  const Shape* b = shape_of(context, 1);
  if (a == nullptr || b == nullptr) return {};
  if (a->size() != 2 || b->size() != 2) {
    return reject("the operands have shapes {} and {}, expected 2 dims each", to_string(*a), to_string(*b));
  }
  const std::size_t trans_a = context.node().int_attribute("transA", 0) != 0 ? 1 : 0;
  const std::size_t trans_b = context.node().int_attribute("transB", 0) != 0 ? 1 : 0;
  PRESS_TRY(check_inner((*a)[1 - trans_a], (*b)[trans_b]));
  const Shape output{(*a)[trans_a], (*b)[1 - trans_b]};
  if (const Shape* bias = shape_of(context, 2); bias != nullptr && context.opset() >= 7) {
    PRESS_ASSIGN(const Shape stretched, broadcast_shapes(output, *bias));
    if (stretched.size() != 2)
      return reject("C has shape {}, the product {}", to_string(*bias), to_string(output));
  }
  set(context, 0, type_of(context, 0), output);
  return {};
}

Status lstm(ShapeContext& context) {
  return recurrent(context, 4);
}
Status gru(ShapeContext& context) {
  return recurrent(context, 3);
}
Status rnn(ShapeContext& context) {
  return recurrent(context, 1);
}

Status batch_normalization(ShapeContext& context) {
  PRESS_TRY(same(context));
  const Shape* input = shape_of(context, 0);
  const Dim channels = input == nullptr ? Dim() : input->size() > 1 ? (*input)[1] : Dim(1);
  if (input != nullptr && input->empty()) return reject("the input is a scalar");
  if (context.opset() < 9 && context.node().int_attribute("spatial", 1) == 0) return {};  // one an activation
  constexpr std::array names = {"", "scale", "bias", "mean", "variance"};
  for (std::size_t i = 1; i < names.size(); ++i) PRESS_TRY(check_channels(context, i, channels, names[i]));
  for (std::size_t i = 1; i < context.output_count(); ++i)
    set(context, i, type_of(context, 3), Shape{channels});
  return {};
}

Status instance_normalization(ShapeContext& context) {
  PRESS_TRY(same(context));
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  if (input->size() < 3) return reject("the input has shape {}, expected 3 dims or more", to_string(*input));
  PRESS_TRY(check_channels(context, 1, (*input)[1], "scale"));
  return check_channels(context, 2, (*input)[1], "bias");
}

/// LayerNormalization: mean and inverse deviation have 1 in the place of each dim from `axis` on.
Status layer_normalization(ShapeContext& context) {
  PRESS_TRY(same(context));
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  PRESS_ASSIGN(const std::size_t axis,
               normalize_axis(context.node().int_attribute("axis", -1), input->size()));
  Shape statistics = *input;
  std::fill(statistics.begin() + static_cast<std::ptrdiff_t>(axis), statistics.end(), Dim(1));
  for (std::size_t i : {1, 2}) {
    set(context, i, static_cast<DataType>(context.node().int_attribute("stash_type", 1)), statistics);
  }
  return {};
}

/// Softmax, LogSoftmax, Hardmax, LpNormalization, RMSNormalization: the axis has to exist, the rest stays.
Status along_axis(ShapeContext& context) {
  PRESS_TRY(same(context));
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  const std::int64_t axis = context.node().int_attribute(
      "axis", context.opset() < 13 && !context.node().is("LpNormalization") ? 1 : -1);
  // Before opset 13 the axis only cuts the dims in two, and may stand behind the last one.
  if (context.opset() < 13 && axis == static_cast<std::int64_t>(input->size())) return {};
  PRESS_TRY(normalize_axis(axis, input->size()));
  return {};
}

Status einsum(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  std::string equation = context.node().string_attribute("equation", "");
  std::erase(equation, ' ');
  if (equation.empty()) return reject("attribute equation is missing");
  if (equation.find('.') != std::string::npos)
    return {};  // the ellipsis is resolved where ranks are known: at run time
  const std::size_t arrow = equation.find("->");
  const std::string terms = equation.substr(0, arrow) + ",";
  std::map<char, Dim> extents;
  std::map<char, int> occurrences;
  std::size_t input = 0;
  for (std::size_t begin = 0; begin < terms.size(); ++input) {
    const std::size_t end = terms.find(',', begin);
    const Shape* shape = shape_of(context, input);
    if (shape != nullptr && shape->size() != end - begin) {
      return reject("term {} of '{}' does not fit the shape {}", input, equation, to_string(*shape));
    }
    for (std::size_t i = begin; i < end; ++i) {
      ++occurrences[terms[i]];
      Dim& extent = extents[terms[i]];
      const Dim dim = shape != nullptr ? (*shape)[i - begin] : Dim();
      if (!extent.known() || extent.value() == 1) extent = dim.known() || dim.named() ? dim : extent;
    }
    begin = end + 1;
  }
  if (input != context.input_count())
    return reject("'{}' has {} terms for {} inputs", equation, input, context.input_count());
  std::string result;
  if (arrow != std::string::npos) {
    result = equation.substr(arrow + 2);
  } else {
    for (const auto& [label, count] : occurrences) {
      if (count == 1) result += label;
    }
  }
  Shape output;
  for (const char label : result) {
    if (!extents.contains(label)) return reject("'{}' in the result of '{}' is in no term", label, equation);
    output.push_back(extents[label]);
  }
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

}  // namespace press::shape_rules
