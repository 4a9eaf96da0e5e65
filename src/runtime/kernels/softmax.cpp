// Softmax, LogSoftmax and Hardmax. Before opset 13 all dims from `axis` on are one row; from 13 on a row runs
// along `axis` alone.
#include <algorithm>
#include <array>
#include <cmath>

#include "ops/shapes.h"
#include "runtime/kernels/arguments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/parallel.h"
#include "runtime/vector_math.h"

namespace press::kernels {

namespace {

constexpr std::int64_t kGrain = 1024;  // elements a thread

/// Rows of `width` elements, `inner` elements apart.
struct Rows {
  std::int64_t count = 0;
  std::int64_t width = 0;
  std::int64_t inner = 1;

  std::int64_t start(std::int64_t row) const { return row / inner * width * inner + row % inner; }
};

Result<Rows> rows_of(const KernelContext& context, const Dims& dims) {
  const bool flatten = context.opset() < 13;
  const std::int64_t axis_given = context.node().int_attribute("axis", flatten ? 1 : -1);
  Rows rows;
  if (flatten && axis_given == static_cast<std::int64_t>(dims.size())) {  // rows of one element
    rows.count = product(dims);
    rows.width = 1;
    return rows;
  }
  PRESS_ASSIGN(const std::size_t axis, normalize_axis(axis_given, dims.size()));
  rows.width = flatten ? product(dims, axis) : dims[axis];
  rows.inner = flatten ? 1 : product(dims, axis + 1);
  rows.count = product(dims, 0, axis) * rows.inner;
  return rows;
}

/// Calls `body(in, out, width, step)` for every row.
template <typename Body>
Status for_each_row(KernelContext& context, const Body& body) {
  PRESS_ASSIGN(const Tensor* source, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const Rows rows, rows_of(context, source->dims()));
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, source->dims()));
  if (target->size() == 0) return {};
  const float* in = source->data<float>().data();
  float* out = target->mutable_data<float>().data();
  const std::int64_t grain = std::max<std::int64_t>(kGrain / rows.width, 1);
  parallel_for(context.threads(), rows.count, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      body(in + rows.start(row), out + rows.start(row), rows.width, rows.inner);
    }
  });
  return {};
}

float largest(const float* in, std::int64_t width, std::int64_t step) {
  float result = in[0];
  for (std::int64_t i = 1; i < width; ++i) result = std::max(result, in[i * step]);
  return result;
}

/// A row whose elements are neighbours. Sums run side by side: fast, and closer to the exact sum than one
/// after the other.
struct SoftmaxLoop {
  PRESS_VECTOR_LOOP void run(const float* in, float* out, std::int64_t width) {
    constexpr std::int64_t kLanes = 16;
    const std::int64_t whole = width / kLanes * kLanes;
    std::array<float, kLanes> lanes;
    lanes.fill(in[0]);
    for (std::int64_t i = 0; i < whole; i += kLanes) {
      for (std::int64_t lane = 0; lane < kLanes; ++lane) {
        const float value = in[i + lane];
        float& best = lanes[static_cast<std::size_t>(lane)];
        best = value > best ? value : best;
      }
    }
    float top = in[0];
    for (const float lane : lanes) top = std::max(top, lane);
    for (std::int64_t i = whole; i < width; ++i) top = std::max(top, in[i]);
    for (std::int64_t i = 0; i < width; ++i) out[i] = exponential(in[i] - top);
    lanes.fill(0);
    for (std::int64_t i = 0; i < whole; i += kLanes) {
      for (std::int64_t lane = 0; lane < kLanes; ++lane)
        lanes[static_cast<std::size_t>(lane)] += out[i + lane];
    }
    double total = 0;
    for (const float lane : lanes) total += lane;
    for (std::int64_t i = whole; i < width; ++i) total += out[i];
    const auto factor = static_cast<float>(1.0 / total);
    for (std::int64_t i = 0; i < width; ++i) out[i] *= factor;
  }
};

}  // namespace

Status softmax(KernelContext& context) {
  return for_each_row(context, [](const float* in, float* out, std::int64_t width, std::int64_t step) {
    if (step == 1) return run_vectorized<SoftmaxLoop>(in, out, width);
    const float top = largest(in, width, step);
    double total = 0;
    for (std::int64_t i = 0; i < width; ++i) {
      out[i * step] = std::exp(in[i * step] - top);
      total += out[i * step];
    }
    const auto factor = static_cast<float>(1.0 / total);
    for (std::int64_t i = 0; i < width; ++i) out[i * step] *= factor;
  });
}

Status log_softmax(KernelContext& context) {
  return for_each_row(context, [](const float* in, float* out, std::int64_t width, std::int64_t step) {
    const float top = largest(in, width, step);
    double total = 0;
    for (std::int64_t i = 0; i < width; ++i) total += std::exp(in[i * step] - top);
    const auto shift = static_cast<float>(std::log(total));
    for (std::int64_t i = 0; i < width; ++i) out[i * step] = in[i * step] - top - shift;
  });
}

Status hardmax(KernelContext& context) {
  return for_each_row(context, [](const float* in, float* out, std::int64_t width, std::int64_t step) {
    std::int64_t best = 0;
    for (std::int64_t i = 0; i < width; ++i) {
      out[i * step] = 0;
      if (in[i * step] > in[best * step]) best = i;
    }
    out[best * step] = 1;
  });
}

}  // namespace press::kernels
