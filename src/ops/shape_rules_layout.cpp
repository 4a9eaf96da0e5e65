#include <algorithm>
#include <numeric>

#include "ops/shape_rules.h"

namespace press::shape_rules {
namespace {

/// A shape of `rank` open dims.
Shape open_shape(std::size_t rank) {
  return Shape(rank);
}

/// The shape that an input's elements spell, or open dims where only its length is known.
std::optional<Shape> spelled_shape(const ShapeContext& context, std::size_t input) {
  if (const auto values = integers_of(context, input)) return Shape(values->begin(), values->end());
  if (const Shape* elements = elements_of(context, input)) return *elements;
  if (const auto length = length_of(context, input)) return open_shape(*length);
  return std::nullopt;
}

/// The dims of Reshape's target: -1 and what is not known are open, copies are resolved. The one open dim, if
/// there is just one, is what the other dims leave of the element count.
Result<Shape> symbolic_reshape(const Shape& input, const Shape& target, const std::vector<bool>& copies) {
  Shape output = target;
  std::optional<std::size_t> rest;
  std::size_t open = 0;
  std::vector<const Dim*> left;  // input dims that no target dim has taken yet
  for (const Dim& dim : input) left.push_back(&dim);
  for (std::size_t i = 0; i < output.size(); ++i) {
    if (copies[i]) {
      if (i >= input.size()) return reject("dim {} is copied from an input of rank {}", i, input.size());
      output[i] = input[i];
      // Copied dims cancel out, be they known or not.
      std::erase(left, &input[i]);
    } else if (!output[i].known() && !output[i].named()) {
      rest = i;
      ++open;
    }
  }
  if (open != 1) return output;
  std::int64_t numerator = 1, denominator = 1;
  std::vector<const Dim*> over;  // open input dims that stay above the fraction bar
  for (const Dim* dim : left) {
    if (!dim->known()) {
      over.push_back(dim);
    } else if (__builtin_mul_overflow(numerator, dim->value(), &numerator)) {
      return output;
    }
  }
  for (std::size_t i = 0; i < output.size(); ++i) {
    if (i == *rest || copies[i]) continue;
    if (output[i].known()) {
      if (__builtin_mul_overflow(denominator, output[i].value(), &denominator)) return output;
    } else {
      const auto found = std::ranges::find_if(over, [&](const Dim* dim) { return same(*dim, output[i]); });
      if (found == over.end()) return output;
      over.erase(found);
    }
  }
  if (denominator == 0) return output;
  if (over.empty()) {
    if (numerator % denominator != 0) {
      return reject("{} does not divide into {}", to_string(input), to_string(output));
    }
    output[*rest] = numerator / denominator;
  } else if (over.size() == 1 && numerator == denominator) {
    output[*rest] = *over.front();
  }
  return output;
}

/// Axes of Squeeze, Unsqueeze, …; nullopt where they cannot be known.
Result<std::optional<std::vector<std::size_t>>> known_axes(const ListArgument& axes, std::size_t rank) {
  if (!axes.values) return std::optional<std::vector<std::size_t>>();
  PRESS_ASSIGN(std::vector<std::size_t> normal, normalize_axes(*axes.values, rank));
  return std::optional(std::move(normal));
}

void keep_elements(ShapeContext& context) {
  const Shape* elements = elements_of(context, 0);
  if (elements != nullptr && context.output_count() > 0) context.output(0).elements = *elements;
}

/// The dims of the input where all are known and its elements are as many as they say (a file may declare
/// otherwise).
std::optional<Dims> dims_of_elements(const ShapeContext& context) {
  const Shape* elements = elements_of(context, 0);
  const Shape* shape = shape_of(context, 0);
  if (elements == nullptr || shape == nullptr) return std::nullopt;
  std::optional<Dims> dims = known_dims(*shape);
  if (!dims) return std::nullopt;
  const Result<std::int64_t> count = element_count(*dims);
  return count.ok() && *count == static_cast<std::int64_t>(elements->size()) ? dims : std::nullopt;
}

/// Element facts of a strided view of the input: extents, steps and first element, in row-major order.
void view_elements(ShapeContext& context, const Dims& extents, const Dims& steps, std::int64_t offset) {
  const Shape* elements = elements_of(context, 0);
  const Result<std::int64_t> count = element_count(extents);
  if (!count.ok() || *count > kMostElementFacts) return;
  Shape taken;
  Dims at(extents.size(), 0);
  for (std::int64_t i = 0; i < *count; ++i) {
    std::int64_t position = offset;
    for (std::size_t axis = 0; axis < at.size(); ++axis) position += at[axis] * steps[axis];
    taken.push_back(elements->at(static_cast<std::size_t>(position)));
    for (std::size_t axis = at.size(); axis-- > 0 && ++at[axis] == extents[axis];) at[axis] = 0;
  }
  context.output(0).elements = std::move(taken);
}

Dims row_major_steps(const Dims& dims) {
  Dims steps(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) steps[i - 1] = steps[i] * dims[i];
  return steps;
}
}  // namespace

Status reshape(ShapeContext& context) {
  const DataType type = type_of(context, 0);
  set(context, 0, type, std::nullopt);
  const Shape* input = shape_of(context, 0);
  std::optional<std::vector<std::int64_t>> target = integers_of(context, 1);
  if (context.opset() < 5) target = context.node().ints_attribute("shape");
  const bool allow_zero = context.node().int_attribute("allowzero", 0) != 0;
  const std::optional<Dims> input_dims = input != nullptr ? known_dims(*input) : std::nullopt;
  if (target && input_dims) {
    PRESS_ASSIGN(const Dims dims, reshape_target(*input_dims, *target, allow_zero));
    set(context, 0, type, Shape(dims.begin(), dims.end()));
    keep_elements(context);
    return {};
  }
  std::optional<Shape> spelled = target ? Shape(target->begin(), target->end()) : spelled_shape(context, 1);
  if (!spelled) return {};
  if (target) {
    if (std::ranges::any_of(*target, [](std::int64_t dim) { return dim < -1; })) {
      return reject("shape {} has a negative dim", to_string(*target));
    }
    if (std::ranges::count(*target, -1) > 1)
      return reject("shape {} has more than one -1", to_string(*target));
  }
  std::vector<bool> copies(spelled->size(), false);
  bool copies_any = false;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    copies[i] = !allow_zero && (*spelled)[i].known() && (*spelled)[i].value() == 0;
    copies_any = copies_any || copies[i];
    if (copies[i] && input == nullptr) (*spelled)[i] = Dim();
  }
  if (input != nullptr) {
    PRESS_ASSIGN(spelled, symbolic_reshape(*input, *spelled, copies));
  }
  set(context, 0, type, std::move(spelled));
  keep_elements(context);
  return {};
}

Status flatten(ShapeContext& context) {
  set(context, 0, type_of(context, 0), open_shape(2));
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  const auto rank = static_cast<std::int64_t>(input->size());
  std::int64_t axis = context.node().int_attribute("axis", 1);
  if (axis < -rank || axis > rank) return reject("axis {} is out of range for rank {}", axis, rank);
  if (axis < 0) axis += rank;
  set(context, 0, type_of(context, 0),
      Shape{total(Shape(input->begin(), input->begin() + axis)),
            total(Shape(input->begin() + axis, input->end()))});
  return {};
}

Status squeeze(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  const ListArgument axes = list_argument(context, "axes", 1, 13);
  Shape output;
  if (axes.present) {
    PRESS_ASSIGN(const auto normal, known_axes(axes, input->size()));
    if (!normal) return {};
    for (std::size_t i = 0; i < input->size(); ++i) {
      const Dim& dim = (*input)[i];
      if (std::ranges::find(*normal, i) == normal->end()) {
        output.push_back(dim);
      } else if (dim.known() && dim.value() != 1) {
        return reject("axis {} of {} cannot be squeezed, it is not 1", i, to_string(*input));
      }
    }
  } else {
    for (const Dim& dim : *input) {
      if (!dim.known()) return {};
      if (dim.value() != 1) output.push_back(dim);
    }
  }
  set(context, 0, type_of(context, 0), std::move(output));
  keep_elements(context);
  return {};
}

Status unsqueeze(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* input = shape_of(context, 0);
  const ListArgument axes = list_argument(context, "axes", 1, 13);
  if (!axes.present) return reject("axes are missing");
  if (input == nullptr || !axes.values) return {};
  PRESS_ASSIGN(const std::vector<std::size_t> normal,
               normalize_axes(*axes.values, input->size() + axes.values->size()));
  Shape output;
  for (std::size_t i = 0, from = 0; i < input->size() + normal.size(); ++i) {
    output.push_back(std::ranges::find(normal, i) != normal.end() ? Dim(1) : (*input)[from++]);
  }
  set(context, 0, type_of(context, 0), std::move(output));
  keep_elements(context);
  return {};
}

Status transpose(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* input = shape_of(context, 0);
  const std::vector<std::int64_t> perm = context.node().ints_attribute("perm");
  if (input == nullptr) {
    if (!perm.empty()) set(context, 0, type_of(context, 0), open_shape(perm.size()));
    return {};
  }
  Shape output;
  if (context.node().has_attribute("perm")) {
    if (perm.size() != input->size())
      return reject("perm has {} entries for rank {}", perm.size(), input->size());
    PRESS_ASSIGN(const std::vector<std::size_t> order, normalize_axes(perm, input->size()));
    for (const std::size_t axis : order) output.push_back((*input)[axis]);
    if (const std::optional<Dims> dims = dims_of_elements(context)) {
      const Dims own = row_major_steps(*dims);
      Dims extents, steps;
      for (const std::size_t axis : order) {
        extents.push_back((*dims)[axis]);
        steps.push_back(own[axis]);
      }
      view_elements(context, extents, steps, 0);
    }
  } else {
    output.assign(input->rbegin(), input->rend());
  }
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

Status concat(ShapeContext& context) {
  if (context.input_count() == 0) return reject("there are no inputs");
  set(context, 0, type_of(context, 0), std::nullopt);
  std::optional<Shape> output;
  Dim along = 0;
  bool elements_known = true;
  Shape elements;
  const std::int64_t wanted = context.node().int_attribute("axis", context.opset() < 4 ? 1 : 0);
  std::size_t axis = 0;
  for (std::size_t i = 0; i < context.input_count(); ++i) {
    const Shape* shape = shape_of(context, i);
    if (const Shape* part = elements_of(context, i); part != nullptr && elements_known) {
      elements.insert(elements.end(), part->begin(), part->end());
    } else if (const auto length = length_of(context, i); length && *length <= kMostElementFacts) {
      elements.resize(elements.size() + *length);
    } else {
      elements_known = false;
    }
    if (shape == nullptr) {
      along = Dim();
      continue;
    }
    if (!output) {
      PRESS_ASSIGN(axis, normalize_axis(wanted, shape->size()));
      output = *shape;
    } else if (shape->size() != output->size()) {
      return reject("shapes {} and {} have different ranks", to_string(*output), to_string(*shape));
    }
    for (std::size_t d = 0; d < shape->size(); ++d) {
      Dim& into = (*output)[d];
      const Dim& dim = (*shape)[d];
      if (d == axis) continue;
      if (into.known() && dim.known() && into.value() != dim.value()) {
        return reject("shapes {} and {} differ on axis {}", to_string(*output), to_string(*shape), d);
      }
      if (!into.known() && (dim.known() || !into.named())) into = dim;
    }
    const Dim& dim = (*shape)[axis];
    if (context.input_count() == 1) {
      along = dim;
    } else if (along.known() && dim.known()) {
      PRESS_ASSIGN(const std::int64_t sum, checked_add(along.value(), dim.value()));
      along = sum;
    } else {
      along = Dim();
    }
  }
  if (output) (*output)[axis] = along;
  set(context, 0, type_of(context, 0), output);
  if (elements_known && output && output->size() == 1 && elements.size() <= kMostElementFacts) {
    context.output(0).elements = std::move(elements);
  }
  return {};
}

Status split(ShapeContext& context) {
  const DataType type = type_of(context, 0);
  for (std::size_t i = 0; i < context.output_count(); ++i) set(context, i, type, std::nullopt);
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  PRESS_ASSIGN(const std::size_t axis,
               normalize_axis(context.node().int_attribute("axis", 0), input->size()));
  const ListArgument sizes = list_argument(context, "split", 1, 13);
  const Dim& extent = (*input)[axis];
  Shape parts(context.output_count());
  if (sizes.present && sizes.values) {
    if (extent.known()) PRESS_TRY(split_sizes(extent.value(), *sizes.values, parts.size()));
    if (sizes.values->size() != parts.size()) {
      return reject("{} split sizes for {} outputs", sizes.values->size(), parts.size());
    }
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i] = Dim((*sizes.values)[i]);
  } else if (!sizes.present && extent.known()) {
    PRESS_ASSIGN(const Dims equal, split_sizes(extent.value(), {}, parts.size()));
    parts.assign(equal.begin(), equal.end());
  }
  std::size_t first = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Shape output = *input;
    output[axis] = parts[i];
    set(context, i, type, std::move(output));
    const Shape* elements = elements_of(context, 0);
    if (elements == nullptr || !parts[i].known() || input->size() != 1) continue;
    const auto count = static_cast<std::size_t>(parts[i].value());
    if (first + count > elements->size()) continue;
    context.output(i).elements = Shape(elements->begin() + static_cast<std::ptrdiff_t>(first),
                                       elements->begin() + static_cast<std::ptrdiff_t>(first + count));
    first += count;
  }
  return {};
}

Status slice(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  const ListArgument starts = list_argument(context, "starts", 1, 10);
  const ListArgument ends = list_argument(context, "ends", 2, 10);
  const ListArgument axes = list_argument(context, "axes", 3, 10);
  const ListArgument steps = list_argument(context, "steps", 4, 10);
  if (!starts.present || !ends.present) return reject("starts or ends are missing");
  if (axes.present && !axes.values) {
    set(context, 0, type_of(context, 0), open_shape(input->size()));
    return {};
  }
  std::vector<std::int64_t> along;
  if (axes.values) {
    along = *axes.values;
  } else {
    const std::optional<std::size_t> count = starts.values ? starts.values->size() : length_of(context, 1);
    along.resize(count.value_or(input->size()));
    std::iota(along.begin(), along.end(), std::int64_t{0});
  }
  PRESS_ASSIGN(const std::vector<std::size_t> normal, normalize_axes(along, input->size()));
  for (const ListArgument* list : {&starts, &ends, &steps}) {
    if (list->values && list->values->size() != normal.size()) {
      return reject("{} starts, ends or steps for {} axes", list->values->size(), normal.size());
    }
  }
  Shape output = *input;
  const std::optional<Dims> input_dims = dims_of_elements(context);
  Dims element_steps = input_dims ? row_major_steps(*input_dims) : Dims();
  std::int64_t first_element = 0;
  for (std::size_t i = 0; i < normal.size(); ++i) {
    Dim& dim = output[normal[i]];
    const std::int64_t step = steps.values ? (*steps.values)[i] : 1;
    const bool whole = starts.values && ends.values && step == 1 && (*starts.values)[i] == 0 &&
                       (*ends.values)[i] >= std::int64_t{INT32_MAX};
    if (whole && (!steps.present || steps.values)) continue;  // everything, however much it is
    if (!dim.known() || !starts.values || !ends.values || (steps.present && !steps.values)) {
      dim = Dim();
      continue;
    }
    PRESS_ASSIGN(const SliceRange range,
                 slice_range((*starts.values)[i], (*ends.values)[i], step, dim.value()));
    dim = range.count;
    if (element_steps.empty()) continue;
    first_element += range.start * element_steps[normal[i]];
    if (range.count > 1) element_steps[normal[i]] *= range.step;
  }
  if (const std::optional<Dims> extents = known_dims(output); extents && !element_steps.empty()) {
    view_elements(context, *extents, element_steps, first_element);
  }
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

Status pad(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  const ListArgument pads = list_argument(context, context.opset() < 2 ? "paddings" : "pads", 1, 11);
  if (!pads.present) return reject("pads are missing");
  std::vector<std::size_t> axes(input->size());
  std::iota(axes.begin(), axes.end(), std::size_t{0});
  const bool some_axes = context.opset() >= 18 && context.node().input(3) != nullptr;
  const auto listed = some_axes ? integers_of(context, 3) : std::nullopt;
  if (listed) {
    PRESS_ASSIGN(axes, normalize_axes(*listed, input->size()));
  }
  if (!pads.values || (some_axes && !listed)) {
    set(context, 0, type_of(context, 0), open_shape(input->size()));
    return {};
  }
  if (pads.values->size() != 2 * axes.size()) {
    return reject("{} pads for {} axes, expected two for each", pads.values->size(), axes.size());
  }
  Shape output = *input;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    Dim& dim = output[axes[i]];
    PRESS_ASSIGN(const std::int64_t grown, checked_add((*pads.values)[i], (*pads.values)[axes.size() + i]));
    if (grown == 0) continue;
    if (!dim.known()) {
      dim = Dim();
      continue;
    }
    PRESS_ASSIGN(const std::int64_t extent, checked_add(dim.value(), grown));
    if (extent < 0)
      return reject("the pads cut more from axis {} than its {} elements", axes[i], dim.value());
    dim = extent;
  }
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

Status expand(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* input = shape_of(context, 0);
  const std::optional<Shape> target = spelled_shape(context, 1);
  if (input == nullptr || !target) return {};
  PRESS_ASSIGN(Shape output, broadcast_shapes(*input, *target));
  set(context, 0, type_of(context, 0), std::move(output));
  if (const Shape* elements = elements_of(context, 0); elements != nullptr && elements->size() == 1) {
    const Dim count =
        context.output(0).type.shape->size() == 1 ? context.output(0).type.shape->front() : Dim();
    if (count.known() && count.value() <= kMostElementFacts) {
      context.output(0).elements = Shape(static_cast<std::size_t>(count.value()), elements->front());
    }
  }
  return {};
}

Status tile(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  const auto repeats = integers_of(context, 1);
  Shape output = open_shape(input->size());
  if (repeats && context.opset() >= 6) {
    if (repeats->size() != input->size())
      return reject("{} repeats for rank {}", repeats->size(), input->size());
    for (std::size_t i = 0; i < output.size(); ++i) {
      if ((*repeats)[i] < 0) return reject("repeat {} is negative", (*repeats)[i]);
      if ((*repeats)[i] == 1) output[i] = (*input)[i];
      if ((*repeats)[i] == 1 || !(*input)[i].known()) continue;
      PRESS_ASSIGN(const std::int64_t extent, checked_multiply((*input)[i].value(), (*repeats)[i]));
      output[i] = extent;
    }
  }
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

namespace {

/// DepthToSpace and SpaceToDepth: `channels` and `extent` tell what becomes of a channel count and of a
/// spatial extent with blocks of the size they are given.
template <typename Channels, typename Extent>
Status rearranged_blocks(ShapeContext& context, const Channels& channels, const Extent& extent) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* input = shape_of(context, 0);
  const std::int64_t block = context.node().int_attribute("blocksize", 0);
  if (block < 1 || block > (1 << 15)) return reject("attribute blocksize is {}", block);
  if (input == nullptr) return {};
  if (input->size() != 4) return reject("the input has shape {}, expected 4 dims", to_string(*input));
  Shape output{(*input)[0], Dim(), Dim(), Dim()};
  for (std::size_t i : {1, 2, 3}) {
    if (!(*input)[i].known()) continue;
    const std::int64_t value = (*input)[i].value();
    Result<std::int64_t> made = i == 1 ? channels(value, block * block) : extent(value, block);
    if (!made.ok()) return reject("{}: {}", i == 1 ? "channels" : "spatial dims", made.error().message());
    output[i] = *made;
  }
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

Result<std::int64_t> divided(std::int64_t extent, std::int64_t parts) {
  if (extent % parts != 0) return reject("{} do not divide into blocks of {}", extent, parts);
  return extent / parts;
}

}  // namespace

Status depth_to_space(ShapeContext& context) {
  return rearranged_blocks(context, divided, checked_multiply);
}

Status space_to_depth(ShapeContext& context) {
  return rearranged_blocks(context, checked_multiply, divided);
}

Status resize(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* input = shape_of(context, 0);
  if (input == nullptr) return {};
  // Where scales stand: an attribute (Upsample 7), input 1 (Upsample 9, Resize 10) or input 2 (Resize 11,
  // after roi).
  const bool upsample = context.node().is("Upsample");
  const std::size_t scales_input = upsample || context.opset() < 11 ? 1 : 2;
  std::vector<std::size_t> axes(input->size());
  std::iota(axes.begin(), axes.end(), std::size_t{0});
  if (context.node().has_attribute("axes")) {
    PRESS_ASSIGN(axes, normalize_axes(context.node().ints_attribute("axes"), input->size()));
  }
  Shape output = *input;
  const auto open_axes = [&] {
    for (const std::size_t axis : axes) output[axis] = Dim();
    set(context, 0, type_of(context, 0), output);
  };
  if (scales_input == 2 && context.node().input(3) != nullptr) {
    std::optional<Shape> sizes = spelled_shape(context, 3);
    const std::string policy = context.node().string_attribute("keep_aspect_ratio_policy", "stretch");
    if (sizes && sizes->size() != axes.size())
      return reject("{} sizes for {} axes", sizes->size(), axes.size());
    if (!sizes || policy != "stretch") {
      open_axes();
      return {};
    }
    for (std::size_t i = 0; i < axes.size(); ++i) output[axes[i]] = (*sizes)[i];
    set(context, 0, type_of(context, 0), std::move(output));
    return {};
  }
  std::vector<float> scales;
  if (upsample && context.opset() < 9) {
    scales = context.node().floats_attribute("scales");
  } else if (const Tensor* constant = context.constant(scales_input);
             constant != nullptr && constant->type() == DataType::kFloat) {
    const std::span<const float> data = constant->data<float>();
    scales.assign(data.begin(), data.end());
  } else {
    open_axes();
    return {};
  }
  if (scales.size() != axes.size()) return reject("{} scales for {} axes", scales.size(), axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    Dim& dim = output[axes[i]];
    if (scales[i] == 1.0F) continue;
    PRESS_ASSIGN(const std::int64_t extent, scaled_extent(dim.known() ? dim.value() : 1, scales[i]));
    dim = dim.known() ? Dim(extent) : Dim();
  }
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

/// Crop (experimental, before opset 7): border [left, top, right, bottom], or a corner and the size in scale.
Status crop(ShapeContext& context) {
  set(context, 0, type_of(context, 0), std::nullopt);
  const Shape* input = shape_of(context, 0);
  const std::vector<std::int64_t> border = context.node().ints_attribute("border");
  const std::vector<std::int64_t> scale = context.node().ints_attribute("scale");
  if (border.size() != 4) return reject("attribute border has {} entries, expected 4", border.size());
  if (input == nullptr) return {};
  if (input->size() != 4) return reject("the input has shape {}, expected 4 dims", to_string(*input));
  Shape output = *input;
  for (std::size_t i : {0, 1}) {
    Dim& dim = output[2 + i];
    const std::int64_t before = border[1 - i], after = border[3 - i];
    if (before < 0 || after < 0) return reject("attribute border has a negative entry");
    if (scale.size() == 2) {
      if (dim.known() && (scale[i] < 0 || scale[i] > dim.value() - before)) {
        return reject("a crop of {} at {} does not fit into {}", scale[i], before, dim.value());
      }
      dim = Dim(scale[i]);
    } else if (dim.known()) {
      if (before > dim.value() || after > dim.value() - before) {
        return reject("the border takes more than the {} elements of axis {}", dim.value(), 2 + i);
      }
      dim = Dim(dim.value() - before - after);
    }
  }
  set(context, 0, type_of(context, 0), std::move(output));
  return {};
}

}  // namespace press::shape_rules
