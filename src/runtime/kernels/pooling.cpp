// MaxPool, AveragePool, LpPool and their global forms, over 1 to 3 spatial dims.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "ops/shapes.h"
#include "press/support/vector_loops.h"
#include "runtime/kernels/arguments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/layout.h"
#include "runtime/parallel.h"

namespace press::kernels {

namespace {

constexpr std::size_t kAxes = 3;     // fewer spatial dims are seen as 3 with leading ones
constexpr std::int64_t kGrain = 16;  // planes a thread

/// A pooling of one shape.
struct Pooling {
  std::int64_t planes = 0;  // batch times channels
  std::array<std::int64_t, kAxes> input{1, 1, 1};
  std::array<std::int64_t, kAxes> output{1, 1, 1};
  std::array<std::int64_t, kAxes> kernel{1, 1, 1};
  std::array<std::int64_t, kAxes> stride{1, 1, 1};
  std::array<std::int64_t, kAxes> dilation{1, 1, 1};
  std::array<std::int64_t, kAxes> pad_begin{0, 0, 0};
  std::array<std::int64_t, kAxes> pad_end{0, 0, 0};
  Dims target;  // dims of the result

  std::int64_t input_plane() const { return input[0] * input[1] * input[2]; }
  std::int64_t output_plane() const { return output[0] * output[1] * output[2]; }
};

Status check_rank(const Dims& dims) {
  if (dims.size() >= 3 && dims.size() <= 2 + kAxes) return {};
  return Error(dims.size() < 3 ? ErrorCode::kInput : ErrorCode::kUnsupported,
               fmt::format("the input should have a batch, a channel and 1 to 3 spatial dims, but is {}",
                           to_string(dims)));
}

/// `dims` are N, C, spatial.
Result<Pooling> describe(const Node& node, const Dims& dims) {
  PRESS_TRY(check_rank(dims));
  PRESS_ASSIGN(const Window window, read_window(node, std::nullopt));
  if (window.rank() + 2 != dims.size()) {
    return Error(ErrorCode::kInput, fmt::format("kernel_shape has {} entries, but the input is {}",
                                                window.rank(), to_string(dims)));
  }
  Pooling pooling;
  pooling.planes = dims[0] * dims[1];
  pooling.target = {dims[0], dims[1]};
  const std::size_t offset = kAxes - window.rank();
  for (std::size_t i = 0; i < window.rank(); ++i) {
    PRESS_ASSIGN(const WindowExtent extent, window_extent(window, i, dims[i + 2]));
    pooling.input[i + offset] = dims[i + 2];
    pooling.output[i + offset] = extent.output;
    pooling.kernel[i + offset] = window.kernel[i];
    pooling.stride[i + offset] = window.strides[i];
    pooling.dilation[i + offset] = window.dilations[i];
    pooling.pad_begin[i + offset] = extent.pad_begin;
    pooling.pad_end[i + offset] = extent.pad_end;
    pooling.target.push_back(extent.output);
  }
  return pooling;
}

/// What one window sees along one axis: `count` input elements from `first` on, `step` apart, and how many of
/// its positions lie inside the padded input.
struct Reach {
  std::int64_t first = 0;
  std::int64_t count = 0;
  std::int64_t padded_count = 0;
};

Reach reach(const Pooling& pooling, std::size_t axis, std::int64_t position) {
  const std::int64_t step = pooling.dilation[axis];
  const std::int64_t start = position * pooling.stride[axis] - pooling.pad_begin[axis];
  const std::int64_t skipped = start < 0 ? (-start + step - 1) / step : 0;
  const auto positions_below = [&](std::int64_t end) {
    return std::clamp<std::int64_t>((end - start + step - 1) / step, 0, pooling.kernel[axis]);
  };
  Reach result;
  result.first = start + skipped * step;
  result.count = std::max<std::int64_t>(positions_below(pooling.input[axis]) - skipped, 0);
  result.padded_count = positions_below(pooling.input[axis] + pooling.pad_end[axis]);
  return result;
}

/// Calls `window(plane, output index, reaches)` for every window.
template <typename Body>
void for_each_window(int threads, const Pooling& pooling, const Body& window) {
  std::array<std::vector<Reach>, kAxes> reaches;
  for (std::size_t axis = 0; axis < kAxes; ++axis) {
    for (std::int64_t i = 0; i < pooling.output[axis]; ++i) reaches[axis].push_back(reach(pooling, axis, i));
  }
  parallel_for(threads, pooling.planes, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      std::int64_t out = plane * pooling.output_plane();
      for (const Reach& z : reaches[0]) {
        for (const Reach& y : reaches[1]) {
          for (const Reach& x : reaches[2]) window(plane, out++, z, y, x);
        }
      }
    }
  });
}

/// Calls `body(offset in the plane)` for every input element that a window sees.
template <typename Body>
void for_each_element(const Pooling& pooling, const Reach& z, const Reach& y, const Reach& x,
                      const Body& body) {
  for (std::int64_t k = 0; k < z.count; ++k) {
    for (std::int64_t j = 0; j < y.count; ++j) {
      const std::int64_t row =
          ((z.first + k * pooling.dilation[0]) * pooling.input[1] + y.first + j * pooling.dilation[1]) *
              pooling.input[2] +
          x.first;
      for (std::int64_t i = 0; i < x.count; ++i) body(row + i * pooling.dilation[2]);
    }
  }
}

/// The divisor of an average.
std::int64_t window_count(bool include_pad, const Reach& z, const Reach& y, const Reach& x) {
  return include_pad ? z.padded_count * y.padded_count * x.padded_count : z.count * y.count * x.count;
}

template <typename T>
Status max_pool_of(KernelContext& context, const Tensor& source, const Pooling& pooling) {
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, source.type(), pooling.target));
  std::int64_t* indices = nullptr;
  if (context.wants_output(1)) {
    PRESS_ASSIGN(Tensor * positions, context.allocate_output(1, DataType::kInt64, pooling.target));
    indices = positions->mutable_data<std::int64_t>().data();
  }
  const bool column_major = context.node().int_attribute("storage_order", 0) != 0;
  const T* in = source.data<T>().data();
  T* out = target->mutable_data<T>().data();
  for_each_window(
      context.threads(), pooling,
      [&](std::int64_t plane, std::int64_t index, const Reach& z, const Reach& y, const Reach& x) {
        const T* data = in + plane * pooling.input_plane();
        T best = std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                      : std::numeric_limits<T>::lowest();
        std::int64_t where = 0;
        for_each_element(pooling, z, y, x, [&](std::int64_t offset) {
          if (data[offset] > best) {
            best = data[offset];
            where = offset;
          }
        });
        out[index] = best;
        if (indices == nullptr) return;
        if (column_major) {  // the last axis varies slowest
          const std::int64_t column = where % pooling.input[2];
          const std::int64_t row = where / pooling.input[2] % pooling.input[1];
          const std::int64_t slice = where / (pooling.input[1] * pooling.input[2]);
          where = (column * pooling.input[1] + row) * pooling.input[0] + slice;
        }
        indices[index] = plane * pooling.input_plane() + where;
      });
  return {};
}

/// Sums side by side, then together: fast, and closer to the exact sum than one after the other.
float sum(const float* values, std::int64_t count) {
  std::array<float, 16> lanes{};
  std::int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (std::size_t lane = 0; lane < lanes.size(); ++lane)
      lanes[lane] += values[i + static_cast<std::int64_t>(lane)];
  }
  float total = 0;
  for (; i < count; ++i) total += values[i];
  for (const float lane : lanes) total += lane;
  return total;
}

/// The shape of global pooling: everything behind N and C becomes 1.
struct GlobalPooling {
  std::int64_t planes = 0;
  std::int64_t plane = 0;
  Dims target;
};

Result<GlobalPooling> describe_global(const Dims& dims) {
  if (dims.size() < 2) {
    return Error(ErrorCode::kInput,
                 fmt::format("the input should have a batch and a channel dim, but is {}", to_string(dims)));
  }
  GlobalPooling pooling;
  pooling.target.assign(dims.size(), 1);
  pooling.target[0] = dims[0];
  pooling.target[1] = dims[1];
  pooling.planes = product(dims, 0, 2);
  pooling.plane = product(dims, 2);
  if (pooling.plane == 0) return Error(ErrorCode::kInput, "the input has an empty spatial dim");
  return pooling;
}

template <typename Body>
Status pool_globally(KernelContext& context, const Body& reduce) {
  PRESS_ASSIGN(const Tensor* source, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const GlobalPooling pooling, describe_global(source->dims()));
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, pooling.target));
  const float* in = source->data<float>().data();
  float* out = target->mutable_data<float>().data();
  parallel_for(context.threads(), pooling.planes, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) out[i] = reduce(in + i * pooling.plane, pooling.plane);
  });
  return {};
}

Result<std::int64_t> norm_order(const Node& node) {
  const std::int64_t p = node.int_attribute("p", 2);
  if (p < 1) return Error(ErrorCode::kInput, fmt::format("attribute p should be at least 1, but is {}", p));
  return p;
}

double power(double value, std::int64_t p) {
  return p == 1 ? value : p == 2 ? value * value : std::pow(value, p);
}
double root(double value, std::int64_t p) {
  return p == 1 ? value : p == 2 ? std::sqrt(value) : std::pow(value, 1.0 / static_cast<double>(p));
}

// -- channels last
// -----------------------------------------------------------------------------------------------

/// Calls `window(input of the sample, output element, reaches)` for every window of every sample; inputs and
/// outputs are rows of `channels` elements.
template <typename Body>
void for_each_row_window(int threads, const Pooling& pooling, std::int64_t samples, const Body& window) {
  const std::int64_t rows = pooling.output[0] * pooling.output[1];
  parallel_for(threads, samples * rows, 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Reach z = reach(pooling, 0, i % rows / pooling.output[1]);
      const Reach y = reach(pooling, 1, i % pooling.output[1]);
      for (std::int64_t j = 0; j < pooling.output[2]; ++j) {
        window(i / rows * pooling.input_plane(), i * pooling.output[2] + j, z, y, reach(pooling, 2, j));
      }
    }
  });
}

/// Dims of an input with channels last, as N, C, spatial.
Result<Dims> plain_dims(const Tensor& source) {
  if (source.rank() < 3) return check_rank(source.dims()).error();
  return from_channels_last(source.dims());
}

/// best[c] = max(best[c], row[c])
template <typename T>
struct LargerRow {
  PRESS_VECTOR_LOOP void run(const T* row, T* best, std::int64_t count) {
    for (std::int64_t c = 0; c < count; ++c) best[c] = row[c] > best[c] ? row[c] : best[c];
  }
};

template <typename T>
Status max_pool_rows(KernelContext& context, const Tensor& source) {
  PRESS_ASSIGN(const Dims dims, plain_dims(source));
  PRESS_ASSIGN(const Pooling pooling, describe(context.node(), dims));
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, source.type(), to_channels_last(pooling.target)));
  const std::int64_t channels = dims[1];
  const T* in = source.data<T>().data();
  T* out = target->mutable_data<T>().data();
  for_each_row_window(
      context.threads(), pooling, dims[0],
      [&](std::int64_t sample, std::int64_t index, const Reach& z, const Reach& y, const Reach& x) {
        T* best = out + index * channels;
        std::fill_n(best, channels,
                    std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                         : std::numeric_limits<T>::lowest());
        for_each_element(pooling, z, y, x, [&](std::int64_t offset) {
          const T* row = in + (sample + offset) * channels;
          run_vectorized<LargerRow<T>>(row, best, channels);
        });
      });
  return {};
}

Status average_pool_rows(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* source, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const Dims dims, plain_dims(*source));
  PRESS_ASSIGN(const Pooling pooling, describe(context.node(), dims));
  PRESS_ASSIGN(Tensor * target,
               context.allocate_output(0, DataType::kFloat, to_channels_last(pooling.target)));
  const bool include_pad = context.node().int_attribute("count_include_pad", 0) != 0;
  const std::int64_t channels = dims[1];
  const float* in = source->data<float>().data();
  float* out = target->mutable_data<float>().data();
  for_each_row_window(
      context.threads(), pooling, dims[0],
      [&](std::int64_t sample, std::int64_t index, const Reach& z, const Reach& y, const Reach& x) {
        float* total = out + index * channels;
        std::fill_n(total, channels, 0.0F);
        for_each_element(pooling, z, y, x, [&](std::int64_t offset) {
          const float* row = in + (sample + offset) * channels;
          for (std::int64_t c = 0; c < channels; ++c) total[c] += row[c];
        });
        const std::int64_t count = window_count(include_pad, z, y, x);
        if (count == 0) return;
        const auto divisor = static_cast<float>(count);
        for (std::int64_t c = 0; c < channels; ++c) total[c] /= divisor;
      });
  return {};
}

Status global_average_pool_rows(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* source, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const Dims dims, plain_dims(*source));
  PRESS_ASSIGN(const GlobalPooling pooling, describe_global(dims));
  PRESS_ASSIGN(Tensor * target,
               context.allocate_output(0, DataType::kFloat, to_channels_last(pooling.target)));
  const std::int64_t channels = dims[1];
  const float* in = source->data<float>().data();
  float* out = target->mutable_data<float>().data();
  parallel_for(context.threads(), dims[0], 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> total(static_cast<std::size_t>(channels));
    for (std::int64_t sample = begin; sample < end; ++sample) {
      std::ranges::fill(total, 0.0);
      for (std::int64_t i = 0; i < pooling.plane; ++i) {
        const float* row = in + (sample * pooling.plane + i) * channels;
        for (std::int64_t c = 0; c < channels; ++c) total[static_cast<std::size_t>(c)] += row[c];
      }
      for (std::int64_t c = 0; c < channels; ++c) {
        out[sample * channels + c] =
            static_cast<float>(total[static_cast<std::size_t>(c)] / static_cast<double>(pooling.plane));
      }
    }
  });
  return {};
}

// -- channels second
// ---------------------------------------------------------------------------------------------

Status average_pool_planes(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* source, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const Pooling pooling, describe(context.node(), source->dims()));
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, pooling.target));
  const bool include_pad = context.node().int_attribute("count_include_pad", 0) != 0;
  const float* in = source->data<float>().data();
  float* out = target->mutable_data<float>().data();
  for_each_window(
      context.threads(), pooling,
      [&](std::int64_t plane, std::int64_t index, const Reach& z, const Reach& y, const Reach& x) {
        const float* data = in + plane * pooling.input_plane();
        float total = 0;
        for_each_element(pooling, z, y, x, [&](std::int64_t offset) { total += data[offset]; });
        const std::int64_t count = window_count(include_pad, z, y, x);
        out[index] = count > 0 ? total / static_cast<float>(count) : 0.0F;
      });
  return {};
}

Status global_average_pool_planes(KernelContext& context) {
  return pool_globally(context, [](const float* values, std::int64_t count) {
    return sum(values, count) / static_cast<float>(count);
  });
}

/// A pooling in float32 with a function for each layout.
class FloatPooling final : public Float32Kernel {
 public:
  FloatPooling(KernelFunction planes, KernelFunction rows) : planes_(planes), rows_(rows) {}
  ChannelsLast channels_last() const override { return ChannelsLast::kAccepts; }
  void use_channels_last() override { last_ = true; }

 protected:
  Status run_float32(KernelContext& context) override { return last_ ? rows_(context) : planes_(context); }

 private:
  KernelFunction planes_;
  KernelFunction rows_;
  bool last_ = false;
};

/// The types that are not widened to float32.
template <typename Body>
Status max_pool_by_type(const Tensor& source, const Body& body) {
  switch (source.type()) {
    case DataType::kFloat:
      return body.template operator()<float>();
    case DataType::kInt8:
      return body.template operator()<std::int8_t>();
    case DataType::kUint8:
      return body.template operator()<std::uint8_t>();
    default:
      return Error(ErrorCode::kUnsupported, fmt::format("{} cannot be pooled", name(source.type())));
  }
}

Status max_pool_planes(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* source, required(context, 0));
  PRESS_ASSIGN(const Pooling pooling, describe(context.node(), source->dims()));
  return max_pool_by_type(*source, [&]<typename T>() { return max_pool_of<T>(context, *source, pooling); });
}

Status max_pool_last(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* source, required(context, 0));
  return max_pool_by_type(*source, [&]<typename T>() { return max_pool_rows<T>(context, *source); });
}

}  // namespace

Result<std::unique_ptr<Kernel>> max_pool(const Node& /*node*/) {
  return std::unique_ptr<Kernel>(std::make_unique<FloatPooling>(max_pool_planes, max_pool_last));
}

Result<std::unique_ptr<Kernel>> average_pool(const Node& /*node*/) {
  return std::unique_ptr<Kernel>(std::make_unique<FloatPooling>(average_pool_planes, average_pool_rows));
}

Result<std::unique_ptr<Kernel>> global_average_pool(const Node& /*node*/) {
  return std::unique_ptr<Kernel>(
      std::make_unique<FloatPooling>(global_average_pool_planes, global_average_pool_rows));
}

Status lp_pool(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* source, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const Pooling pooling, describe(context.node(), source->dims()));
  PRESS_ASSIGN(const std::int64_t p, norm_order(context.node()));
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, pooling.target));
  const float* in = source->data<float>().data();
  float* out = target->mutable_data<float>().data();
  for_each_window(
      context.threads(), pooling,
      [&](std::int64_t plane, std::int64_t index, const Reach& z, const Reach& y, const Reach& x) {
        const float* data = in + plane * pooling.input_plane();
        double total = 0;
        for_each_element(pooling, z, y, x, [&](std::int64_t offset) {
          total += power(std::abs(static_cast<double>(data[offset])), p);
        });
        out[index] = static_cast<float>(root(total, p));
      });
  return {};
}

Status global_max_pool(KernelContext& context) {
  return pool_globally(context, [](const float* values, std::int64_t count) {
    return *std::max_element(values, values + count);
  });
}

Status global_lp_pool(KernelContext& context) {
  PRESS_ASSIGN(const std::int64_t p, norm_order(context.node()));
  return pool_globally(context, [p](const float* values, std::int64_t count) {
    double total = 0;
    for (std::int64_t i = 0; i < count; ++i) total += power(std::abs(static_cast<double>(values[i])), p);
    return static_cast<float>(root(total, p));
  });
}

}  // namespace press::kernels
