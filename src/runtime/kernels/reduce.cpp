// Reductions over any axes, and ArgMax and ArgMin over one.
//
// The axes are merged into (outer, reduced, inner); where kept and reduced axes alternate, the input is
// transposed first so that the reduced ones come last.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>

#include "ops/shapes.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {
namespace {

struct Plan {
  Dims output;
  std::vector<std::size_t> axes;
  bool nothing = false;  // noop_with_empty_axes
};

Result<Plan> read_plan(const KernelContext& context, const Tensor& input) {
  PRESS_ASSIGN(const auto axes, list_argument(context, "axes", 1, context.node().is("ReduceSum") ? 13 : 18));
  Plan plan;
  if (!axes || axes->empty()) {
    plan.nothing = context.node().int_attribute("noop_with_empty_axes", 0) != 0;
    plan.axes.resize(plan.nothing ? 0 : input.rank());
    std::iota(plan.axes.begin(), plan.axes.end(), std::size_t{0});
  } else {
    PRESS_ASSIGN(plan.axes, normalize_axes(*axes, input.rank()));
    std::ranges::sort(plan.axes);
  }
  plan.output = reduced_dims(input.dims(), plan.axes, context.node().int_attribute("keepdims", 1) != 0);
  return plan;
}

/// Elements as [outer][count][inner], the middle one to be reduced.
struct Block {
  std::int64_t outer = 1, count = 1, inner = 1;
};

/// The block form of an input whose reduced axes stand side by side; else nullopt.
std::optional<Block> block_of(const Dims& dims, const std::vector<std::size_t>& axes) {
  Block block;
  if (axes.empty()) {
    block.outer = span_count(dims, 0, dims.size());
    return block;
  }
  std::size_t first = axes.front(), last = axes.back() + 1;
  // Axes of extent 1 are on both sides.
  for (std::size_t i = first; i < last; ++i) {
    if (dims[i] != 1 && std::ranges::find(axes, i) == axes.end()) return std::nullopt;
  }
  block.outer = span_count(dims, 0, first);
  block.count = span_count(dims, first, last);
  block.inner = span_count(dims, last, dims.size());
  return block;
}

/// The input with the reduced axes moved to the end.
Result<Tensor> reduced_last(KernelContext& context, const Tensor& input,
                            const std::vector<std::size_t>& axes) {
  PRESS_ASSIGN(const std::size_t width, element_width(context, input.type()));
  const Dims strides = strides_of(input.dims());
  StridedCopy copy;
  for (const bool reduced : {false, true}) {
    for (std::size_t i = 0; i < input.rank(); ++i) {
      if ((std::ranges::find(axes, i) != axes.end()) != reduced) continue;
      copy.extents.push_back(input.dims()[i]);
      copy.from.push_back(strides[i]);
    }
  }
  copy.to = strides_of(copy.extents);
  PRESS_ASSIGN(Tensor moved, context.allocate_scratch(input.type(), copy.extents));
  copy_strided(copy, input.aligned_bytes(), moved.mutable_bytes().data(), width, context.threads());
  return moved;
}

/// Folds `count` contiguous elements. Sixteen running results keep the loop free of dependencies, and
/// rounding errors of sums small.
template <typename T, typename Op>
T fold_row(const T* values, std::int64_t count, T start, const Op& op) {
  constexpr std::int64_t kLanes = 16;
  T lanes[kLanes];
  std::fill_n(lanes, kLanes, start);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::int64_t k = 0; k < kLanes; ++k) lanes[k] = op.step(lanes[k], values[i + k]);
  }
  for (; i < count; ++i) lanes[i % kLanes] = op.step(lanes[i % kLanes], values[i]);
  for (std::int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::int64_t k = 0; k < width; ++k) lanes[k] = op.merge(lanes[k], lanes[k + width]);
  }
  return lanes[0];
}

template <typename T, typename Op>
void reduce_block(const Block& block, const T* from, T* to, int threads, const Op& op) {
  const std::int64_t cost =
      std::max<std::int64_t>(1, kElementGrain / std::max<std::int64_t>(1, block.count * block.inner));
  parallel_for(threads, block.outer, cost, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const T* row = from + i * block.count * block.inner;
      T* target = to + i * block.inner;
      if (block.inner == 1) {
        *target = op.finish(fold_row(row, block.count, op.template start<T>(), op), block.count);
        continue;
      }
      std::fill_n(target, block.inner, op.template start<T>());
      for (std::int64_t k = 0; k < block.count; ++k) {
        for (std::int64_t j = 0; j < block.inner; ++j)
          target[j] = op.step(target[j], row[k * block.inner + j]);
      }
      for (std::int64_t j = 0; j < block.inner; ++j) target[j] = op.finish(target[j], block.count);
    }
  });
}

template <typename T>
T add_wrapped(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a + b;
  return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
template <typename T>
T multiply_wrapped(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a * b;
  return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}
template <typename T>
T magnitude(T x) {
  if constexpr (std::is_floating_point_v<T>) return std::abs(x);
  if constexpr (std::is_unsigned_v<T>) return x;
  return x < 0 ? multiply_wrapped(x, static_cast<T>(-1)) : x;
}

struct Sum {
  template <typename T>
  static T start() {
    return T{0};
  }
  template <typename T>
  static T step(T a, T x) {
    return add_wrapped(a, x);
  }
  template <typename T>
  static T merge(T a, T b) {
    return add_wrapped(a, b);
  }
  template <typename T>
  static T finish(T a, std::int64_t) {
    return a;
  }
};
struct Mean : Sum {
  template <typename T>
  static T finish(T a, std::int64_t count) {
    if constexpr (std::is_floating_point_v<T>) {
      return a / static_cast<T>(count);
    } else {
      return count > 0 ? static_cast<T>(static_cast<std::int64_t>(a) / count) : T{0};
    }
  }
};
struct SumOfMagnitudes : Sum {
  template <typename T>
  static T step(T a, T x) {
    return add_wrapped(a, magnitude(x));
  }
};
struct SumOfSquares : Sum {
  template <typename T>
  static T step(T a, T x) {
    return add_wrapped(a, multiply_wrapped(x, x));
  }
};
struct Norm : SumOfSquares {
  template <typename T>
  static T finish(T a, std::int64_t) {
    return static_cast<T>(std::sqrt(static_cast<double>(a)));
  }
};
struct LogOfSum : Sum {
  template <typename T>
  static T finish(T a, std::int64_t) {
    return static_cast<T>(std::log(static_cast<double>(a)));
  }
};
struct Product {
  template <typename T>
  static T start() {
    return T{1};
  }
  template <typename T>
  static T step(T a, T x) {
    return multiply_wrapped(a, x);
  }
  template <typename T>
  static T merge(T a, T b) {
    return multiply_wrapped(a, b);
  }
  template <typename T>
  static T finish(T a, std::int64_t) {
    return a;
  }
};
struct Largest {
  template <typename T>
  static T start() {
    return std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                : std::numeric_limits<T>::lowest();
  }
  template <typename T>
  static T step(T a, T x) {
    return x > a || not_a_number(x) ? x : a;
  }
  template <typename T>
  static T merge(T a, T b) {
    return step(a, b);
  }
  template <typename T>
  static T finish(T a, std::int64_t) {
    return a;
  }
};
struct Smallest {
  template <typename T>
  static T start() {
    return std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity()
                                                : std::numeric_limits<T>::max();
  }
  template <typename T>
  static T step(T a, T x) {
    return x < a || not_a_number(x) ? x : a;
  }
  template <typename T>
  static T merge(T a, T b) {
    return step(a, b);
  }
  template <typename T>
  static T finish(T a, std::int64_t) {
    return a;
  }
};

template <typename Op>
Status reduce(KernelContext& context, const Op& op) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(const Plan plan, read_plan(context, *input));
  if (plan.nothing) {
    context.set_output(0, *input);
    return {};
  }
  const auto body = [&]<typename T>() -> Status {
    std::optional<Block> block = block_of(input->dims(), plan.axes);
    Tensor source = *input;
    if (!block) {
      PRESS_ASSIGN(source, reduced_last(context, *input, plan.axes));
      const std::size_t kept = input->rank() - plan.axes.size();
      block = Block{span_count(source.dims(), 0, kept), span_count(source.dims(), kept, source.rank()), 1};
    }
    PRESS_ASSIGN(Tensor * output, context.allocate_output(0, input->type(), plan.output));
    reduce_block(*block, source.data<T>().data(), output->mutable_data<T>().data(), context.threads(), op);
    return {};
  };
  if constexpr (std::is_same_v<Op, Largest> || std::is_same_v<Op, Smallest>) {
    if (input->type() == DataType::kBool) return body.template operator()<bool>();
  }
  return dispatch_numbers(context, input->type(), body);
}

/// The position of the winner along one axis; of equals the first one, or the last one where asked.
template <typename Better>
Status arg_reduce(KernelContext& context, const Better& better) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(const std::size_t axis,
               normalize_axis(context.node().int_attribute("axis", 0), input->rank()));
  const bool last = context.node().int_attribute("select_last_index", 0) != 0;
  const std::vector<std::size_t> axes{axis};
  const Dims dims = reduced_dims(input->dims(), axes, context.node().int_attribute("keepdims", 1) != 0);
  const Block block = *block_of(input->dims(), axes);
  if (block.count == 0) return reject("axis {} of {} is empty", axis, to_string(input->dims()));
  return dispatch_numbers(context, input->type(), [&]<typename T>() -> Status {
    PRESS_ASSIGN(Tensor * output, context.allocate_output(0, DataType::kInt64, dims));
    const T* from = input->data<T>().data();
    std::int64_t* to = output->mutable_data<std::int64_t>().data();
    const std::int64_t grain = std::max<std::int64_t>(1, kElementGrain / block.count);
    parallel_for(context.threads(), block.outer * block.inner, grain,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) {
                     const T* column = from + i / block.inner * block.count * block.inner + i % block.inner;
                     std::int64_t best = 0;
                     for (std::int64_t k = 1; k < block.count; ++k) {
                       const T candidate = column[k * block.inner], champion = column[best * block.inner];
                       if (better(candidate, champion) || (last && candidate == champion)) best = k;
                     }
                     to[i] = best;
                   }
                 });
    return {};
  });
}
}  // namespace

Status reduce_sum(KernelContext& context) {
  return reduce(context, Sum());
}
Status reduce_mean(KernelContext& context) {
  return reduce(context, Mean());
}
Status reduce_l1(KernelContext& context) {
  return reduce(context, SumOfMagnitudes());
}
Status reduce_l2(KernelContext& context) {
  return reduce(context, Norm());
}
Status reduce_sum_square(KernelContext& context) {
  return reduce(context, SumOfSquares());
}
Status reduce_log_sum(KernelContext& context) {
  return reduce(context, LogOfSum());
}
Status reduce_prod(KernelContext& context) {
  return reduce(context, Product());
}
Status reduce_max(KernelContext& context) {
  return reduce(context, Largest());
}
Status reduce_min(KernelContext& context) {
  return reduce(context, Smallest());
}

/// max + log(sum(e^(x - max))), which does not overflow.
Status reduce_log_sum_exp(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(const Plan plan, read_plan(context, *input));
  if (plan.nothing) {
    context.set_output(0, *input);
    return {};
  }
  return dispatch_numbers(context, input->type(), [&]<typename T>() -> Status {
    PRESS_ASSIGN(const Tensor moved, reduced_last(context, *input, plan.axes));
    PRESS_ASSIGN(Tensor * output, context.allocate_output(0, input->type(), plan.output));
    const std::size_t kept = input->rank() - plan.axes.size();
    const std::int64_t count = span_count(moved.dims(), kept, moved.rank());
    const T* from = moved.data<T>().data();
    std::span<T> to = output->mutable_data<T>();
    for (std::size_t i = 0; i < to.size(); ++i) {
      const T* row = from + static_cast<std::int64_t>(i) * count;
      double largest = -std::numeric_limits<double>::infinity();
      for (std::int64_t k = 0; k < count; ++k) largest = std::max(largest, static_cast<double>(row[k]));
      if (std::isinf(largest)) {
        to[i] = static_cast<T>(std::is_integral_v<T> ? 0.0 : largest);
        continue;
      }
      double sum = 0;
      for (std::int64_t k = 0; k < count; ++k) sum += std::exp(static_cast<double>(row[k]) - largest);
      to[i] = static_cast<T>(largest + std::log(sum));
    }
    return {};
  });
}

Status arg_max(KernelContext& context) {
  return arg_reduce(context, []<typename T>(T a, T b) { return a > b; });
}
Status arg_min(KernelContext& context) {
  return arg_reduce(context, []<typename T>(T a, T b) { return a < b; });
}

}  // namespace press::kernels
