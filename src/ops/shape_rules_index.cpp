#include <algorithm>
#include <numeric>

#include "ops/shape_rules.h"

namespace press::shape_rules {

Status shape(ShapeContext& context) {
  set(context, 0, DataType::kInt64, Shape{Dim()});
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  const auto rank = static_cast<std::int64_t>(input->size());
  const auto clipped = [rank](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const std::int64_t start = clipped(context.node().int_attribute("start", 0));
  const std::int64_t end = std::max(start, clipped(context.node().int_attribute("end", rank)));
  set(context, 0, DataType::kInt64, Shape{end - start});
  if (context.output_count() > 0)
    context.output(0).elements = Shape(input->begin() + start, input->begin() + end);
  return {};
}

Status size(ShapeContext& context) {
  set(context, 0, DataType::kInt64, Shape{});
  const Shape* input = shape_of(context, 0);
  if (input != nullptr && context.output_count() > 0) context.output(0).elements = Shape{total(*input)};
  return {};
}

Status constant(ShapeContext& context) {
  const Node& node = context.node();
  const auto listed = [&](const char* name, DataType type) {
    if (!node.has_attribute(name)) return false;
    const Attribute& attribute = *node.attribute(name);
    std::optional<std::int64_t> count;
    if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&attribute.value)) {
      count = static_cast<std::int64_t>(integers->size());
      if (*count <= kMostElementFacts) context.output(0).elements = Shape(integers->begin(), integers->end());
    } else if (const auto* floats = std::get_if<std::vector<float>>(&attribute.value)) {
      count = static_cast<std::int64_t>(floats->size());
    } else if (const auto* strings = std::get_if<std::vector<std::string>>(&attribute.value)) {
      count = static_cast<std::int64_t>(strings->size());
    } else if (const auto* integer = std::get_if<std::int64_t>(&attribute.value)) {
      context.output(0).elements = Shape{Dim(*integer)};
    }
    set(context, 0, type, count ? Shape{*count} : Shape{});
    return true;
  };
  if (context.output_count() == 0) return {};
  if (const Tensor* tensor = node.tensor_attribute("value")) {
    set(context, 0, tensor->type(), Shape(tensor->dims().begin(), tensor->dims().end()));
    context.output(0).elements = element_facts(*tensor);
    return {};
  }
  if (listed("value_int", DataType::kInt64) || listed("value_ints", DataType::kInt64) ||
      listed("value_float", DataType::kFloat) || listed("value_floats", DataType::kFloat) ||
      listed("value_string", DataType::kString) || listed("value_strings", DataType::kString)) {
    return {};
  }
  return node.has_attribute("sparse_value") ? Status() : reject("there is no value attribute");
}

Status constant_of_shape(ShapeContext& context) {
  const Tensor* value = context.node().tensor_attribute("value");
  if (value != nullptr && value->size() != 1)
    return reject("attribute value has {} elements, expected 1", value->size());
  std::optional<Shape> output;
  if (const auto dims = integers_of(context, 0)) {
    PRESS_TRY(element_count(*dims));
    output = Shape(dims->begin(), dims->end());
  } else if (const Shape* elements = elements_of(context, 0)) {
    output = *elements;
  } else if (const auto length = length_of(context, 0)) {
    output = Shape(*length);
  }
  set(context, 0, value != nullptr ? value->type() : DataType::kFloat, output);
  if (output && output->size() == 1 && output->front().known() &&
      output->front().value() <= kMostElementFacts) {
    const auto facts = value != nullptr ? element_facts(value->reshaped({})) : Shape{Dim(0)};
    if (facts)
      context.output(0).elements = Shape(static_cast<std::size_t>(output->front().value()), facts->front());
  }
  return {};
}

Status range(ShapeContext& context) {
  const DataType type = type_of(context, 0);
  set(context, 0, type, Shape{Dim()});
  const Tensor* parts[] = {context.constant(0), context.constant(1), context.constant(2)};
  if (type == DataType::kFloat) {
    double values[3] = {};
    for (std::size_t i = 0; i < 3; ++i) {
      if (parts[i] == nullptr || parts[i]->type() != type || parts[i]->size() != 1) return {};
      values[i] = parts[i]->data<float>()[0];
    }
    PRESS_ASSIGN(const std::int64_t count, range_count(values[0], values[1], values[2]));
    set(context, 0, type, Shape{count});
    return {};
  }
  if (!is_integer(type)) return {};
  const auto start = integers_of(context, 0), limit = integers_of(context, 1),
             delta = integers_of(context, 2);
  if (start && delta && start->size() == 1 && delta->size() == 1 && (*start)[0] == 0 && (*delta)[0] == 1) {
    // Counts up to a symbolic extent: that extent.
    if (const Shape* elements = elements_of(context, 1); elements != nullptr && elements->size() == 1) {
      set(context, 0, type, Shape{elements->front()});
    }
  }
  if (!start || !limit || !delta || start->size() != 1 || limit->size() != 1 || delta->size() != 1) return {};
  PRESS_ASSIGN(const std::int64_t count, range_count((*start)[0], (*limit)[0], (*delta)[0]));
  set(context, 0, type, Shape{count});
  if (count > kMostElementFacts || context.output_count() == 0) return {};
  Shape elements;
  for (std::int64_t i = 0; i < count; ++i) elements.emplace_back((*start)[0] + i * (*delta)[0]);
  context.output(0).elements = std::move(elements);
  return {};
}

Status gather(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* data = shape_of(context, 0);
  const Shape* indices = shape_of(context, 1);
  if (data == nullptr || indices == nullptr) return {};
  PRESS_ASSIGN(const std::size_t axis, normalize_axis(context.node().int_attribute("axis", 0), data->size()));
  const auto positions = integers_of(context, 1);
  const Dim& extent = (*data)[axis];
  if (positions && extent.known()) {
    for (const std::int64_t index : *positions) {
      if (index < -extent.value() || index >= extent.value()) {
        return reject("index {} is out of range for axis {} of {}", index, axis, to_string(*data));
      }
    }
  }
  Shape output(data->begin(), data->begin() + static_cast<std::ptrdiff_t>(axis));
  output.insert(output.end(), indices->begin(), indices->end());
  output.insert(output.end(), data->begin() + static_cast<std::ptrdiff_t>(axis) + 1, data->end());
  set(context, 0, type_of(context, 0), std::move(output));
  const Shape* elements = elements_of(context, 0);
  if (elements == nullptr || !positions || data->size() != 1 || indices->size() > 1) return {};
  if (extent.value() != static_cast<std::int64_t>(elements->size())) return {};
  if (positions->size() > static_cast<std::size_t>(kMostElementFacts)) return {};
  Shape taken;
  for (const std::int64_t index : *positions) {
    taken.push_back(elements->at(static_cast<std::size_t>(index < 0 ? index + extent.value() : index)));
  }
  context.output(0).elements = std::move(taken);
  return {};
}

Status gather_elements(ShapeContext& context) {
  const Shape* data = shape_of(context, 0);
  const Shape* indices = shape_of(context, 1);
  if (data != nullptr) {
    PRESS_TRY(normalize_axis(context.node().int_attribute("axis", 0), data->size()));
    if (indices != nullptr && indices->size() != data->size()) {
      return reject("data {} and indices {} have different ranks", to_string(*data), to_string(*indices));
    }
  }
  set(context, 0, type_of(context, 0), indices != nullptr ? std::optional(*indices) : std::nullopt);
  return {};
}

Status gather_nd(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* data = shape_of(context, 0);
  const Shape* indices = shape_of(context, 1);
  const std::int64_t batch = context.node().int_attribute("batch_dims", 0);
  if (data == nullptr || indices == nullptr || indices->empty() || !indices->back().known()) return {};
  const std::int64_t depth = indices->back().value();
  if (batch < 0 || batch >= static_cast<std::int64_t>(indices->size()) || depth < 1 ||
      depth > static_cast<std::int64_t>(data->size()) - batch) {
    return reject("indices {} with batch_dims {} do not fit data {}", to_string(*indices), batch,
                  to_string(*data));
  }
  Shape output(indices->begin(), indices->end() - 1);
  output.insert(output.end(), data->begin() + batch + depth, data->end());
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

/// ScatterElements, ScatterND: the data's shape.
Status scatter(ShapeContext& context) {
  const Shape* data = shape_of(context, 0);
  if (data != nullptr && context.node().has_attribute("axis")) {
    PRESS_TRY(normalize_axis(context.node().int_attribute("axis", 0), data->size()));
  }
  return same(context);
}

Status reduce(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  const bool keep = context.node().int_attribute("keepdims", 1) != 0;
  const ListArgument axes = list_argument(context, "axes", 1, context.node().is("ReduceSum") ? 13 : 18);
  if (axes.present && !axes.values) {
    if (keep) set(context, 0, type_of(context, 0), Shape(input->size()));
    return {};
  }
  const bool none = !axes.present || axes.values->empty();
  if (none && context.node().int_attribute("noop_with_empty_axes", 0) != 0) return same(context);
  std::vector<std::size_t> reduced(input->size());
  std::iota(reduced.begin(), reduced.end(), std::size_t{0});
  if (!none) {
    PRESS_ASSIGN(reduced, normalize_axes(*axes.values, input->size()));
  }
  Shape output;
  for (std::size_t i = 0; i < input->size(); ++i) {
    const bool gone = std::ranges::find(reduced, i) != reduced.end();
    if (!gone || keep) output.push_back(gone ? Dim(1) : (*input)[i]);
  }
  set(context, 0, type_of(context, 0), std::move(output));
  if (const Shape* elements = elements_of(context, 0);
      elements != nullptr && input->size() <= 1 && context.node().is("ReduceProd")) {
    context.output(0).elements = Shape{total(*elements)};
  }
  return {};
}

Status arg_reduce(ShapeContext& context) {
  set(context, 0, DataType::kInt64, std::nullopt);
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  PRESS_ASSIGN(const std::size_t axis,
               normalize_axis(context.node().int_attribute("axis", 0), input->size()));
  Shape output = *input;
  if (context.node().int_attribute("keepdims", 1) != 0) {
    output[axis] = 1;
  } else {
    output.erase(output.begin() + static_cast<std::ptrdiff_t>(axis));
  }
  set(context, 0, DataType::kInt64, std::move(output));
  return {};
}

Status top_k(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  set(context, 1, DataType::kInt64, std::nullopt);
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  PRESS_ASSIGN(const std::size_t axis,
               normalize_axis(context.node().int_attribute("axis", -1), input->size()));
  Dim count;
  if (context.opset() < 10) {
    count = context.node().int_attribute("k", -1);
  } else if (const auto values = integers_of(context, 1); values && values->size() == 1) {
    count = values->front();
    if (!count.known()) return reject("k is {}", values->front());
  } else if (const Shape* elements = elements_of(context, 1); elements != nullptr && elements->size() == 1) {
    count = elements->front();
  }
  if (count.known() && (*input)[axis].known() && count.value() > (*input)[axis].value()) {
    return reject("k is {}, axis {} has {} elements", count.value(), axis, (*input)[axis].value());
  }
  Shape output = *input;
  output[axis] = count;
  set(context, 0, type_of(context, 0), output);
  set(context, 1, DataType::kInt64, output);
  return {};
}

Status one_hot(ShapeContext& context) {
  set(context, 0, type_of(context, 2), std::nullopt);
  const Shape* indices = shape_of(context, 0);
  if (indices == nullptr) return {};
  PRESS_ASSIGN(const std::size_t axis,
               normalize_axis(context.node().int_attribute("axis", -1), indices->size() + 1));
  const Shape* depth = elements_of(context, 1);
  Shape output = *indices;
  output.insert(output.begin() + static_cast<std::ptrdiff_t>(axis),
                depth != nullptr && depth->size() == 1 ? depth->front() : Dim());
  set(context, 0, type_of(context, 2), std::move(output));
  return {};
}

Status non_zero(ShapeContext& context) {
  const Shape* input = shape_of(context, 0);
  const Dim rank = input != nullptr ? Dim(static_cast<std::int64_t>(input->size())) : Dim();
  set(context, 0, DataType::kInt64, Shape{rank, Dim()});
  return {};
}

Status compress(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* input = shape_of(context, 0);
  if (!context.node().has_attribute("axis")) {
    set(context, 0, type_of(context, 0), Shape{Dim()});
  } else if (input != nullptr) {
    PRESS_ASSIGN(const std::size_t axis,
                 normalize_axis(context.node().int_attribute("axis", 0), input->size()));
    Shape output = *input;
    output[axis] = Dim();
    set(context, 0, type_of(context, 0), std::move(output));
  }
  return {};
}

Status unique(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  if (!context.node().has_attribute("axis")) set(context, 0, type_of(context, 0), Shape{Dim()});
  for (std::size_t i : {1, 2, 3}) set(context, i, DataType::kInt64, Shape{Dim()});
  return {};
}

Status non_max_suppression(ShapeContext& context) {
  set(context, 0, DataType::kInt64, Shape{Dim(), Dim(3)});
  return {};
}

Status multinomial(ShapeContext& context) {
  const Shape* input = shape_of(context, 0);
  set(context, 0, static_cast<DataType>(context.node().int_attribute("dtype", 6)),
      Shape{input != nullptr && !input->empty() ? (*input)[0] : Dim(),
            context.node().int_attribute("sample_size", 1)});
  return {};
}

/// Det: the two matrix dims go.
Status det(ShapeContext& context) {
  const Shape* input = shape_of(context, 0);
  std::optional<Shape> output;
  if (input != nullptr) {
    if (input->size() < 2) return reject("the input has shape {}, expected matrices", to_string(*input));
    output = Shape(input->begin(), input->end() - 2);
  }
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

/// NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss (whose second output is the log-probabilities).
Status loss(ShapeContext& context) {
  const Shape* target = shape_of(context, 1);
  const bool single = context.node().string_attribute("reduction", "mean") != "none";
  set(context, 0, type_of(context, 0),
      single              ? std::optional(Shape{})
      : target != nullptr ? std::optional(*target)
                          : std::nullopt);
  const Shape* scores = shape_of(context, 0);
  set(context, 1, type_of(context, 0), scores != nullptr ? std::optional(*scores) : std::nullopt);
  return {};
}

/// TfIdfVectorizer: a column for each entry of ngram_indexes.
Status tf_idf_vectorizer(ShapeContext& context) {
  set(context, 0, DataType::kFloat, std::nullopt);
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  if (input->empty() || input->size() > 2)
    return reject("the input has shape {}, expected 1 or 2 dims", to_string(*input));
  Shape output = *input;
  std::int64_t width = 0;
  for (const std::int64_t column : context.node().ints_attribute("ngram_indexes"))
    width = std::max(width, column < (1 << 24) ? column + 1 : 0);
  output.back() = width;
  set(context, 0, DataType::kFloat, std::move(output));
  return {};
}

}  // namespace press::shape_rules
