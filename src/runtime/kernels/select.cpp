// Operators that search, sort or accumulate along an axis.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <type_traits>

#include "ops/shapes.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {

Status top_k(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(const std::size_t axis,
               normalize_axis(context.node().int_attribute("axis", -1), input->rank()));
  std::int64_t k = context.node().int_attribute("k", -1);
  if (context.opset() >= 10) {
    PRESS_ASSIGN(const Tensor* second, required(context, 1));
    PRESS_ASSIGN(k, single_integer(*second));
  }
  const std::int64_t extent = input->dims()[axis];
  if (k < 0 || k > extent) return reject("k is {}, axis {} has {} elements", k, axis, extent);
  const bool largest = context.node().int_attribute("largest", 1) != 0;
  Dims dims = input->dims();
  dims[axis] = k;
  const std::int64_t outer = span_count(dims, 0, axis), inner = span_count(dims, axis + 1, dims.size());
  return dispatch_numbers(context, input->type(), [&]<typename T>() -> Status {
    PRESS_ASSIGN(Tensor * values, context.allocate_output(0, input->type(), dims));
    T* value = values->mutable_data<T>().data();
    PRESS_ASSIGN(Tensor * positions, context.allocate_output(1, DataType::kInt64, dims));
    std::int64_t* position = positions->mutable_data<std::int64_t>().data();
    const T* from = input->data<T>().data();
    parallel_for(context.threads(), outer * inner,
                 std::max<std::int64_t>(1, kElementGrain / (8 * std::max<std::int64_t>(extent, 1))),
                 [&](std::int64_t begin, std::int64_t end) {
                   std::vector<std::int64_t> order(static_cast<std::size_t>(extent));
                   for (std::int64_t i = begin; i < end; ++i) {
                     const std::int64_t row = i / inner, column = i % inner;
                     const T* source = from + row * extent * inner + column;
                     std::iota(order.begin(), order.end(), std::int64_t{0});
                     // Of equals the one with the lower index comes first; NaN counts as the largest.
                     const auto before = [&](std::int64_t a, std::int64_t b) {
                       const T x = source[a * inner], y = source[b * inner];
                       const bool x_is_nan = not_a_number(x), y_is_nan = not_a_number(y);
                       if (x_is_nan != y_is_nan) return largest == x_is_nan;
                       if (x_is_nan || x == y) return a < b;
                       return largest ? x > y : x < y;
                     };
                     std::partial_sort(order.begin(), order.begin() + k, order.end(), before);
                     for (std::int64_t j = 0; j < k; ++j) {
                       const std::int64_t to = (row * k + j) * inner + column;
                       position[to] = order[static_cast<std::size_t>(j)];
                       value[to] = source[position[to] * inner];
                     }
                   }
                 });
    return {};
  });
}

Status non_zero(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  std::vector<std::int64_t> found;  // flat positions
  const auto search = [&]<typename T>() -> Status {
    const std::span<const T> data = input->data<T>();
    for (std::size_t i = 0; i < data.size(); ++i) {
      if (data[i] != T{0}) found.push_back(static_cast<std::int64_t>(i));
    }
    return {};
  };
  if (input->type() == DataType::kBool) {
    PRESS_TRY(search.template operator()<bool>());
  } else {
    PRESS_TRY(dispatch_numbers(context, input->type(), search));
  }
  const auto count = static_cast<std::int64_t>(found.size());
  PRESS_ASSIGN(Tensor * output, context.allocate_output(0, DataType::kInt64,
                                                        {static_cast<std::int64_t>(input->rank()), count}));
  const std::span<std::int64_t> target = output->mutable_data<std::int64_t>();
  const Dims strides = strides_of(input->dims());
  for (std::size_t axis = 0; axis < input->rank(); ++axis) {
    for (std::size_t i = 0; i < found.size(); ++i) {
      target[axis * found.size() + i] = found[i] / strides[axis] % input->dims()[axis];
    }
  }
  return {};
}

Status compress(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* given, required(context, 0));
  PRESS_ASSIGN(const Tensor* condition, required(context, 1, DataType::kBool));
  PRESS_ASSIGN(const std::size_t width, element_width(context, given->type()));
  const Tensor input = context.node().has_attribute("axis") ? *given : given->reshaped({given->size()});
  PRESS_ASSIGN(const std::size_t axis, normalize_axis(context.node().int_attribute("axis", 0), input.rank()));
  if (condition->rank() != 1)
    return reject("the condition is {}, expected 1 dim", to_string(condition->dims()));
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < condition->data<bool>().size(); ++i) {
    if (!condition->data<bool>()[i]) continue;
    if (static_cast<std::int64_t>(i) >= input.dims()[axis])
      return reject("the condition is longer than the axis");
    kept.push_back(i);
  }
  Dims dims = input.dims();
  dims[axis] = static_cast<std::int64_t>(kept.size());
  PRESS_ASSIGN(Tensor * output, context.allocate_output(0, input.type(), dims));
  if (output->size() == 0) return {};
  const std::size_t row = width * static_cast<std::size_t>(span_count(dims, axis + 1, dims.size()));
  const std::byte* from = input.aligned_bytes();
  std::byte* to = output->mutable_bytes().data();
  const auto extent = static_cast<std::size_t>(input.dims()[axis]);
  for (std::size_t i = 0; i < static_cast<std::size_t>(span_count(dims, 0, axis)); ++i) {
    for (const std::size_t k : kept) {
      std::memcpy(to, from + (i * extent + k) * row, row);
      to += row;
    }
  }
  return {};
}

Status cum_sum(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(const Tensor* second, required(context, 1));
  PRESS_ASSIGN(const std::int64_t wanted, single_integer(*second));
  PRESS_ASSIGN(const std::size_t axis, normalize_axis(wanted, input->rank()));
  const bool exclusive = context.node().int_attribute("exclusive", 0) != 0;
  const bool reverse = context.node().int_attribute("reverse", 0) != 0;
  const Dims& dims = input->dims();
  const std::int64_t outer = span_count(dims, 0, axis), inner = span_count(dims, axis + 1, dims.size());
  const std::int64_t extent = dims[axis];
  return dispatch<float, double, std::uint32_t, std::uint64_t, std::int32_t, std::int64_t>(
      context, input->type(), [&]<typename T>() -> Status {
        PRESS_ASSIGN(Tensor * output, context.allocate_output(0, input->type(), dims));
        const T* from = input->data<T>().data();
        T* to = output->mutable_data<T>().data();
        // Unsigned sums wrap around without being undefined.
        using Sum =
            typename std::conditional_t<std::is_integral_v<T>,
                                        std::make_unsigned<std::conditional_t<std::is_integral_v<T>, T, int>>,
                                        std::type_identity<T>>::type;
        for (std::int64_t i = 0; i < outer * inner; ++i) {
          const std::int64_t base = i / inner * extent * inner + i % inner;
          Sum sum = 0;
          for (std::int64_t k = 0; k < extent; ++k) {
            const std::int64_t at = base + (reverse ? extent - 1 - k : k) * inner;
            const Sum next = sum + static_cast<Sum>(from[at]);
            to[at] = static_cast<T>(exclusive ? sum : next);
            sum = next;
          }
        }
        return {};
      });
}

Status trilu(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  if (input->rank() < 2) return reject("the input is {}, expected matrices", to_string(input->dims()));
  std::int64_t k = 0;
  if (context.input_count() > 1 && context.input(1) != nullptr) {
    PRESS_ASSIGN(k, single_integer(*context.input(1)));
  }
  const bool upper = context.node().int_attribute("upper", 1) != 0;
  const std::int64_t rows = input->dims()[input->rank() - 2], columns = input->dims().back();
  // Beyond the matrix a diagonal makes no further difference.
  k = std::clamp(k, -rows - 1, columns + 1);
  return dispatch_width(context, input->type(), [&]<typename T>() -> Status {
    PRESS_ASSIGN(Tensor * output, context.allocate_output(0, input->type(), input->dims()));
    const T* from = raw<T>(*input);
    T* to = raw<T>(*output);
    for (std::int64_t i = 0; i < span_count(input->dims(), 0, input->rank() - 1); ++i) {
      for (std::int64_t column = 0; column < columns; ++column) {
        const std::int64_t diagonal = column - i % rows;
        const bool kept = upper ? diagonal >= k : diagonal <= k;
        to[i * columns + column] = kept ? from[i * columns + column] : T{0};
      }
    }
    return {};
  });
}

namespace {
struct Box {
  float top, left, bottom, right;
};

Box box_of(const float* values, bool centered) {
  if (centered) {  // x, y, width, height
    return {values[1] - values[3] / 2, values[0] - values[2] / 2, values[1] + values[3] / 2,
            values[0] + values[2] / 2};
  }
  return {std::min(values[0], values[2]), std::min(values[1], values[3]), std::max(values[0], values[2]),
          std::max(values[1], values[3])};
}

float intersection_over_union(const Box& a, const Box& b) {
  const float height = std::max(0.0F, std::min(a.bottom, b.bottom) - std::max(a.top, b.top));
  const float width = std::max(0.0F, std::min(a.right, b.right) - std::max(a.left, b.left));
  const float shared = height * width;
  const auto area = [](const Box& box) { return (box.bottom - box.top) * (box.right - box.left); };
  const float together = area(a) + area(b) - shared;
  return together > 0 ? shared / together : 0;
}
}  // namespace

Status non_max_suppression(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* boxes, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const Tensor* scores, required(context, 1, DataType::kFloat));
  if (boxes->rank() != 3 || boxes->dims()[2] != 4 || scores->rank() != 3 ||
      scores->dims()[0] != boxes->dims()[0] || scores->dims()[2] != boxes->dims()[1]) {
    return reject("boxes {} and scores {} do not fit together", to_string(boxes->dims()),
                  to_string(scores->dims()));
  }
  const auto given = [&](std::size_t i) { return i < context.input_count() ? context.input(i) : nullptr; };
  std::int64_t most = 0;
  double overlap = 0, least = -std::numeric_limits<double>::infinity();
  if (given(2) != nullptr) {
    PRESS_ASSIGN(most, single_integer(*given(2)));
  }
  if (given(3) != nullptr) {
    PRESS_ASSIGN(overlap, single_number(*given(3)));
  }
  if (given(4) != nullptr) {
    PRESS_ASSIGN(least, single_number(*given(4)));
  }
  const bool centered = context.node().int_attribute("center_point_box", 0) != 0;
  const std::int64_t count = boxes->dims()[1], classes = scores->dims()[1];
  const float* box = boxes->data<float>().data();
  const float* score = scores->data<float>().data();
  std::vector<std::int64_t> selected;  // batch, class, box
  for (std::int64_t i = 0; i < boxes->dims()[0] * classes; ++i) {
    const float* own = score + i * count;
    const float* area = box + i / classes * count * 4;
    std::vector<std::int64_t> order;
    for (std::int64_t k = 0; k < count; ++k) {
      if (own[k] > least) order.push_back(k);
    }
    std::ranges::stable_sort(order, [own](std::int64_t a, std::int64_t b) { return own[a] > own[b]; });
    std::vector<Box> kept;
    for (const std::int64_t k : order) {
      if (static_cast<std::int64_t>(kept.size()) >= most) break;
      const Box candidate = box_of(area + 4 * k, centered);
      const bool covered = std::ranges::any_of(kept, [&](const Box& other) {
        return intersection_over_union(candidate, other) > static_cast<float>(overlap);
      });
      if (covered) continue;
      kept.push_back(candidate);
      selected.insert(selected.end(), {i / classes, i % classes, k});
    }
  }
  context.set_output(0,
                     Tensor::of<std::int64_t>({static_cast<std::int64_t>(selected.size() / 3), 3}, selected));
  return {};
}

}  // namespace press::kernels
