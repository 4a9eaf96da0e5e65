// Convolutions and matrix products of 8-bit integers over oneDNN, with the quantization of the result, an
// activation and the addition of a quantized residual on the way.
#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/kernels/arguments.h"
#include "runtime/kernels/convolution_shape.h"
#include "runtime/kernels/integer_binary.h"
#include "runtime/kernels/integer_kernels.h"
#include "runtime/kernels/residual_convolution.h"
#include "runtime/layout.h"
#include "runtime/shape_cache.h"

namespace press::kernels {

namespace {

using onednn::Activation;
using onednn::IntegerArithmetic;
using onednn::IntegerOperation;

IntegerOperation activate(const Activation& activation) {
  return {IntegerOperation::Kind::kActivate, activation, 1, 0};
}
IntegerOperation clip(float low, float high) {
  return activate({Activation::Kind::kClip, low, high});
}
bool is_clip(const IntegerOperation& operation) {
  return operation.kind == IntegerOperation::Kind::kActivate &&
         operation.activation.kind == Activation::Kind::kClip;
}
IntegerOperation scale_by(float factor) {
  return {IntegerOperation::Kind::kScale, {}, factor, 0};
}

/// f(x / unit) · unit = f'(x) for the activation f' that is returned; nullopt where there is none.
std::optional<Activation> in_units(const Activation& activation, float unit) {
  switch (activation.kind) {
    case Activation::Kind::kNone:
    case Activation::Kind::kRelu:
      return activation;
    case Activation::Kind::kClip:
      return Activation{Activation::Kind::kClip, activation.alpha / unit, activation.beta / unit};
    default:
      return std::nullopt;
  }
}

/// What convolutions and matrix products share.
class IntegerLinearKernel : public Kernel {
 public:
  explicit IntegerLinearKernel(IntegerLinear linear) : linear_(std::move(linear)) {
    bias_ = linear_.bias;
    for (std::size_t c = 0; c < bias_.size(); ++c) bias_[c] /= linear_.source.scale * weight_scale(c);
  }

  onednn::PackedWeights* packed_weights() override { return &packed_; }

  /// The addition of another quantized tensor to the quantized result.
  Absorption absorb(const Follower& follower) override {
    const IntegerBinary* binary = integer_binary(follower.kernel);
    if (binary == nullptr || binary->product || addition_ || !follower.same_shape || !linear_.target) {
      return Absorption::kNo;
    }
    const QuantParams& mine = follower.position == 0 ? binary->a : binary->b;
    const QuantParams& other = follower.position == 0 ? binary->b : binary->a;
    if (!(mine == *linear_.target) || other.type != binary->target.type) return Absorption::kNo;
    addition_ = Addition{other, binary->target, binary->low, binary->high};
    return Absorption::kWithInput;
  }

 protected:
  DataType target_type() const {
    if (addition_) return addition_->target.type;
    return linear_.target ? linear_.target->type : DataType::kFloat;
  }

  IntegerArithmetic arithmetic() const {
    IntegerArithmetic result;
    result.source = linear_.source.type;
    result.source_zero_point = linear_.source.zero_point;
    result.target = target_type();
    // Sums become multiples of `unit`: steps of the target where the activation allows it.
    float unit = linear_.target ? linear_.target->scale : 1.0F;
    std::optional<Activation> activation = in_units(linear_.activation, unit);
    if (!activation) {
      unit = 1.0F;
      activation = linear_.activation;
    }
    result.scales.clear();
    for (const float scale : linear_.weight_scales) {
      result.scales.push_back(linear_.source.scale * scale / unit);
    }
    if (linear_.target && result_stays_above_zero(*activation)) activation->kind = Activation::Kind::kNone;
    if (activation->kind != Activation::Kind::kNone) result.operations.push_back(activate(*activation));
    if (linear_.target && unit != linear_.target->scale) {
      result.operations.push_back(scale_by(unit / linear_.target->scale));
    }
    if (linear_.target) result.target_zero_point = linear_.target->zero_point;
    if (addition_) add_residual(result);
    return result;
  }

  onednn::WeightsSource weights_source() const {
    return [this] { return Result<Tensor>(linear_.weights); };
  }
  bool adds_residual() const { return addition_.has_value(); }
  const float* bias() const { return bias_.empty() ? nullptr : bias_.data(); }

  /// The output: of its own, or the residual, to which the result is added in place.
  Result<Tensor*> make_target(KernelContext& context, Dims dims) const {
    if (!addition_) return context.allocate_output(0, target_type(), std::move(dims));
    const std::size_t last = context.input_count() - 1;
    PRESS_ASSIGN(const Tensor* residual, required(context, last, addition_->residual.type));
    if (residual->dims() != dims) {
      return Error(ErrorCode::kInput, fmt::format("a tensor of {} cannot be added to one of {} in place",
                                                  to_string(residual->dims()), to_string(dims)));
    }
    return context.continue_input(0, last);
  }

  IntegerLinear linear_;
  onednn::PackedWeights packed_;

 private:
  /// target = sat(round(mine + residual)), both as real numbers, within [low, high].
  struct Addition {
    QuantParams residual;
    QuantParams target;
    std::int32_t low = 0;
    std::int32_t high = 0;
  };

  float weight_scale(std::size_t channel) const {
    return linear_.weight_scales[linear_.weight_scales.size() > 1 ? channel : 0];
  }

  /// True for a Relu that the saturation does anyhow.
  bool result_stays_above_zero(const Activation& activation) const {
    return activation.kind == Activation::Kind::kRelu && activation.alpha == 0 &&
           linear_.target->zero_point == integer_limits(linear_.target->type).lo;
  }

  void add_residual(IntegerArithmetic& result) const {
    const QuantParams& mine = *linear_.target;
    const QuantParams& target = addition_->target;
    const IntegerLimits limits = integer_limits(mine.type);
    auto low = static_cast<float>(limits.lo - mine.zero_point);
    auto high = static_cast<float>(limits.hi - mine.zero_point);
    if (!result.operations.empty() && is_clip(result.operations.back())) {
      low = std::max(low, result.operations.back().activation.alpha);
      high = std::max(std::min(high, result.operations.back().activation.beta), low);
      result.operations.pop_back();
    }
    result.operations.push_back(clip(low, high));
    result.operations.push_back({IntegerOperation::Kind::kRound, {}, 1, 0});
    result.operations.push_back(scale_by(mine.scale / target.scale));
    result.operations.push_back({IntegerOperation::Kind::kAddTarget,
                                 {},
                                 addition_->residual.scale / target.scale,
                                 addition_->residual.zero_point});
    const IntegerLimits reach = integer_limits(target.type);
    if (addition_->low > reach.lo || addition_->high < reach.hi) {
      result.operations.push_back(clip(static_cast<float>(addition_->low - target.zero_point),
                                       static_cast<float>(addition_->high - target.zero_point)));
    }
    result.target_zero_point = target.zero_point;
  }

  std::optional<Addition> addition_;
  std::vector<float> bias_;  // in units of the sums
};

class IntegerConvolutionKernel final : public IntegerLinearKernel {
 public:
  using IntegerLinearKernel::IntegerLinearKernel;

  ChannelsLast channels_last() const override { return ChannelsLast::kPrefers; }
  void use_channels_last() override { layout_ = onednn::Layout::kChannelsLast; }

  Status run(KernelContext& context) override {
    PRESS_ASSIGN(const Tensor* source, required(context, 0, linear_.source.type));
    PRESS_ASSIGN(onednn::ConvolutionSpec spec, describe_convolution(context.node(), false, layout_,
                                                                    source->dims(), linear_.weights.dims()));
    if (source->size() == 0 && element_count(spec.target).value() > 0) {
      return Error(ErrorCode::kUnsupported, "a convolution of padding alone cannot be executed in integers");
    }
    spec.bias = bias() != nullptr;
    const void* input = source->aligned_bytes();
    const bool last = layout_ == onednn::Layout::kChannelsLast;
    PRESS_ASSIGN(Tensor * target, make_target(context, last ? to_channels_last(spec.target) : spec.target));
    if (target->size() == 0) return {};
    const onednn::ConvolutionData data{input, bias(), target->mutable_bytes().data()};
    const auto make = [this](const onednn::ConvolutionSpec& wanted) {
      return onednn::Convolution::create_integer(wanted, arithmetic());
    };
    if (adds_residual() && ResidualConvolution::pays(spec, 1, context.threads())) {
      PRESS_ASSIGN(ResidualConvolution * convolution,
                   residuals_.find(spec, [&](const onednn::ConvolutionSpec& wanted) {
                     return ResidualConvolution::create(wanted, 1, context.threads(), make);
                   }));
      return convolution->run(context, data, weights_source(), packed_);
    }
    PRESS_ASSIGN(onednn::Convolution * convolution, primitives_.find(spec, make));
    return convolution->run(context, data, weights_source(), &packed_);
  }

 private:
  onednn::Layout layout_ = onednn::Layout::kPlain;
  ShapeCache<onednn::ConvolutionSpec, onednn::Convolution> primitives_;
  ShapeCache<onednn::ConvolutionSpec, ResidualConvolution> residuals_;
};

class IntegerProductKernel final : public IntegerLinearKernel {
 public:
  IntegerProductKernel(IntegerLinear linear, bool transpose_b)
      : IntegerLinearKernel(std::move(linear)), transpose_b_(transpose_b) {}

  Status run(KernelContext& context) override {
    PRESS_ASSIGN(const Tensor* source, required(context, 0, linear_.source.type));
    const Dims& weights = linear_.weights.dims();
    const std::int64_t k = weights[transpose_b_ ? 1 : 0];
    const std::int64_t n = weights[transpose_b_ ? 0 : 1];
    if (source->rank() == 0 || source->dims().back() != k) {
      return Error(ErrorCode::kInput,
                   fmt::format("matrices {} and {}{} cannot be multiplied", to_string(source->dims()),
                               to_string(weights), transpose_b_ ? " (transposed)" : ""));
    }
    Dims dims = source->dims();
    dims.back() = n;
    const void* input = source->aligned_bytes();
    const std::int64_t rows = source->size() / k;
    PRESS_ASSIGN(Tensor * target, make_target(context, std::move(dims)));
    if (target->size() == 0) return {};
    const onednn::MatrixProductSpec spec{rows, n, k, transpose_b_, bias() != nullptr, false, {}};
    PRESS_ASSIGN(onednn::MatrixProduct * product,
                 primitives_.find(spec, [this](const onednn::MatrixProductSpec& wanted) {
                   return onednn::MatrixProduct::create_integer(wanted, arithmetic());
                 }));
    return product->run(context, input, weights_source(), &packed_, bias(), target->mutable_bytes().data());
  }

 private:
  bool transpose_b_;
  ShapeCache<onednn::MatrixProductSpec, onednn::MatrixProduct> primitives_;
};

}  // namespace

std::unique_ptr<Kernel> make_integer_convolution(IntegerLinear linear) {
  return std::make_unique<IntegerConvolutionKernel>(std::move(linear));
}

std::unique_ptr<Kernel> make_integer_product(IntegerLinear linear, bool transpose_b) {
  return std::make_unique<IntegerProductKernel>(std::move(linear), transpose_b);
}

}  // namespace press::kernels
