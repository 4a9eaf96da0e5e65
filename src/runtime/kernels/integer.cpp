// Operators on integers with zero points: ConvInteger, MatMulInteger, QLinearConv, QLinearMatMul, QGemm.
// Exact, in plain loops.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "ops/shapes.h"
#include "runtime/kernels/arguments.h"
#include "runtime/kernels/contributed.h"
#include "runtime/kernels/kernels.h"
#include "runtime/parallel.h"

namespace press::kernels {

namespace {

using Integers = std::vector<std::int32_t>;

/// The elements of a uint8, int8 or int32 tensor.
Result<Integers> integers_of(const Tensor& tensor) {
  Integers values(static_cast<std::size_t>(tensor.size()));
  switch (tensor.type()) {
    case DataType::kUint8:
      std::ranges::copy(tensor.data<std::uint8_t>(), values.begin());
      return values;
    case DataType::kInt8:
      std::ranges::copy(tensor.data<std::int8_t>(), values.begin());
      return values;
    case DataType::kInt32:
      std::ranges::copy(tensor.data<std::int32_t>(), values.begin());
      return values;
    default:
      return Error(ErrorCode::kUnsupported, fmt::format("{} is no 8-bit integer type", name(tensor.type())));
  }
}

/// x - zero point. The zero point has one element, or one for each index along `axis`.
Result<Integers> centred(const Tensor& tensor, const Tensor* zero_point, std::size_t axis) {
  PRESS_ASSIGN(Integers values, integers_of(tensor));
  if (zero_point == nullptr) return values;
  PRESS_ASSIGN(const Integers zeros, integers_of(*zero_point));
  const std::int64_t extent = axis < tensor.rank() ? tensor.dims()[axis] : 1;
  if (zeros.size() != 1 && static_cast<std::int64_t>(zeros.size()) != extent) {
    return Error(ErrorCode::kInput, fmt::format("the zero point should have 1 or {} elements, but is {}",
                                                extent, to_string(zero_point->dims())));
  }
  const std::int64_t inner = axis < tensor.rank() ? product(tensor.dims(), axis + 1) : 1;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto position = static_cast<std::size_t>(static_cast<std::int64_t>(i) / inner % extent);
    const std::int32_t zero = zeros[zeros.size() == 1 ? 0 : position];
    values[i] =
        static_cast<std::int32_t>(static_cast<std::uint32_t>(values[i]) - static_cast<std::uint32_t>(zero));
  }
  return values;
}

/// Sums wrap around like the operators' 32-bit accumulators.
void add_product(std::uint32_t& sum, std::int32_t a, std::int32_t b) {
  sum += static_cast<std::uint32_t>(a) * static_cast<std::uint32_t>(b);
}

/// Accumulators of a convolution or matrix product.
Result<Tensor> zeros(const Dims& dims) {
  PRESS_ASSIGN(Tensor sums, Tensor::allocate(DataType::kUint32, dims));
  std::ranges::fill(sums.mutable_data<std::uint32_t>(), 0U);
  return sums;
}

Result<Tensor> convolve(const KernelContext& context, const Tensor& source, const Integers& x,
                        const Tensor& weights, const Integers& w) {
  const Dims& in = source.dims();
  const Dims& shape = weights.dims();
  const std::int64_t groups = context.node().int_attribute("group", 1);
  if (in.size() < 3 || in.size() > 5 || shape.size() != in.size() || groups < 1 || shape[0] % groups != 0 ||
      in[1] != shape[1] * groups) {
    return Error(ErrorCode::kInput, fmt::format("input {}, weight {} and {} groups do not fit together",
                                                to_string(in), to_string(shape), groups));
  }
  PRESS_ASSIGN(const Window window, read_window(context.node(), Dims(shape.begin() + 2, shape.end())));
  constexpr std::size_t kAxes = 3;
  std::array<std::int64_t, kAxes> extent{1, 1, 1};
  std::array<std::int64_t, kAxes> output{1, 1, 1};
  std::array<std::int64_t, kAxes> kernel{1, 1, 1};
  std::array<std::int64_t, kAxes> stride{1, 1, 1};
  std::array<std::int64_t, kAxes> dilation{1, 1, 1};
  std::array<std::int64_t, kAxes> pad{0, 0, 0};
  Dims dims = {in[0], shape[0]};
  for (std::size_t i = 0; i < window.rank(); ++i) {
    PRESS_ASSIGN(const WindowExtent made, window_extent(window, i, in[i + 2]));
    const std::size_t axis = i + kAxes - window.rank();
    extent[axis] = in[i + 2];
    output[axis] = made.output;
    kernel[axis] = window.kernel[i];
    stride[axis] = window.strides[i];
    dilation[axis] = window.dilations[i];
    pad[axis] = made.pad_begin;
    dims.push_back(made.output);
  }
  PRESS_ASSIGN(Tensor result, zeros(dims));
  const std::span<std::uint32_t> all = result.mutable_data<std::uint32_t>();
  const std::int64_t in_plane = extent[0] * extent[1] * extent[2];
  const std::int64_t out_plane = output[0] * output[1] * output[2];
  const std::int64_t taps = kernel[0] * kernel[1] * kernel[2];
  const std::int64_t filters = shape[0] / groups;
  const auto inside = [&](std::size_t axis, std::int64_t out, std::int64_t tap) {
    return out * stride[axis] - pad[axis] + tap * dilation[axis];
  };
  parallel_for(context.threads(), in[0] * shape[0], 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const std::int64_t filter = plane % shape[0];
      const std::int64_t first_channel = plane / shape[0] * in[1] + filter / filters * shape[1];
      std::uint32_t* sums = all.data() + plane * out_plane;
      for (std::int64_t channel = 0; channel < shape[1]; ++channel) {
        const std::int32_t* data = x.data() + (first_channel + channel) * in_plane;
        const std::int32_t* taps_of = w.data() + (filter * shape[1] + channel) * taps;
        for (std::int64_t tap = 0; tap < taps; ++tap) {
          const std::int64_t kz = tap / (kernel[1] * kernel[2]);
          const std::int64_t ky = tap / kernel[2] % kernel[1];
          const std::int64_t kx = tap % kernel[2];
          for (std::int64_t i = 0; i < out_plane; ++i) {
            const std::int64_t z = inside(0, i / (output[1] * output[2]), kz);
            const std::int64_t y = inside(1, i / output[2] % output[1], ky);
            const std::int64_t at = inside(2, i % output[2], kx);
            if (z < 0 || z >= extent[0] || y < 0 || y >= extent[1] || at < 0 || at >= extent[2]) continue;
            add_product(sums[i], data[(z * extent[1] + y) * extent[2] + at], taps_of[tap]);
          }
        }
      }
    }
  });
  return result;
}

/// Only matrices and stacks of equal or broadcast shape; vectors are refused.
Result<Tensor> multiply(const KernelContext& context, const Dims& da, const Integers& a, const Dims& db,
                        const Integers& b) {
  if (da.size() < 2 || db.size() < 2 || da.back() != db[db.size() - 2]) {
    return Error(ErrorCode::kInput,
                 fmt::format("matrices {} and {} cannot be multiplied", to_string(da), to_string(db)));
  }
  const Dims batch_a(da.begin(), da.end() - 2);
  const Dims batch_b(db.begin(), db.end() - 2);
  PRESS_ASSIGN(const Dims batch, broadcast_dims(batch_a, batch_b));
  const std::int64_t m = da[da.size() - 2];
  const std::int64_t k = da.back();
  const std::int64_t n = db.back();
  Dims dims = batch;
  dims.push_back(m);
  dims.push_back(n);
  PRESS_ASSIGN(Tensor result, zeros(dims));
  const std::span<std::uint32_t> all = result.mutable_data<std::uint32_t>();
  parallel_for(
      context.threads(), n > 0 ? result.size() / n : 0, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          const std::int32_t* from_a = a.data() + (batch_index(batch, batch_a, row / m) * m + row % m) * k;
          const std::int32_t* from_b = b.data() + batch_index(batch, batch_b, row / m) * k * n;
          for (std::int64_t l = 0; l < k; ++l) {
            for (std::int64_t j = 0; j < n; ++j)
              add_product(all[static_cast<std::size_t>(row * n + j)], from_a[l], from_b[l * n + j]);
          }
        }
      });
  return result;
}

Status write_integers(KernelContext& context, const Tensor& sums) {
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kInt32, sums.dims()));
  std::ranges::transform(sums.data<std::uint32_t>(), target->mutable_data<std::int32_t>().begin(),
                         [](std::uint32_t sum) { return static_cast<std::int32_t>(sum); });
  return {};
}

/// The scales of input `index`: float32, float16 or bfloat16, at least one.
Result<std::vector<float>> scales_at(const KernelContext& context, std::size_t index) {
  PRESS_ASSIGN(const Tensor* scale, required(context, index));
  std::vector<float> scales;
  if (scale->type() == DataType::kFloat) {
    scales.assign(scale->data<float>().begin(), scale->data<float>().end());
  } else if (scale->type() == DataType::kFloat16) {
    for (const Float16 value : scale->data<Float16>()) scales.push_back(to_float(value));
  } else if (scale->type() == DataType::kBFloat16) {
    for (const BFloat16 value : scale->data<BFloat16>()) scales.push_back(to_float(value));
  } else {
    return Error(ErrorCode::kInput,
                 fmt::format("the scale at input {} should be float32 or float16, but is {}", index,
                             name(scale->type())));
  }
  if (scales.empty()) return Error(ErrorCode::kInput, fmt::format("the scale at input {} is empty", index));
  return scales;
}

template <typename T>
void requantize_to(const Tensor& sums, const std::vector<float>& factors, std::int64_t inner,
                   std::int32_t zero, std::span<T> out) {
  const float low = static_cast<float>(std::numeric_limits<T>::lowest()) - static_cast<float>(zero);
  const float high = static_cast<float>(std::numeric_limits<T>::max()) - static_cast<float>(zero);
  const std::span<const std::uint32_t> from = sums.data<std::uint32_t>();
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto channel = static_cast<std::size_t>(static_cast<std::int64_t>(i) / inner) % factors.size();
    const float value = static_cast<float>(static_cast<std::int32_t>(from[i])) * factors[channel];
    out[i] = static_cast<T>(static_cast<std::int32_t>(std::nearbyint(std::clamp(value, low, high))) + zero);
  }
}

/// y = saturate(round(sum · a_scale · b_scale / y_scale) + y_zero_point); b_scale may differ along the output
/// channels, which are `inner` elements apart. The input `y` is y_scale, the one behind it y_zero_point.
Status requantize(KernelContext& context, const Tensor& sums, const std::vector<float>& a_scales,
                  const std::vector<float>& b_scales, std::int64_t channels, std::int64_t inner,
                  std::size_t y = 6) {
  PRESS_ASSIGN(const std::vector<float> y_scales, scales_at(context, y));
  PRESS_ASSIGN(const Tensor* y_zero, required(context, y + 1));
  if (y_zero->type() != DataType::kUint8 && y_zero->type() != DataType::kInt8) {
    return Error(ErrorCode::kInput, fmt::format("the output's zero point should be uint8 or int8, but is {}",
                                                name(y_zero->type())));
  }
  PRESS_ASSIGN(const Integers zeros, integers_of(*y_zero));
  if (a_scales.size() != 1 || y_scales.size() != 1 || zeros.size() != 1 ||
      (b_scales.size() != 1 && static_cast<std::int64_t>(b_scales.size()) != channels)) {
    return Error(ErrorCode::kUnsupported, "only weights may have a scale for each channel");
  }
  std::vector<float> factors;
  factors.reserve(b_scales.size());
  for (const float scale : b_scales) factors.push_back(a_scales[0] * scale / y_scales[0]);
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, y_zero->type(), sums.dims()));
  if (y_zero->type() == DataType::kUint8) {
    requantize_to(sums, factors, inner, zeros[0], target->mutable_data<std::uint8_t>());
  } else {
    requantize_to(sums, factors, inner, zeros[0], target->mutable_data<std::int8_t>());
  }
  return {};
}

/// Swaps rows and columns.
void transpose(Dims& dims, Integers& values) {
  Integers result(values.size());
  for (std::int64_t i = 0; i < dims[0]; ++i) {
    for (std::int64_t j = 0; j < dims[1]; ++j) {
      result[static_cast<std::size_t>(j * dims[0] + i)] = values[static_cast<std::size_t>(i * dims[1] + j)];
    }
  }
  std::swap(dims[0], dims[1]);
  values = std::move(result);
}

/// Adds C of QGemm, which broadcasts to the product.
Status add_addend(const KernelContext& context, Tensor& sums) {
  if (context.input(6) == nullptr) return {};
  PRESS_ASSIGN(const Tensor* addend, required(context, 6, DataType::kInt32));
  PRESS_ASSIGN(const Dims dims, broadcast_dims(sums.dims(), addend->dims()));
  if (dims != sums.dims()) {
    return Error(ErrorCode::kInput, fmt::format("input C is {}, which does not broadcast to {}",
                                                to_string(addend->dims()), to_string(sums.dims())));
  }
  const std::int64_t n = sums.dims()[1];
  const std::int64_t columns = addend->rank() > 0 ? addend->dims().back() : 1;
  const std::int64_t rows = addend->rank() > 1 ? addend->dims()[0] : 1;
  const std::span<std::uint32_t> all = sums.mutable_data<std::uint32_t>();
  for (std::int64_t i = 0; i < sums.size(); ++i) {
    const std::int64_t from = (rows > 1 ? i / n * columns : 0) + (columns > 1 ? i % n : 0);
    all[static_cast<std::size_t>(i)] +=
        static_cast<std::uint32_t>(addend->data<std::int32_t>()[static_cast<std::size_t>(from)]);
  }
  return {};
}

}  // namespace

Status conv_integer(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* x, required(context, 0));
  PRESS_ASSIGN(const Tensor* w, required(context, 1));
  PRESS_ASSIGN(const Integers source, centred(*x, context.input(2), SIZE_MAX));
  PRESS_ASSIGN(const Integers weights, centred(*w, context.input(3), 0));
  PRESS_ASSIGN(const Tensor sums, convolve(context, *x, source, *w, weights));
  return write_integers(context, sums);
}

Status mat_mul_integer(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* a, required(context, 0));
  PRESS_ASSIGN(const Tensor* b, required(context, 1));
  PRESS_ASSIGN(const Integers left, centred(*a, context.input(2), a->rank() >= 2 ? a->rank() - 2 : SIZE_MAX));
  PRESS_ASSIGN(const Integers right,
               centred(*b, context.input(3), b->rank() >= 2 ? b->rank() - 1 : SIZE_MAX));
  PRESS_ASSIGN(const Tensor sums, multiply(context, a->dims(), left, b->dims(), right));
  return write_integers(context, sums);
}

Status qlinear_conv(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* x, required(context, 0));
  PRESS_ASSIGN(const std::vector<float> x_scales, scales_at(context, 1));
  PRESS_ASSIGN(const Tensor* w, required(context, 3));
  PRESS_ASSIGN(const std::vector<float> w_scales, scales_at(context, 4));
  PRESS_ASSIGN(const Integers source, centred(*x, context.input(2), SIZE_MAX));
  PRESS_ASSIGN(const Integers weights, centred(*w, context.input(5), 0));
  PRESS_ASSIGN(Tensor sums, convolve(context, *x, source, *w, weights));
  const std::int64_t channels = sums.dims()[1];
  const std::int64_t inner = product(sums.dims(), 2);
  if (context.input(8) != nullptr) {
    PRESS_ASSIGN(const Tensor* bias, per_channel(context, 8, channels, DataType::kInt32));
    const std::span<std::uint32_t> all = sums.mutable_data<std::uint32_t>();
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::int64_t channel = static_cast<std::int64_t>(i) / inner % channels;
      all[i] += static_cast<std::uint32_t>(bias->data<std::int32_t>()[static_cast<std::size_t>(channel)]);
    }
  }
  return requantize(context, sums, x_scales, w_scales, channels, inner);
}

Status qlinear_mat_mul(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* a, required(context, 0));
  PRESS_ASSIGN(const std::vector<float> a_scales, scales_at(context, 1));
  PRESS_ASSIGN(const Tensor* b, required(context, 3));
  PRESS_ASSIGN(const std::vector<float> b_scales, scales_at(context, 4));
  PRESS_ASSIGN(const Integers left, centred(*a, context.input(2), SIZE_MAX));
  PRESS_ASSIGN(const Integers right,
               centred(*b, context.input(5), b->rank() >= 2 ? b->rank() - 1 : SIZE_MAX));
  PRESS_ASSIGN(const Tensor sums, multiply(context, a->dims(), left, b->dims(), right));
  return requantize(context, sums, a_scales, b_scales, sums.dims().back(), 1);
}

/// y = alpha · (op(A) · op(B) + C), where C has the scale of the product; float32 without a scale of the
/// result.
Status q_gemm(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* a, required(context, 0));
  PRESS_ASSIGN(std::vector<float> a_scales, scales_at(context, 1));
  PRESS_ASSIGN(const Tensor* b, required(context, 3));
  PRESS_ASSIGN(const std::vector<float> b_scales, scales_at(context, 4));
  if (a->rank() != 2 || b->rank() != 2) {
    return Error(ErrorCode::kInput, fmt::format("matrices {} and {} cannot be multiplied",
                                                to_string(a->dims()), to_string(b->dims())));
  }
  const bool transpose_b = context.node().int_attribute("transB", 0) != 0;
  PRESS_ASSIGN(Integers left, centred(*a, context.input(2), SIZE_MAX));
  PRESS_ASSIGN(Integers right, centred(*b, context.input(5), transpose_b ? 0 : 1));
  Dims dims_a = a->dims();
  Dims dims_b = b->dims();
  if (context.node().int_attribute("transA", 0) != 0) transpose(dims_a, left);
  if (transpose_b) transpose(dims_b, right);
  PRESS_ASSIGN(Tensor sums, multiply(context, dims_a, left, dims_b, right));
  PRESS_TRY(add_addend(context, sums));
  for (float& scale : a_scales) scale *= context.node().float_attribute("alpha", 1);
  if (context.input(7) != nullptr) return requantize(context, sums, a_scales, b_scales, dims_b[1], 1, 7);
  if (a_scales.size() != 1 || (b_scales.size() != 1 && std::ssize(b_scales) != dims_b[1])) {
    return Error(ErrorCode::kUnsupported, "only weights may have a scale for each channel");
  }
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, sums.dims()));
  const std::span<float> out = target->mutable_data<float>();
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<float>(static_cast<std::int32_t>(sums.data<std::uint32_t>()[i])) *
             (a_scales[0] * b_scales[i % b_scales.size()]);
  }
  return {};
}

}  // namespace press::kernels
