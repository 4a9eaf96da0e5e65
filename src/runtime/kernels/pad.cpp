// Pad: constant, reflect, edge and wrap; negative pads cut.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "ops/shapes.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {
namespace {

struct Padding {
  Dims begin, end;
};

/// The pads of every axis, in the form of the opset: attribute, input, input for some axes.
Result<Padding> read_padding(const KernelContext& context, const Tensor& input) {
  PRESS_ASSIGN(const auto pads, list_argument(context, context.opset() < 2 ? "paddings" : "pads", 1, 11));
  if (!pads) return reject("pads are missing");
  std::vector<std::size_t> axes(input.rank());
  std::iota(axes.begin(), axes.end(), std::size_t{0});
  if (context.opset() >= 18 && context.input_count() > 3 && context.input(3) != nullptr) {
    PRESS_ASSIGN(const std::vector<std::int64_t> listed, integers(*context.input(3)));
    PRESS_ASSIGN(axes, normalize_axes(listed, input.rank()));
  }
  if (pads->size() != 2 * axes.size()) return reject("{} pads for {} axes", pads->size(), axes.size());
  Padding padding{Dims(input.rank(), 0), Dims(input.rank(), 0)};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    padding.begin[axes[i]] = (*pads)[i];
    padding.end[axes[i]] = (*pads)[axes.size() + i];
  }
  return padding;
}

/// Where an element of the padded axis comes from: an index of the input, or -1 for the constant.
Result<std::vector<std::int64_t>> source_indices(const std::string& mode, std::int64_t extent,
                                                 std::int64_t begin, std::int64_t output) {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < output; ++i) {
    std::int64_t at = i - begin;
    if (at < 0 || at >= extent) {
      if (mode == "constant") {
        at = -1;
      } else if (extent == 0) {
        return reject("an empty axis cannot be continued");
      } else if (mode == "edge") {
        at = std::clamp<std::int64_t>(at, 0, extent - 1);
      } else if (mode == "wrap") {
        at = (at % extent + extent) % extent;
      } else {  // reflect: back and forth without repeating the edge
        const std::int64_t period = std::max<std::int64_t>(2 * (extent - 1), 1);
        at = (at % period + period) % period;
        if (at >= extent) at = period - at;
      }
    }
    indices.push_back(at);
  }
  return indices;
}

/// The bytes of the padding constant, zero by default.
Result<std::uint64_t> fill_bits(const KernelContext& context, const Tensor& input) {
  std::uint64_t bits = 0;
  if (context.opset() >= 11) {
    const Tensor* value = context.input_count() > 2 ? context.input(2) : nullptr;
    if (value == nullptr) return bits;
    PRESS_TRY(same_type(input, *value));
    if (value->size() != 1) return reject("the padding constant has {} elements", value->size());
    std::memcpy(&bits, value->bytes().data(), value->bytes().size());
    return bits;
  }
  const float value = context.node().float_attribute("value", 0.0F);
  if (value == 0.0F) return bits;
  if (input.type() == DataType::kFloat) {
    std::memcpy(&bits, &value, sizeof(value));
  } else if (input.type() == DataType::kDouble) {
    const double wide = value;
    std::memcpy(&bits, &wide, sizeof(wide));
  } else if (input.type() == DataType::kFloat16) {
    bits = to_float16(value).bits;
  } else {
    return reject("a padding constant for {}", name(input.type()));
  }
  return bits;
}
}  // namespace

Status pad(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(const Padding padding, read_padding(context, *input));
  const std::string mode = context.node().string_attribute("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap") {
    return reject("attribute mode is '{}', expected constant, reflect, edge or wrap", mode);
  }
  const std::size_t rank = input->rank();
  Dims dims(rank);
  for (std::size_t i = 0; i < rank; ++i) {
    PRESS_ASSIGN(const std::int64_t grown, checked_add(padding.begin[i], padding.end[i]));
    PRESS_ASSIGN(dims[i], checked_add(input->dims()[i], grown));
    if (dims[i] < 0)
      return reject("the pads cut more from axis {} than its {} elements", i, input->dims()[i]);
  }
  PRESS_ASSIGN(const std::uint64_t fill, fill_bits(context, *input));
  return dispatch_width(context, input->type(), [&]<typename T>() -> Status {
    PRESS_ASSIGN(Tensor * output, context.allocate_output(0, input->type(), dims));
    T* target = raw<T>(*output);
    if (mode == "constant") {
      // The constant everywhere, then the part of the input that stays over it.
      std::fill_n(target, output->size(), static_cast<T>(fill));
      const Dims from = strides_of(input->dims()), to = strides_of(dims);
      StridedCopy copy{.extents = {}, .from = from, .to = to};
      for (std::size_t i = 0; i < rank; ++i) {
        const std::int64_t first = std::max<std::int64_t>(-padding.begin[i], 0);
        const std::int64_t last = input->dims()[i] - std::max<std::int64_t>(-padding.end[i], 0);
        copy.extents.push_back(std::max<std::int64_t>(last - first, 0));
        copy.from_offset += first * from[i];
        copy.to_offset += std::max<std::int64_t>(padding.begin[i], 0) * to[i];
      }
      copy_strided(copy, input->aligned_bytes(), output->mutable_bytes().data(), sizeof(T),
                   context.threads());
      return {};
    }
    if (output->size() == 0) return {};
    // Axis by axis offsets into the input; rows are put together element by element.
    const Dims strides = strides_of(input->dims());
    std::vector<std::vector<std::int64_t>> offsets(std::max<std::size_t>(rank, 1), {0});
    for (std::size_t i = 0; i < rank; ++i) {
      PRESS_ASSIGN(offsets[i], source_indices(mode, input->dims()[i], padding.begin[i], dims[i]));
      for (std::int64_t& offset : offsets[i]) offset *= strides[i];
    }
    const std::vector<std::int64_t>& inner = offsets.back();
    const auto length = static_cast<std::int64_t>(inner.size());
    const T* source = raw<T>(*input);
    parallel_for(context.threads(), output->size() / length,
                 std::max<std::int64_t>(1, kElementGrain / length),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t row = begin; row < end; ++row) {
                     std::int64_t base = 0, rest = row;
                     for (std::size_t axis = offsets.size() - 1; axis-- > 0;) {
                       const auto extent = static_cast<std::int64_t>(offsets[axis].size());
                       base += offsets[axis][static_cast<std::size_t>(rest % extent)];
                       rest /= extent;
                     }
                     T* out = target + row * length;
                     for (std::int64_t i = 0; i < length; ++i)
                       out[i] = source[base + inner[static_cast<std::size_t>(i)]];
                   }
                 });
    return {};
  });
}

/// Each axis cut or filled up with zeros on both sides to the extent that is asked for.
Status center_crop_pad(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(const Tensor* second, required(context, 1));
  PRESS_ASSIGN(const std::vector<std::int64_t> shape, integers(*second));
  std::vector<std::size_t> axes(input->rank());
  std::iota(axes.begin(), axes.end(), std::size_t{0});
  if (context.node().has_attribute("axes")) {
    PRESS_ASSIGN(axes, normalize_axes(context.node().ints_attribute("axes"), input->rank()));
  }
  if (shape.size() != axes.size()) return reject("{} extents for {} axes", shape.size(), axes.size());
  Dims dims = input->dims();
  for (std::size_t i = 0; i < axes.size(); ++i) dims[axes[i]] = shape[i];
  PRESS_ASSIGN(const std::size_t width, element_width(context, input->type()));
  PRESS_ASSIGN(Tensor * output, context.allocate_output(0, input->type(), dims));
  std::ranges::fill(output->mutable_bytes(), std::byte{0});
  StridedCopy copy{.extents = {}, .from = strides_of(input->dims()), .to = strides_of(dims)};
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const std::int64_t given = input->dims()[i];
    copy.extents.push_back(std::min(given, dims[i]));
    (given > dims[i] ? copy.from_offset : copy.to_offset) +=
        std::abs(given - dims[i]) / 2 * (given > dims[i] ? copy.from[i] : copy.to[i]);
  }
  copy_strided(copy, input->aligned_bytes(), output->mutable_bytes().data(), width, context.threads());
  return {};
}

}  // namespace press::kernels
