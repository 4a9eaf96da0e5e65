#include <algorithm>

#include "ops/shape_rules.h"

// Operators that read or write an image at places that the data says.
namespace press::shape_rules {

Status max_unpool(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  if (const auto sizes = integers_of(context, 2)) {
    set(context, 0, type_of(context, 0), Shape(sizes->begin(), sizes->end()));
    return {};
  }
  PRESS_ASSIGN(const Window window, read_window(context.node(), std::nullopt));
  const Shape* input = shape_of(context, 0);
  if (input == nullptr || context.node().input(2) != nullptr) return {};
  if (input->size() != window.rank() + 2) {
    return reject("the input has shape {}, expected {} dims", to_string(*input), window.rank() + 2);
  }
  Shape output{(*input)[0], (*input)[1]};
  for (std::size_t i = 0; i < window.rank(); ++i) {
    output.emplace_back();
    if (!(*input)[i + 2].known()) continue;
    PRESS_ASSIGN(const std::int64_t covered,
                 checked_multiply((*input)[i + 2].value() - 1, window.strides[i]));
    const std::int64_t extent = covered + window.kernel[i] - window.pads_begin[i] - window.pads_end[i];
    if (extent < 0) return reject("the pads take more than the {} elements of axis {}", extent, i + 2);
    output.back() = extent;
  }
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

Status roi_align(ShapeContext& context) {
  const Shape* input = shape_of(context, 0);
  const Shape* regions = shape_of(context, 1);
  const Dim channels = input != nullptr && input->size() == 4 ? (*input)[1] : Dim();
  const Dim count = regions != nullptr && !regions->empty() ? (*regions)[0] : Dim();
  set(context, 0, type_of(context, 0),
      Shape{count, channels, context.node().int_attribute("output_height", 1),
            context.node().int_attribute("output_width", 1)});
  return {};
}

Status grid_sample(ShapeContext& context) {
  const Shape* input = shape_of(context, 0);
  const Shape* grid = shape_of(context, 1);
  std::optional<Shape> output;
  if (input != nullptr && grid != nullptr && input->size() == grid->size() && input->size() >= 3) {
    output = Shape{(*input)[0], (*input)[1]};
    output->insert(output->end(), grid->begin() + 1, grid->end() - 1);
  }
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

/// AffineGrid: batch, spatial extents, and one coordinate for each of them.
Status affine_grid(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const auto count = length_of(context, 1);
  if (!count) return {};
  if (*count < 4 || *count > 5) return reject("the size has {} entries, expected 4 or 5", *count);
  Shape output(*count, Dim());
  if (const Shape* size = elements_of(context, 1); size != nullptr && size->size() == *count) {
    output[0] = (*size)[0];
    std::copy(size->begin() + 2, size->end(), output.begin() + 1);
  }
  output.back() = static_cast<std::int64_t>(*count) - 2;
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

/// DeformConv: the offset has the extents of the output.
Status deform_conv(ShapeContext& context) {
  const Shape* input = shape_of(context, 0);
  const Shape* weight = shape_of(context, 1);
  const Shape* offset = shape_of(context, 2);
  set(context, 0, type_of(context, 0), std::nullopt);
  if (input == nullptr || weight == nullptr || offset == nullptr) return {};
  if (input->size() < 3 || weight->size() != input->size() || offset->size() != input->size()) {
    return reject("input {}, weight {} and offset {} do not fit together", to_string(*input),
                  to_string(*weight), to_string(*offset));
  }
  Shape output{(*input)[0], (*weight)[0]};
  output.insert(output.end(), offset->begin() + 2, offset->end());
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

Status col2im(ShapeContext& context) {
  const Shape* columns = shape_of(context, 0);
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* image = elements_of(context, 1);
  if (columns == nullptr || image == nullptr) return {};
  if (columns->size() != 3) return reject("the columns have shape {}, expected 3 dims", to_string(*columns));
  Dim channels;
  if (const auto block = integers_of(context, 2); block && (*columns)[1].known()) {
    PRESS_ASSIGN(const std::int64_t taps, element_count(*block));
    if (taps < 1 || (*columns)[1].value() % taps != 0)
      return reject("{} rows of columns do not divide into blocks of {}", (*columns)[1].value(), taps);
    channels = (*columns)[1].value() / taps;
  }
  Shape output{(*columns)[0], channels};
  output.insert(output.end(), image->begin(), image->end());
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

Status center_crop_pad(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  std::vector<std::size_t> axes;
  for (std::size_t i = 0; i < input->size(); ++i) axes.push_back(i);
  if (context.node().has_attribute("axes")) {
    PRESS_ASSIGN(axes, normalize_axes(context.node().ints_attribute("axes"), input->size()));
  }
  const Shape* extents = elements_of(context, 1);
  if (extents != nullptr && extents->size() != axes.size())
    return reject("{} extents for {} axes", extents->size(), axes.size());
  Shape output = *input;
  for (std::size_t i = 0; i < axes.size(); ++i) output[axes[i]] = extents != nullptr ? (*extents)[i] : Dim();
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

}  // namespace press::shape_rules
