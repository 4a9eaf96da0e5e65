// Unique: the different elements, or slices along an axis, with where they are and how often.
#include <algorithm>
#include <numeric>

#include "ops/shapes.h"
#include "runtime/kernels/arguments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {

namespace {

/// A tensor as slices along an axis: element j of slice i. Without an axis each element is a slice.
struct Slices {
  std::int64_t count = 0, outer = 1, inner = 1;

  std::int64_t size() const { return outer * inner; }
  std::int64_t at(std::int64_t slice, std::int64_t j) const {
    return (j / inner * count + slice) * inner + j % inner;
  }
};

Status write_indices(KernelContext& context, std::size_t output, const std::vector<std::int64_t>& values) {
  if (!context.wants_output(output)) return {};
  PRESS_ASSIGN(Tensor * target,
               context.allocate_output(output, DataType::kInt64, {static_cast<std::int64_t>(values.size())}));
  std::ranges::copy(values, target->mutable_data<std::int64_t>().begin());
  return {};
}

}  // namespace

Status unique(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  const bool by_axis = context.node().has_attribute("axis");
  Slices slices{.count = input->size()};
  std::size_t axis = 0;
  if (by_axis) {
    PRESS_ASSIGN(axis, normalize_axis(context.node().int_attribute("axis", 0), input->rank()));
    slices = {input->dims()[axis], product(input->dims(), 0, axis), product(input->dims(), axis + 1)};
  }
  const auto body = [&]<typename T>() -> Status {
    const T* data = input->data<T>().data();
    const auto compare = [&](std::int64_t a, std::int64_t b) {
      for (std::int64_t j = 0; j < slices.size(); ++j) {
        const T x = data[slices.at(a, j)], y = data[slices.at(b, j)];
        if (x != y) return x < y ? -1 : 1;
      }
      return 0;
    };
    std::vector<std::int64_t> order(static_cast<std::size_t>(slices.count));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) { return compare(a, b) < 0; });
    // Groups of equal slices; each begins with the one that comes first in the input.
    std::vector<std::int64_t> first, counts, group(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i == 0 || compare(order[i - 1], order[i]) != 0) {
        first.push_back(order[i]);
        counts.push_back(0);
      }
      ++counts.back();
      group[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(first.size()) - 1;
    }
    // The groups in the order that is asked for.
    std::vector<std::int64_t> ranks(first.size());
    std::iota(ranks.begin(), ranks.end(), std::int64_t{0});
    if (context.node().int_attribute("sorted", 1) == 0) {
      std::ranges::sort(ranks, {}, [&](std::int64_t rank) { return first[static_cast<std::size_t>(rank)]; });
    }
    std::vector<std::int64_t> chosen, many, place(ranks.size()), inverse;
    for (const std::int64_t rank : ranks) {
      place[static_cast<std::size_t>(rank)] = static_cast<std::int64_t>(chosen.size());
      chosen.push_back(first[static_cast<std::size_t>(rank)]);
      many.push_back(counts[static_cast<std::size_t>(rank)]);
    }
    for (const std::int64_t rank : group) inverse.push_back(place[static_cast<std::size_t>(rank)]);
    Dims dims = by_axis ? input->dims() : Dims{0};
    dims[axis] = static_cast<std::int64_t>(chosen.size());
    PRESS_ASSIGN(Tensor * values, context.allocate_output(0, input->type(), dims));
    const Slices made{dims[axis], slices.outer, slices.inner};
    T* out = values->mutable_data<T>().data();
    for (std::int64_t i = 0; i < made.count; ++i) {
      for (std::int64_t j = 0; j < made.size(); ++j)
        out[made.at(i, j)] = data[slices.at(chosen[static_cast<std::size_t>(i)], j)];
    }
    PRESS_TRY(write_indices(context, 1, chosen));
    PRESS_TRY(write_indices(context, 2, inverse));
    return write_indices(context, 3, many);
  };
  if (input->type() == DataType::kBool) return body.template operator()<bool>();
  return dispatch_numbers(context, input->type(), body);
}

}  // namespace press::kernels
