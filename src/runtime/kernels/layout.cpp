// Operators that move elements without looking at them: views, transpositions, cuts and joints.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <type_traits>

#include "ops/shapes.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {
namespace {

/// The same bytes under other dims.
Status view(KernelContext& context, const Tensor& input, Dims dims) {
  context.set_output(0, input.reshaped(std::move(dims)));
  return {};
}

/// Copies a strided view of the input into a new output of `dims`, which are the view's extents merged or
/// split.
Status copy_view(KernelContext& context, const Tensor& input, std::size_t output_index, Dims dims,
                 Dims extents, Dims from, std::int64_t offset = 0) {
  PRESS_ASSIGN(const std::size_t width, element_width(context, input.type()));
  PRESS_ASSIGN(Tensor * output, context.allocate_output(output_index, input.type(), std::move(dims)));
  StridedCopy copy{.extents = std::move(extents), .from = std::move(from), .to = {}, .from_offset = offset};
  copy.to = strides_of(copy.extents);
  copy_strided(copy, input.aligned_bytes(), output->mutable_bytes().data(), width, context.threads());
  return {};
}

Status depth_rearranged(KernelContext& context, bool to_space) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  const std::int64_t block = context.node().int_attribute("blocksize", 0);
  if (input->rank() != 4) return reject("the input is {}, expected 4 dims", to_string(input->dims()));
  if (block < 1 || block > (1 << 15)) return reject("attribute blocksize is {}", block);
  const Dims& dims = input->dims();
  const std::int64_t n = dims[0], c = dims[1], h = dims[2], w = dims[3];
  if (to_space) {
    if (c % (block * block) != 0)
      return reject("{} channels do not divide into blocks of {}", c, block * block);
    const std::int64_t depth = c / (block * block), plane = h * w;
    const std::string mode = context.node().string_attribute("mode", "DCR");
    if (mode != "DCR" && mode != "CRD") return reject("attribute mode is '{}', expected DCR or CRD", mode);
    // Channels are (block row, block column, depth) in DCR, (depth, block row, block column) in CRD.
    const bool dcr = mode == "DCR";
    const std::int64_t of_depth = (dcr ? 1 : block * block) * plane;
    const std::int64_t of_row = (dcr ? block * depth : block) * plane, of_column = (dcr ? depth : 1) * plane;
    return copy_view(context, *input, 0, {n, depth, h * block, w * block}, {n, depth, h, block, w, block},
                     {c * plane, of_depth, w, of_row, 1, of_column});
  }
  if (h % block != 0 || w % block != 0)
    return reject("{} does not divide into blocks of {}", to_string(dims), block);
  return copy_view(context, *input, 0, {n, c * block * block, h / block, w / block},
                   {n, block, block, c, h / block, w / block}, {c * h * w, w, 1, h * w, w * block, block});
}
}  // namespace

Status identity(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  context.set_output(0, *input);
  return {};
}

Status dropout(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  const Tensor* training = context.opset() >= 12 && context.input_count() > 2 ? context.input(2) : nullptr;
  const Tensor* ratio = context.opset() >= 12 && context.input_count() > 1 ? context.input(1) : nullptr;
  if (training != nullptr && training->type() == DataType::kBool && training->size() == 1 &&
      training->data<bool>()[0]) {
    double share = 0.5;
    if (ratio != nullptr) {
      PRESS_ASSIGN(share, single_number(*ratio));
    }
    if (share != 0.0) return Error(ErrorCode::kUnsupported, "Dropout in training mode is random");
  }
  context.set_output(0, *input);
  if (!context.wants_output(1)) return {};
  if (context.opset() < 10) {  // the mask was of the input's type
    return dispatch<float, double, Float16>(context, input->type(), [&]<typename T>() -> Status {
      PRESS_ASSIGN(Tensor * ones, context.allocate_output(1, input->type(), input->dims()));
      T one{};
      if constexpr (std::is_same_v<T, Float16>) {
        one = to_float16(1.0F);
      } else {
        one = T{1};
      }
      std::ranges::fill(ones->mutable_data<T>(), one);
      return {};
    });
  }
  PRESS_ASSIGN(Tensor * mask, context.allocate_output(1, DataType::kBool, input->dims()));
  std::ranges::fill(mask->mutable_data<bool>(), true);
  return {};
}

Status reshape(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  std::vector<std::int64_t> target = context.node().ints_attribute("shape");
  if (context.opset() >= 5) {
    PRESS_ASSIGN(const Tensor* shape, required(context, 1));
    PRESS_ASSIGN(target, integers(*shape));
  }
  PRESS_ASSIGN(Dims dims,
               reshape_target(input->dims(), target, context.node().int_attribute("allowzero", 0) != 0));
  return view(context, *input, std::move(dims));
}

Status flatten(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  const auto rank = static_cast<std::int64_t>(input->rank());
  std::int64_t axis = context.node().int_attribute("axis", 1);
  if (axis < -rank || axis > rank) return reject("axis {} is out of range for rank {}", axis, rank);
  if (axis < 0) axis += rank;
  const auto cut = static_cast<std::size_t>(axis);
  return view(context, *input,
              {span_count(input->dims(), 0, cut), span_count(input->dims(), cut, input->rank())});
}

Status squeeze(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(const auto axes, list_argument(context, "axes", 1, 13));
  Dims dims;
  if (!axes) {
    std::ranges::copy_if(input->dims(), std::back_inserter(dims), [](std::int64_t dim) { return dim != 1; });
    return view(context, *input, std::move(dims));
  }
  PRESS_ASSIGN(const std::vector<std::size_t> normal, normalize_axes(*axes, input->rank()));
  for (const std::size_t axis : normal) {
    if (input->dims()[axis] != 1) return reject("axis {} of {} is not 1", axis, to_string(input->dims()));
  }
  return view(context, *input, reduced_dims(input->dims(), normal, false));
}

Status unsqueeze(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(const auto axes, list_argument(context, "axes", 1, 13));
  if (!axes) return reject("axes are missing");
  PRESS_ASSIGN(const std::vector<std::size_t> normal, normalize_axes(*axes, input->rank() + axes->size()));
  Dims dims(input->rank() + normal.size(), 0);
  for (const std::size_t axis : normal) dims[axis] = 1;
  std::size_t from = 0;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (std::ranges::find(normal, i) == normal.end()) dims[i] = input->dims()[from++];
  }
  return view(context, *input, std::move(dims));
}

Status transpose(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  const Dims strides = strides_of(input->dims());
  std::vector<std::int64_t> perm(input->rank());
  std::iota(perm.rbegin(), perm.rend(), std::int64_t{0});
  if (context.node().has_attribute("perm")) perm = context.node().ints_attribute("perm");
  if (perm.size() != input->rank())
    return reject("perm has {} entries for rank {}", perm.size(), input->rank());
  PRESS_ASSIGN(const std::vector<std::size_t> order, normalize_axes(perm, input->rank()));
  Dims dims, from;
  for (const std::size_t axis : order) {
    dims.push_back(input->dims()[axis]);
    from.push_back(strides[axis]);
  }
  return copy_view(context, *input, 0, dims, dims, from);
}

Status concat(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* first, required(context, 0));
  PRESS_ASSIGN(
      const std::size_t axis,
      normalize_axis(context.node().int_attribute("axis", context.opset() < 4 ? 1 : 0), first->rank()));
  PRESS_ASSIGN(const std::size_t width, element_width(context, first->type()));
  Dims dims = first->dims();
  dims[axis] = 0;
  for (std::size_t i = 0; i < context.input_count(); ++i) {
    PRESS_ASSIGN(const Tensor* input, required(context, i));
    PRESS_TRY(same_type(*first, *input));
    Dims others = input->dims();
    if (others.size() == dims.size()) others[axis] = dims[axis];
    if (others != dims) {
      return reject("{} and {} do not join on axis {}", to_string(first->dims()), to_string(input->dims()),
                    axis);
    }
    PRESS_ASSIGN(dims[axis], checked_add(dims[axis], input->dims()[axis]));
  }
  PRESS_ASSIGN(Tensor * output, context.allocate_output(0, first->type(), dims));
  std::byte* target = output->mutable_bytes().data();
  const std::int64_t outer = span_count(dims, 0, axis), inner = span_count(dims, axis + 1, dims.size());
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < context.input_count(); ++i) {
    const Tensor& input = *context.input(i);
    const std::int64_t block = input.dims()[axis] * inner;
    copy_strided(
        {.extents = {outer, block}, .from = {block, 1}, .to = {dims[axis] * inner, 1}, .to_offset = offset},
        input.aligned_bytes(), target, width, context.threads());
    offset += block;
  }
  return {};
}

Status split(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(const std::size_t axis,
               normalize_axis(context.node().int_attribute("axis", 0), input->rank()));
  PRESS_ASSIGN(const auto given, list_argument(context, "split", 1, 13));
  const std::vector<std::int64_t> equal_parts;
  const std::size_t parts = context.node().output_count();
  PRESS_ASSIGN(const Dims sizes, split_sizes(input->dims()[axis], given ? *given : equal_parts, parts));
  const std::int64_t outer = span_count(input->dims(), 0, axis);
  const std::int64_t inner = span_count(input->dims(), axis + 1, input->rank());
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < parts; ++i) {
    Dims dims = input->dims();
    dims[axis] = sizes[i];
    if (context.wants_output(i)) {
      PRESS_TRY(copy_view(context, *input, i, std::move(dims), {outer, sizes[i] * inner},
                          {input->dims()[axis] * inner, 1}, offset));
    }
    offset += sizes[i] * inner;
  }
  return {};
}

Status slice(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(const auto starts, list_argument(context, "starts", 1, 10));
  PRESS_ASSIGN(const auto ends, list_argument(context, "ends", 2, 10));
  PRESS_ASSIGN(const auto axes, list_argument(context, "axes", 3, 10));
  PRESS_ASSIGN(const auto steps, list_argument(context, "steps", 4, 10));
  if (!starts || !ends) return reject("starts or ends are missing");
  std::vector<std::int64_t> along(starts->size());
  std::iota(along.begin(), along.end(), std::int64_t{0});
  PRESS_ASSIGN(const std::vector<std::size_t> normal, normalize_axes(axes ? *axes : along, input->rank()));
  if (normal.size() != starts->size() || starts->size() != ends->size() ||
      (steps && steps->size() != starts->size())) {
    return reject("{} starts, {} ends and {} axes do not fit together", starts->size(), ends->size(),
                  normal.size());
  }
  Dims dims = input->dims(), from = strides_of(dims);
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < normal.size(); ++i) {
    const std::size_t axis = normal[i];
    PRESS_ASSIGN(const SliceRange range,
                 slice_range((*starts)[i], (*ends)[i], steps ? (*steps)[i] : 1, input->dims()[axis]));
    dims[axis] = range.count;
    offset += range.start * from[axis];
    if (range.count > 1)
      from[axis] *= range.step;  // of one element the step does not matter, and may be huge
  }
  return copy_view(context, *input, 0, dims, dims, from, offset);
}

Status expand(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(const Tensor* shape, required(context, 1));
  PRESS_ASSIGN(const Dims target, integers(*shape));
  PRESS_TRY(element_count(target));
  PRESS_ASSIGN(const Dims dims, broadcast_dims(input->dims(), target));
  const Dims own = strides_of(input->dims());
  Dims from(dims.size(), 0);
  const std::size_t added = dims.size() - input->rank();
  for (std::size_t i = 0; i < input->rank(); ++i) {
    if (input->dims()[i] != 1) from[added + i] = own[i];
  }
  return copy_view(context, *input, 0, dims, dims, from);
}

Status tile(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(const Tensor* second, required(context, 1));
  PRESS_ASSIGN(const std::vector<std::int64_t> repeats, integers(*second));
  if (repeats.size() != input->rank()) return reject("{} repeats for rank {}", repeats.size(), input->rank());
  const Dims own = strides_of(input->dims());
  Dims dims, extents, from;
  for (std::size_t i = 0; i < repeats.size(); ++i) {
    if (repeats[i] < 0) return reject("repeat {} is negative", repeats[i]);
    PRESS_ASSIGN(const std::int64_t dim, checked_multiply(input->dims()[i], repeats[i]));
    dims.push_back(dim);
    extents.insert(extents.end(), {repeats[i], input->dims()[i]});
    from.insert(from.end(), {0, own[i]});
  }
  return copy_view(context, *input, 0, std::move(dims), std::move(extents), std::move(from));
}

Status depth_to_space(KernelContext& context) {
  return depth_rearranged(context, true);
}
Status space_to_depth(KernelContext& context) {
  return depth_rearranged(context, false);
}

/// Crop (experimental, before opset 7).
Status crop(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  const std::vector<std::int64_t> border =
      context.node().ints_attribute("border");                                     // left, top, right, bottom
  const std::vector<std::int64_t> scale = context.node().ints_attribute("scale");  // height, width
  if (input->rank() != 4 || border.size() != 4) {
    return reject("the input is {}, attribute border has {} entries", to_string(input->dims()),
                  border.size());
  }
  Dims dims = input->dims();
  const Dims from = strides_of(dims);
  std::int64_t offset = 0;
  for (std::size_t i : {0, 1}) {
    const std::int64_t extent = dims[2 + i], before = border[1 - i], after = border[3 - i];
    if (before < 0 || after < 0 || before > extent || after > extent - before) {
      return reject("the border takes more than the {} elements of axis {}", extent, 2 + i);
    }
    dims[2 + i] = scale.size() == 2 ? scale[i] : extent - before - after;
    if (dims[2 + i] < 0 || dims[2 + i] > extent - before) {
      return reject("a crop of {} at {} does not fit into {}", dims[2 + i], before, extent);
    }
    offset += before * from[2 + i];
  }
  return copy_view(context, *input, 0, dims, dims, from, offset);
}

Status reverse_sequence(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(const Tensor* second, required(context, 1));
  PRESS_ASSIGN(const std::vector<std::int64_t> lengths, integers(*second));
  const std::int64_t batch_axis = context.node().int_attribute("batch_axis", 1);
  const std::int64_t time_axis = context.node().int_attribute("time_axis", 0);
  const bool apart = (batch_axis == 0 && time_axis == 1) || (batch_axis == 1 && time_axis == 0);
  if (input->rank() < 2 || !apart) {
    return reject("batch_axis {} and time_axis {} are not 0 and 1", batch_axis, time_axis);
  }
  const auto batch = static_cast<std::size_t>(batch_axis), time = static_cast<std::size_t>(time_axis);
  if (static_cast<std::int64_t>(lengths.size()) != input->dims()[batch]) {
    return reject("{} lengths for a batch of {}", lengths.size(), input->dims()[batch]);
  }
  PRESS_ASSIGN(const std::size_t width, element_width(context, input->type()));
  PRESS_ASSIGN(Tensor * output, context.allocate_output(0, input->type(), input->dims()));
  const std::size_t row = width * static_cast<std::size_t>(span_count(input->dims(), 2, input->rank()));
  const Dims strides = strides_of({input->dims()[0], input->dims()[1]});
  const std::byte* source = input->aligned_bytes();
  std::byte* target = output->mutable_bytes().data();
  for (std::int64_t n = 0; n < input->dims()[batch]; ++n) {
    const std::int64_t length = lengths[static_cast<std::size_t>(n)];
    if (length < 0 || length > input->dims()[time]) return reject("length {} is out of range", length);
    for (std::int64_t t = 0; t < input->dims()[time]; ++t) {
      const std::int64_t from = t < length ? length - 1 - t : t;
      std::memcpy(target + static_cast<std::size_t>(n * strides[batch] + t * strides[time]) * row,
                  source + static_cast<std::size_t>(n * strides[batch] + from * strides[time]) * row, row);
    }
  }
  return {};
}

}  // namespace press::kernels
