// DeformConv: a convolution whose taps are moved by learned offsets and weighted by a mask (Zhu et al.,
// Deformable ConvNets v2, 2019). Two spatial axes.
#include <algorithm>
#include <array>
#include <cmath>

#include "ops/shapes.h"
#include "runtime/kernels/arguments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {

namespace {

/// The plane between its elements; 0 outside.
float interpolated(const float* plane, std::int64_t height, std::int64_t width, float y, float x) {
  if (!(y > -1 && y < static_cast<float>(height) && x > -1 && x < static_cast<float>(width))) return 0;
  const float top = std::floor(y), left = std::floor(x);
  const float v = y - top, u = x - left;
  const auto element = [&](float row, float column) {
    const auto r = static_cast<std::int64_t>(row), c = static_cast<std::int64_t>(column);
    return r >= 0 && r < height && c >= 0 && c < width ? plane[r * width + c] : 0.0F;
  };
  return (1 - v) * ((1 - u) * element(top, left) + u * element(top, left + 1)) +
         v * ((1 - u) * element(top + 1, left) + u * element(top + 1, left + 1));
}

}  // namespace

Status deform_conv(KernelContext& context) {
  const Node& node = context.node();
  PRESS_ASSIGN(const Tensor* input, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const Tensor* weight, required(context, 1, DataType::kFloat));
  PRESS_ASSIGN(const Tensor* offset, required(context, 2, DataType::kFloat));
  PRESS_ASSIGN(const Tensor* mask, optional(context, 4, DataType::kFloat));
  if (input->rank() != 4 || weight->rank() != 4) {
    return Error(
        ErrorCode::kUnsupported,
        fmt::format("a deformable convolution of {} with {} cannot be executed, only two spatial dims",
                    to_string(input->dims()), to_string(weight->dims())));
  }
  const Dims& in = input->dims();
  const Dims& w = weight->dims();
  const std::int64_t groups = node.int_attribute("group", 1), moved = node.int_attribute("offset_group", 1);
  PRESS_ASSIGN(const Window window, read_window(node, Dims{w[2], w[3]}));
  PRESS_ASSIGN(const WindowExtent rows, window_extent(window, 0, in[2]));
  PRESS_ASSIGN(const WindowExtent columns, window_extent(window, 1, in[3]));
  const std::int64_t taps = w[2] * w[3];
  if (groups < 1 || moved < 1 || w[0] % groups != 0 || w[1] > in[1] || in[1] != w[1] * groups ||
      in[1] % moved != 0 || moved > in[1]) {
    return reject("input {}, weight {}, {} groups and {} offset groups do not fit together", to_string(in),
                  to_string(w), groups, moved);
  }
  const Dims offsets{in[0], moved * taps * 2, rows.output, columns.output};
  const Dims masks{in[0], moved * taps, rows.output, columns.output};
  if (offset->dims() != offsets || (mask != nullptr && mask->dims() != masks)) {
    return reject("offset {} or mask {} do not fit, expected {} and {}", to_string(offset->dims()),
                  mask != nullptr ? to_string(mask->dims()) : "none", to_string(offsets), to_string(masks));
  }
  const Tensor* bias = nullptr;
  if (context.input(3) != nullptr) {
    PRESS_ASSIGN(bias, per_channel(context, 3, w[0]));
  }
  const Dims dims{in[0], w[0], rows.output, columns.output};
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, dims));
  const std::int64_t places = rows.output * columns.output;
  const float* x = input->data<float>().data();
  const float* moves = offset->data<float>().data();
  float* out = target->mutable_data<float>().data();
  parallel_for(context.threads(), in[0] * places, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> patch(static_cast<std::size_t>(in[1] * taps));  // what the window sees
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t sample = i / places, place = i % places;
      for (std::int64_t k = 0; k < in[1] * taps; ++k) {
        const std::int64_t channel = k / taps, tap = k % taps;
        const std::int64_t which = (sample * moved + channel / (in[1] / moved)) * taps + tap;
        const auto at = [&](std::size_t axis, std::int64_t position, std::int64_t step, std::int64_t pad) {
          const float* move = moves + (which * 2 + static_cast<std::int64_t>(axis)) * places;
          return static_cast<float>(position * window.strides[axis] - pad + step * window.dilations[axis]) +
                 move[place];
        };
        const float y = at(0, place / columns.output, tap / w[3], rows.pad_begin);
        const float across = at(1, place % columns.output, tap % w[3], columns.pad_begin);
        const float* plane = x + (sample * in[1] + channel) * in[2] * in[3];
        const float share =
            mask != nullptr ? mask->data<float>()[static_cast<std::size_t>(which * places + place)] : 1.0F;
        patch[static_cast<std::size_t>(k)] = share * interpolated(plane, in[2], in[3], y, across);
      }
      for (std::int64_t filter = 0; filter < w[0]; ++filter) {
        const float* factors = weight->data<float>().data() + filter * w[1] * taps;
        const float* seen = patch.data() + filter / (w[0] / groups) * w[1] * taps;
        float sum = bias != nullptr ? bias->data<float>()[static_cast<std::size_t>(filter)] : 0.0F;
        for (std::int64_t k = 0; k < w[1] * taps; ++k) sum += factors[k] * seen[k];
        out[(sample * w[0] + filter) * places + place] = sum;
      }
    }
  });
  return {};
}

}  // namespace press::kernels
