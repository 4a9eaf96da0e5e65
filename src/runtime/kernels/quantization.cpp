// QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear: q = saturate(round(x / scale) + zero point),
// rounding half to even; x = (q - zero point) · scale. Per tensor, per axis and in blocks; types of 4 to 32
// bits.
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "ops/shapes.h"
#include "runtime/kernels/arguments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/narrow.h"
#include "runtime/parallel.h"
#include "runtime/vector_math.h"

namespace press::kernels {

namespace {

constexpr std::int64_t kGrain = 1 << 14;  // elements a thread

/// The tensor as outer x axis x inner, and where the scale of (outer, position, inner) stands.
struct Grid {
  std::int64_t outer = 1;
  std::int64_t extent = 1;
  std::int64_t inner = 1;
  std::int64_t block = 0;  // elements along the axis that share a scale; 0: all (per tensor), 1: per axis
  bool blocked = false;    // scales differ along outer and inner, too

  std::int64_t blocks() const { return block == 0 ? 1 : extent / block + (extent % block != 0 ? 1 : 0); }
  std::int64_t scale_index(std::int64_t row, std::int64_t position, std::int64_t column) const {
    if (block == 0) return 0;
    if (!blocked) return position;
    return (row * blocks() + position / block) * inner + column;
  }
};

Result<Grid> grid_of(const KernelContext& context, const Dims& dims, const Tensor& scale,
                     const Tensor* zero_point) {
  if (zero_point != nullptr && zero_point->size() != scale.size()) {
    return Error(ErrorCode::kInput, fmt::format("scale {} and zero point {} should have the same shape",
                                                to_string(scale.dims()), to_string(zero_point->dims())));
  }
  Grid grid;
  if (scale.rank() == 0 || (scale.rank() == 1 && scale.size() == 1)) {
    grid.inner = product(dims);
    return grid;
  }
  PRESS_ASSIGN(const std::size_t axis, normalize_axis(context.node().int_attribute("axis", 1), dims.size()));
  grid.outer = product(dims, 0, axis);
  grid.extent = dims[axis];
  grid.inner = product(dims, axis + 1);
  const std::int64_t block = context.node().int_attribute("block_size", 0);
  Dims expected = {dims[axis]};
  if (block > 0) {
    grid.block = block;
    grid.blocked = true;
    expected = dims;
    expected[axis] = grid.blocks();
  } else {
    grid.block = 1;
  }
  if (scale.dims() != expected) {
    return Error(ErrorCode::kInput,
                 fmt::format("the scale should be {} for an input of {}, but is {}", to_string(expected),
                             to_string(dims), to_string(scale.dims())));
  }
  return grid;
}

/// Calls `body(first element, count, scale index)` for runs of elements with one scale.
template <typename Body>
void for_each_run(int threads, const Grid& grid, const Body& body) {
  if (grid.blocked) {
    std::int64_t element = 0;
    for (std::int64_t row = 0; row < grid.outer; ++row) {
      for (std::int64_t position = 0; position < grid.extent; ++position) {
        for (std::int64_t column = 0; column < grid.inner; ++column) {
          body(element++, std::int64_t{1}, grid.scale_index(row, position, column));
        }
      }
    }
    return;
  }
  if (grid.block == 0) {
    parallel_for(threads, grid.inner, kGrain,
                 [&](std::int64_t begin, std::int64_t end) { body(begin, end - begin, std::int64_t{0}); });
    return;
  }
  const std::int64_t rows = grid.outer * grid.extent;
  parallel_for(threads, rows, std::max<std::int64_t>(kGrain / std::max<std::int64_t>(grid.inner, 1), 1),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t row = begin; row < end; ++row) {
                   body(row * grid.inner, grid.inner, row % grid.extent);
                 }
               });
}

/// Elements as 32-bit integers, whatever their type.
Result<std::vector<std::int32_t>> widened(const Tensor& tensor) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(tensor.size()));
  const auto copy = [&]<typename T>(T /*tag*/) { std::ranges::copy(tensor.data<T>(), values.begin()); };
  switch (tensor.type()) {
    case DataType::kUint8:
      copy(std::uint8_t{});
      break;
    case DataType::kInt8:
      copy(std::int8_t{});
      break;
    case DataType::kUint16:
      copy(std::uint16_t{});
      break;
    case DataType::kInt16:
      copy(std::int16_t{});
      break;
    case DataType::kInt32:
      copy(std::int32_t{});
      break;
    case DataType::kUint4:
    case DataType::kInt4:
    case DataType::kUint2:
    case DataType::kInt2:
      std::ranges::transform(unpacked(tensor), values.begin(), [&](std::uint8_t code) {
        return static_cast<std::int32_t>(decode(tensor.type(), code));
      });
      break;
    default:
      return Error(ErrorCode::kUnsupported,
                   fmt::format("{} cannot hold quantized values here", name(tensor.type())));
  }
  return values;
}

Result<std::vector<float>> floats_of(const Tensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.size()));
  switch (tensor.type()) {
    case DataType::kFloat:
      std::ranges::copy(tensor.data<float>(), values.begin());
      break;
    case DataType::kFloat16:
      std::ranges::transform(tensor.data<Float16>(), values.begin(), [](Float16 v) { return to_float(v); });
      break;
    case DataType::kBFloat16:
      std::ranges::transform(tensor.data<BFloat16>(), values.begin(), [](BFloat16 v) { return to_float(v); });
      break;
    case DataType::kInt32:
      std::ranges::transform(tensor.data<std::int32_t>(), values.begin(),
                             [](std::int32_t v) { return static_cast<float>(v); });
      break;
    default:
      return Error(ErrorCode::kUnsupported, fmt::format("{} cannot be quantized here", name(tensor.type())));
  }
  return values;
}

struct IntegerRange {
  std::int32_t low = 0;
  std::int32_t high = 0;
};

Result<IntegerRange> range_of(DataType type) {
  switch (type) {
    case DataType::kUint8:
      return IntegerRange{0, 255};
    case DataType::kInt8:
      return IntegerRange{-128, 127};
    case DataType::kUint16:
      return IntegerRange{0, 65535};
    case DataType::kInt16:
      return IntegerRange{-32768, 32767};
    case DataType::kUint4:
      return IntegerRange{0, 15};
    case DataType::kInt4:
      return IntegerRange{-8, 7};
    case DataType::kUint2:
      return IntegerRange{0, 3};
    case DataType::kInt2:
      return IntegerRange{-2, 1};
    default:
      return Error(ErrorCode::kUnsupported, fmt::format("quantizing to {} cannot be executed", name(type)));
  }
}

/// One element. Saturates before it rounds, which gives the same since the ends are integers; NaN becomes the
/// low end.
PRESS_VECTOR_INLINE std::int32_t quantized(float value, float scale, std::int32_t zero_point,
                                           IntegerRange range) {
  const auto low = static_cast<float>(std::int64_t{range.low} - zero_point);
  const auto high = static_cast<float>(std::int64_t{range.high} - zero_point);
  const float ratio = value / scale;
  const float above = ratio > low ? ratio : low;
  const auto steps = static_cast<std::int32_t>(round_small(above < high ? above : high));
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(steps) +
                                   static_cast<std::uint32_t>(zero_point));
}

template <typename T>
struct QuantizeLoop {
  PRESS_VECTOR_LOOP void run(const float* in, std::int64_t count, float scale, std::int32_t zero,
                             IntegerRange range, T* out) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<T>(quantized(in[i], scale, zero, range));
  }
};

template <typename T>
struct DequantizeLoop {
  PRESS_VECTOR_LOOP void run(const T* in, std::int64_t count, float scale, [[maybe_unused]] std::int32_t zero,
                             float* out) {
    for (std::int64_t i = 0; i < count; ++i) {
      // In 64 bits: int32 values minus a zero point may not fit.
      if constexpr (std::is_floating_point_v<T>) {
        out[i] = in[i] * scale;
      } else if constexpr (sizeof(T) < 4) {
        out[i] = static_cast<float>(static_cast<std::int32_t>(in[i]) - zero) * scale;
      } else {
        out[i] = static_cast<float>(static_cast<std::int64_t>(in[i]) - zero) * scale;
      }
    }
  }
};

struct QuantizeAndBackLoop {
  PRESS_VECTOR_LOOP void run(const float* in, std::int64_t count, float scale, std::int32_t zero,
                             IntegerRange range, float* out) {
    for (std::int64_t i = 0; i < count; ++i) {
      out[i] = static_cast<float>(quantized(in[i], scale, zero, range) - zero) * scale;
    }
  }
};

template <typename T>
void quantize_runs(int threads, const Grid& grid, const float* in, const std::vector<float>& scales,
                   const std::vector<std::int32_t>& zero_points, IntegerRange range, T* out) {
  for_each_run(threads, grid, [&](std::int64_t first, std::int64_t count, std::int64_t which) {
    const float scale = scales[static_cast<std::size_t>(which)];
    const std::int32_t zero = zero_points.empty() ? 0 : zero_points[static_cast<std::size_t>(which)];
    run_vectorized<QuantizeLoop<T>>(in + first, count, scale, zero, range, out + first);
  });
}

template <typename T>
void dequantize_runs(int threads, const Grid& grid, const T* in, const std::vector<float>& scales,
                     const std::vector<std::int32_t>& zero_points, float* out) {
  for_each_run(threads, grid, [&](std::int64_t first, std::int64_t count, std::int64_t which) {
    const float scale = scales[static_cast<std::size_t>(which)];
    const std::int32_t zero = zero_points.empty() ? 0 : zero_points[static_cast<std::size_t>(which)];
    run_vectorized<DequantizeLoop<T>>(in + first, count, scale, zero, out + first);
  });
}

/// Scale and zero point of a node: inputs 1 and 2.
struct Parameters {
  Grid grid;
  std::vector<float> scales;
  std::vector<std::int32_t> zero_points;  // empty: all 0
};

Result<Parameters> parameters_of(const KernelContext& context, const Dims& dims) {
  PRESS_ASSIGN(const Tensor* scale, required(context, 1));
  const Tensor* zero_point = context.input(2);
  Parameters parameters;
  PRESS_ASSIGN(parameters.grid, grid_of(context, dims, *scale, zero_point));
  PRESS_ASSIGN(parameters.scales, floats_of(*scale));
  if (zero_point != nullptr && !is_small_float(zero_point->type())) {  // a small float's is always 0
    PRESS_ASSIGN(parameters.zero_points, widened(*zero_point));
  }
  return parameters;
}

/// The element type that QuantizeLinear makes.
DataType quantized_type(const KernelContext& context) {
  if (const Tensor* zero_point = context.input(2); zero_point != nullptr) return zero_point->type();
  const auto asked = static_cast<DataType>(context.node().int_attribute("output_dtype", 0));
  return asked != DataType::kUndefined ? asked : DataType::kUint8;
}

/// To a float8 or float4 type: q = cast(x / scale); the zero point, always 0, only names the type.
Status quantize_to_small_float(KernelContext& context, const Tensor& source, const Grid& grid,
                               DataType type) {
  PRESS_ASSIGN(const std::vector<float> in, floats_of(source));
  PRESS_ASSIGN(const std::vector<float> scales, floats_of(*context.input(1)));
  const SmallFloatRounding how{.saturate = context.node().int_attribute("saturate", 1) != 0};
  std::vector<std::uint8_t> codes(in.size());
  for_each_run(context.threads(), grid, [&](std::int64_t first, std::int64_t count, std::int64_t which) {
    for (std::int64_t i = first; i < first + count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      // Adding the zero point, 0, makes -0 a plain 0.
      codes[at] = encode(type, in[at] / scales[static_cast<std::size_t>(which)] + 0.0F, how);
    }
  });
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, type, source.dims()));
  pack(codes, *target);
  return {};
}

Status quantize(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* source, required(context, 0));
  const DataType type = quantized_type(context);
  if (is_small_float(type)) {
    PRESS_ASSIGN(const Tensor* scale, required(context, 1));
    PRESS_ASSIGN(const Grid grid, grid_of(context, source->dims(), *scale, context.input(2)));
    return quantize_to_small_float(context, *source, grid, type);
  }
  PRESS_ASSIGN(const Parameters parameters, parameters_of(context, source->dims()));
  PRESS_ASSIGN(const IntegerRange range, range_of(type));
  std::vector<float> converted;
  if (source->type() != DataType::kFloat) {
    PRESS_ASSIGN(converted, floats_of(*source));
  }
  const float* in = source->type() == DataType::kFloat ? source->data<float>().data() : converted.data();
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, type, source->dims()));
  const auto run = [&]<typename T>(T* out) {
    quantize_runs(context.threads(), parameters.grid, in, parameters.scales, parameters.zero_points, range,
                  out);
  };
  switch (type) {
    case DataType::kUint8:
      run(target->mutable_data<std::uint8_t>().data());
      break;
    case DataType::kInt8:
      run(target->mutable_data<std::int8_t>().data());
      break;
    case DataType::kUint16:
      run(target->mutable_data<std::uint16_t>().data());
      break;
    case DataType::kInt16:
      run(target->mutable_data<std::int16_t>().data());
      break;
    default: {  // several to a byte
      std::vector<std::uint8_t> codes(static_cast<std::size_t>(source->size()));
      run(codes.data());
      pack(codes, *target);
    }
  }
  return {};
}

/// (saturate(round(x / scale) + zero point) - zero point) · scale, without the integers in between.
Status quantize_and_back(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* source, required(context, 0));
  PRESS_ASSIGN(const Parameters parameters, parameters_of(context, source->dims()));
  const Tensor* zero_point = context.input(2);
  PRESS_ASSIGN(const IntegerRange range,
               range_of(zero_point != nullptr ? zero_point->type() : DataType::kUint8));
  std::vector<float> converted;
  if (source->type() != DataType::kFloat) {
    PRESS_ASSIGN(converted, floats_of(*source));
  }
  const float* in = source->type() == DataType::kFloat ? source->data<float>().data() : converted.data();
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, source->dims()));
  float* out = target->mutable_data<float>().data();
  const float scale = parameters.scales[0];
  const std::int32_t zero = parameters.zero_points.empty() ? 0 : parameters.zero_points[0];
  parallel_for(context.threads(), source->size(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    run_vectorized<QuantizeAndBackLoop>(in + begin, end - begin, scale, zero, range, out + begin);
  });
  return {};
}

class QuantizeKernel final : public Kernel {
 public:
  Status run(KernelContext& context) override {
    return and_back_ ? quantize_and_back(context) : quantize(context);
  }

  /// A DequantizeLinear with the same constant scale and zero point, per tensor.
  Absorption absorb(const Follower& follower) override {
    const std::vector<const Tensor*>& mine = follower.own;
    const std::vector<const Tensor*>& theirs = follower.constants;
    if (and_back_ || follower.node.op_type() != "DequantizeLinear" || follower.position != 0 ||
        mine.size() != 3 || theirs.size() != 3) {
      return Absorption::kNo;
    }
    for (std::size_t i = 1; i < 3; ++i) {
      if (mine[i] == nullptr || theirs[i] == nullptr || mine[i]->size() != 1 || !(*mine[i] == *theirs[i])) {
        return Absorption::kNo;
      }
    }
    if (mine[1]->type() != DataType::kFloat || is_small_float(mine[2]->type())) return Absorption::kNo;
    and_back_ = true;
    return Absorption::kYes;
  }

 private:
  bool and_back_ = false;
};

}  // namespace

Result<std::unique_ptr<Kernel>> quantize_linear(const Node& /*node*/) {
  return std::unique_ptr<Kernel>(std::make_unique<QuantizeKernel>());
}

Status dequantize_linear(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* source, required(context, 0));
  PRESS_ASSIGN(const Parameters parameters, parameters_of(context, source->dims()));
  const DataType type = context.input(1)->type();
  if (type != DataType::kFloat && type != DataType::kFloat16 && type != DataType::kBFloat16) {
    return Error(ErrorCode::kInput, fmt::format("the scale should be a float type, but is {}", name(type)));
  }
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, type, source->dims()));
  Tensor wide;
  if (type != DataType::kFloat) {
    PRESS_ASSIGN(wide, context.allocate_scratch(DataType::kFloat, source->dims()));
  }
  float* out =
      type == DataType::kFloat ? target->mutable_data<float>().data() : wide.mutable_data<float>().data();
  const auto run = [&]<typename T>(const T* in) {
    dequantize_runs(context.threads(), parameters.grid, in, parameters.scales, parameters.zero_points, out);
  };
  switch (source->type()) {
    case DataType::kUint8:
      run(source->data<std::uint8_t>().data());
      break;
    case DataType::kInt8:
      run(source->data<std::int8_t>().data());
      break;
    case DataType::kInt32:
      run(source->data<std::int32_t>().data());
      break;
    default: {
      if (is_small_float(source->type())) {
        std::vector<float> values(static_cast<std::size_t>(source->size()));
        std::ranges::transform(unpacked(*source), values.begin(),
                               [&](std::uint8_t code) { return decode(source->type(), code); });
        run(values.data());
        break;
      }
      PRESS_ASSIGN(const std::vector<std::int32_t> values, widened(*source));
      run(values.data());
    }
  }
  if (type == DataType::kFloat16) {
    std::ranges::transform(wide.data<float>(), target->mutable_data<Float16>().begin(), to_float16);
  } else if (type == DataType::kBFloat16) {
    std::ranges::transform(wide.data<float>(), target->mutable_data<BFloat16>().begin(), to_bfloat16);
  }
  return {};
}

/// uint8 with the range of the values at hand, 0 included.
Status dynamic_quantize_linear(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* source, required(context, 0, DataType::kFloat));
  const std::span<const float> in = source->data<float>();
  float low = 0;
  float high = 0;
  for (const float value : in) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  const float scale = high == low ? 1.0F : (high - low) / 255.0F;
  const auto zero_point = static_cast<std::int32_t>(std::nearbyint(std::clamp(-low / scale, 0.0F, 255.0F)));
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kUint8, source->dims()));
  PRESS_ASSIGN(Tensor * scale_output, context.allocate_output(1, DataType::kFloat, {}));
  PRESS_ASSIGN(Tensor * zero_output, context.allocate_output(2, DataType::kUint8, {}));
  scale_output->mutable_data<float>()[0] = scale;
  zero_output->mutable_data<std::uint8_t>()[0] = static_cast<std::uint8_t>(zero_point);
  Grid grid;
  grid.inner = source->size();
  quantize_runs(context.threads(), grid, in.data(), {scale}, {zero_point}, {0, 255},
                target->mutable_data<std::uint8_t>().data());
  return {};
}

}  // namespace press::kernels
