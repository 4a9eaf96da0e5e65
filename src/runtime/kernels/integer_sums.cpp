// ConvInteger and MatMulInteger of constant weights over oneDNN: exact sums, for a zero point of the source
// that may be another one in each run (behind DynamicQuantizeLinear).
//
//   sum (x - z) · w = sum x · w - z · sum w
#include <algorithm>
#include <cstring>
#include <vector>

#include "press/support/vector_loops.h"
#include "runtime/integer_params.h"
#include "runtime/kernels/arguments.h"
#include "runtime/kernels/convolution_shape.h"
#include "runtime/kernels/integer_kernels.h"
#include "runtime/kernels/support.h"
#include "runtime/layout.h"
#include "runtime/shape_cache.h"

namespace press::kernels {

namespace {

/// sums[i] -= zero · weights[i], wrapping around.
struct SubtractRow {
  PRESS_VECTOR_LOOP void run(std::uint32_t* sums, const std::uint32_t* weights, std::uint32_t zero,
                             std::int64_t count) {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) sums[i] -= zero * weights[i];
  }
};

class IntegerSumsKernel : public Kernel {
 public:
  /// `weights`: int8; `axis`: that of the output channels.
  IntegerSumsKernel(Tensor weights, std::size_t axis) : weights_(std::move(weights)) {
    const std::span<const std::int8_t> values = weights_.data<std::int8_t>();
    const auto channels = static_cast<std::size_t>(weights_.dims()[axis]);
    const auto inner = static_cast<std::size_t>(product(weights_.dims(), axis + 1));
    channel_sums_.resize(channels);
    for (std::size_t i = 0; i < values.size(); ++i) {
      channel_sums_[i / inner % channels] += static_cast<std::uint32_t>(std::int32_t{values[i]});
    }
  }

  onednn::PackedWeights* packed_weights() override { return &packed_; }

 protected:
  static Result<std::int32_t> zero_point(const KernelContext& context, const Tensor& source) {
    const Tensor* zero = context.input(1);
    if (zero == nullptr) return 0;
    if (zero->type() != source.type() || zero->size() != 1) {
      return Error(ErrorCode::kInput,
                   fmt::format("the zero point of {} integers is {} {}", name(source.type()),
                               to_string(zero->dims()), name(zero->type())));
    }
    return byte_at(*zero, 0);
  }

  /// Errors: the source does not hold bytes.
  static Result<onednn::IntegerArithmetic> arithmetic(const Tensor& source) {
    if (!is_byte(source.type())) {
      return Error(ErrorCode::kInput, fmt::format("{} is no 8-bit integer type", name(source.type())));
    }
    onednn::IntegerArithmetic result;
    result.source = source.type();
    result.target = DataType::kInt32;
    return result;
  }

  /// Sums whose last dim are the output channels.
  void subtract_zero_point(int threads, std::int32_t zero, Tensor& sums) const {
    const auto channels = static_cast<std::int64_t>(channel_sums_.size());
    if (zero == 0 || sums.size() == 0) return;
    auto* values = raw<std::uint32_t>(sums);
    parallel_for(threads, sums.size() / channels, std::max<std::int64_t>(kElementGrain / channels, 1),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t row = begin; row < end; ++row) {
                     run_vectorized<SubtractRow>(values + row * channels, channel_sums_.data(),
                                                 static_cast<std::uint32_t>(zero), channels);
                   }
                 });
  }

  onednn::WeightsSource weights_source() const {
    return [this] { return Result<Tensor>(weights_); };
  }

  Tensor weights_;
  onednn::PackedWeights packed_;

 private:
  std::vector<std::uint32_t> channel_sums_;
};

class IntegerProductSums final : public IntegerSumsKernel {
 public:
  explicit IntegerProductSums(Tensor weights) : IntegerSumsKernel(std::move(weights), 1) {}

  Status run(KernelContext& context) override {
    PRESS_ASSIGN(const Tensor* source, required(context, 0));
    PRESS_ASSIGN(const onednn::IntegerArithmetic integers, arithmetic(*source));
    PRESS_ASSIGN(const std::int32_t zero, zero_point(context, *source));
    const std::int64_t k = weights_.dims()[0];
    if (source->rank() == 0 || source->dims().back() != k) {
      return Error(ErrorCode::kInput, fmt::format("matrices {} and {} cannot be multiplied",
                                                  to_string(source->dims()), to_string(weights_.dims())));
    }
    Dims dims = source->dims();
    dims.back() = weights_.dims()[1];
    PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kInt32, std::move(dims)));
    if (target->size() == 0) return {};
    onednn::MatrixProductSpec spec;
    spec.m = source->size() / k;
    spec.n = weights_.dims()[1];
    spec.k = k;
    PRESS_ASSIGN(onednn::MatrixProduct * product,
                 primitives_.find(spec, [&](const onednn::MatrixProductSpec& wanted) {
                   return onednn::MatrixProduct::create_integer(wanted, integers);
                 }));
    PRESS_TRY(product->run(context, source->aligned_bytes(), weights_source(), &packed_, nullptr,
                           target->mutable_bytes().data()));
    subtract_zero_point(context.threads(), zero, *target);
    return {};
  }

 private:
  ShapeCache<onednn::MatrixProductSpec, onednn::MatrixProduct> primitives_;
};

class IntegerConvolutionSums final : public IntegerSumsKernel {
 public:
  explicit IntegerConvolutionSums(Tensor weights) : IntegerSumsKernel(std::move(weights), 0) {}

  /// The only layout that run() knows.
  ChannelsLast channels_last() const override { return ChannelsLast::kPrefers; }

  Status run(KernelContext& context) override {
    PRESS_ASSIGN(const Tensor* source, required(context, 0));
    PRESS_ASSIGN(const onednn::IntegerArithmetic integers, arithmetic(*source));
    PRESS_ASSIGN(const std::int32_t zero, zero_point(context, *source));
    PRESS_ASSIGN(onednn::ConvolutionSpec spec,
                 describe_convolution(context.node(), false, onednn::Layout::kChannelsLast, source->dims(),
                                      weights_.dims()));
    PRESS_ASSIGN(Tensor * target,
                 context.allocate_output(0, DataType::kInt32, to_channels_last(spec.target)));
    if (target->size() == 0) return {};
    Tensor padded = *source;
    if (std::ranges::any_of(spec.pads_begin, [](std::int64_t pad) { return pad != 0; }) ||
        std::ranges::any_of(spec.pads_end, [](std::int64_t pad) { return pad != 0; })) {
      PRESS_ASSIGN(padded, pad(context, *source, zero, spec));
    }
    PRESS_ASSIGN(onednn::Convolution * convolution,
                 primitives_.find(spec, [&](const onednn::ConvolutionSpec& wanted) {
                   return onednn::Convolution::create_integer(wanted, integers);
                 }));
    PRESS_TRY(convolution->run(context, {padded.aligned_bytes(), nullptr, target->mutable_bytes().data()},
                               weights_source(), &packed_));
    subtract_zero_point(context.threads(), zero, *target);
    return {};
  }

 private:
  /// The source within a frame of zero points, and the spec of the convolution of that.
  static Result<Tensor> pad(KernelContext& context, const Tensor& source, std::int32_t zero,
                            onednn::ConvolutionSpec& spec) {
    const Dims& from = source.dims();  // N, H, W, C
    Dims to = from;
    for (std::size_t i = 0; i < 2; ++i) {
      to[i + 1] += spec.pads_begin[i] + spec.pads_end[i];
      spec.source[i + 2] = to[i + 1];
    }
    PRESS_ASSIGN(Tensor result, context.allocate_scratch(source.type(), to));
    std::byte* target = result.mutable_bytes().data();
    std::memset(target, zero, result.bytes().size());
    const std::byte* data = source.aligned_bytes();
    const std::int64_t row = from[2] * from[3];
    for (std::int64_t i = 0; i < from[0] * from[1] && row > 0; ++i) {
      const std::int64_t line = i / from[1] * to[1] + i % from[1] + spec.pads_begin[0];
      std::memcpy(target + (line * to[2] + spec.pads_begin[1]) * from[3], data + i * row,
                  static_cast<std::size_t>(row));
    }
    spec.pads_begin = spec.pads_end = {0, 0};
    return result;
  }

  ShapeCache<onednn::ConvolutionSpec, onednn::Convolution> primitives_;
};

}  // namespace

std::unique_ptr<Kernel> make_integer_product_sums(Tensor weights) {
  return std::make_unique<IntegerProductSums>(std::move(weights));
}

std::unique_ptr<Kernel> make_integer_convolution_sums(Tensor weights) {
  return std::make_unique<IntegerConvolutionSums>(std::move(weights));
}

}  // namespace press::kernels
