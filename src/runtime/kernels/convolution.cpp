// Conv and ConvTranspose over oneDNN.
#include <algorithm>
#include <cmath>

#include "ops/shapes.h"
#include "press/support/mapped_file.h"
#include "runtime/kernels/arguments.h"
#include "runtime/kernels/contributed.h"
#include "runtime/kernels/convolution_shape.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/residual_convolution.h"
#include "runtime/kernels/tail.h"
#include "runtime/kernels/winograd.h"
#include "runtime/layout.h"
#include "runtime/onednn.h"
#include "runtime/shape_cache.h"

namespace press::kernels {

namespace {

class ConvolutionKernel final : public Float32Kernel {
 public:
  explicit ConvolutionKernel(bool transposed) : transposed_(transposed) {}
  /// A convolution whose node asks for the tail; a residual is the node's last input.
  explicit ConvolutionKernel(const Tail& tail)
      : transposed_(false), own_residual_(tail.residual), tail_(tail) {}

  Absorption absorb(const Follower& follower) override {
    if (tail_.activation.kind != onednn::Activation::Kind::kNone) return Absorption::kNo;
    if (follower.node.is("BatchNormalization")) return absorb_batch_normalization(follower);
    if (follower.node.is("Add") && !tail_.residual && follower.same_shape) {
      tail_.residual = true;
      return Absorption::kWithInput;
    }
    tail_.activation = activation_of(follower);
    return tail_.activation.kind != onednn::Activation::Kind::kNone ? Absorption::kYes : Absorption::kNo;
  }

  onednn::PackedWeights* packed_weights() override { return &packed_; }

  ChannelsLast channels_last() const override {
    return own_residual_ ? ChannelsLast::kNo : ChannelsLast::kPrefers;
  }
  void use_channels_last() override { layout_ = onednn::Layout::kChannelsLast; }

 protected:
  Status run_float32(KernelContext& context) override {
    PRESS_ASSIGN(const Tensor* source, required(context, 0, DataType::kFloat));
    PRESS_ASSIGN(const Tensor* weights, required(context, 1, DataType::kFloat));
    // Behind the node's own inputs: the residual.
    const Tensor* bias = context.node().input_count() > 2 ? context.input(2) : nullptr;
    const bool biased = bias != nullptr || !normalizations_.empty();
    if (!described_ || source->dims() != seen_source_ || weights->dims() != seen_weights_ ||
        biased != plain_.bias) {
      PRESS_TRY(describe(context, *source, *weights, biased));
    }
    if (bias != nullptr) {
      PRESS_ASSIGN(bias, per_channel(context, 2, plain_.target[1]));
    }
    if (!normalizations_.empty()) {
      PRESS_TRY(fold_normalizations(bias));
      bias = &folded_bias_;
    }
    const Tensor* residual = nullptr;
    if (tail_.residual) {
      PRESS_ASSIGN(residual, required(context, context.input_count() - 1, DataType::kFloat));
    }
    onednn::ConvolutionData data{source->data<float>().data(),
                                 bias != nullptr ? bias->data<float>().data() : nullptr, nullptr};
    const onednn::WeightsSource packing = [this, weights] { return folded(*weights); };
    onednn::PackedWeights* kept = context.input_is_constant(1) ? &packed_ : nullptr;
    const bool sums = source->size() > 0 && weights->size() > 0 && element_count(target_).value() > 0;
    if (sums && (residual == nullptr || residual->dims() == target_)) {
      if (kept != nullptr && Winograd::pays(whole_)) {
        PRESS_ASSIGN(Winograd * winograd, winograds_.find(whole_, Winograd::create));
        PRESS_ASSIGN(data.target, start_target(context));
        return winograd->run(context, data, packing, *kept);
      }
      if (kept != nullptr && tail_in_library_ && residual != nullptr &&
          ResidualConvolution::pays(whole_, sizeof(float), context.threads())) {
        const Result<ResidualConvolution*> convolution =
            residuals_.find(whole_, [&](const onednn::ConvolutionSpec& wanted) {
              return ResidualConvolution::create(wanted, sizeof(float), context.threads(),
                                                 onednn::Convolution::create);
            });
        if (convolution.ok()) {
          PRESS_ASSIGN(data.target, start_target(context));
          return (*convolution)->run(context, data, packing, *kept);
        }
        tail_in_library_ = false;
      }
      if (tail_in_library_ && tail_.any()) {
        Result<onednn::Convolution*> convolution = primitives_.find(whole_, onednn::Convolution::create);
        if (convolution.ok()) {
          PRESS_ASSIGN(data.target, start_target(context));
          return (*convolution)->run(context, data, packing, kept);
        }
        tail_in_library_ = false;
      }
    }
    PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, target_));
    if (sums) {
      data.target = target->mutable_data<float>().data();
      PRESS_ASSIGN(onednn::Convolution * convolution, primitives_.find(plain_, onednn::Convolution::create));
      PRESS_TRY(convolution->run(context, data, packing, kept));
    } else {
      fill(*target, bias, plain_.target[1]);
    }
    return tail_.apply(*target, residual);
  }

 private:
  /// Notes all that depends on the dims at hand.
  Status describe(const KernelContext& context, const Tensor& source, const Tensor& weights, bool biased) {
    described_ = false;
    PRESS_ASSIGN(plain_,
                 describe_convolution(context.node(), transposed_, layout_, source.dims(), weights.dims()));
    plain_.bias = biased;
    whole_ = plain_;
    whole_.residual = tail_.residual;
    whole_.activation = tail_.activation;
    target_ = layout_ == onednn::Layout::kChannelsLast ? to_channels_last(plain_.target) : plain_.target;
    seen_source_ = source.dims();
    seen_weights_ = weights.dims();
    described_ = true;
    return {};
  }

  /// The output, which begins as the residual where there is one.
  Result<float*> start_target(KernelContext& context) const {
    PRESS_ASSIGN(Tensor * target, tail_.residual ? context.continue_input(0, context.input_count() - 1)
                                                 : context.allocate_output(0, DataType::kFloat, target_));
    return target->mutable_data<float>().data();
  }

  /// A normalization with constant parameters, absorbed: y = x · scale + shift for each output channel.
  struct Normalization {
    std::vector<float> scale;
    std::vector<float> shift;
  };

  /// w' = w·s, b' = b·s + t (the formula of pass fuse_conv_batchnorm, applied to the session's own copy).
  Absorption absorb_batch_normalization(const Follower& follower) {
    const Node& node = follower.node;
    if (tail_.any() || follower.position != 0 || follower.constants.size() != 5) return Absorption::kNo;
    if (node.int_attribute("training_mode", 0) != 0 || node.int_attribute("spatial", 1) == 0)
      return Absorption::kNo;
    for (std::size_t i = 1; i < 5; ++i) {
      const Tensor* parameter = follower.constants[i];
      if (parameter == nullptr || parameter->type() != DataType::kFloat || parameter->rank() != 1 ||
          parameter->size() != follower.constants[1]->size()) {
        return Absorption::kNo;
      }
    }
    const bool own_constants = follower.own.size() > 1 && follower.own[1] != nullptr &&
                               follower.own[1]->type() == DataType::kFloat &&
                               (follower.own.size() < 3 || follower.own[2] != nullptr);
    if (!own_constants) return Absorption::kNo;
    const float epsilon = node.float_attribute("epsilon", 1e-5F);
    Normalization normalization;
    for (std::size_t c = 0; c < static_cast<std::size_t>(follower.constants[1]->size()); ++c) {
      const float scale = follower.constants[1]->data<float>()[c] /
                          std::sqrt(follower.constants[4]->data<float>()[c] + epsilon);
      normalization.scale.push_back(scale);
      normalization.shift.push_back(follower.constants[2]->data<float>()[c] -
                                    follower.constants[3]->data<float>()[c] * scale);
    }
    normalizations_.push_back(std::move(normalization));
    return Absorption::kYes;
  }

  /// Makes folded_scale_ and folded_bias_, once.
  Status fold_normalizations(const Tensor* bias) {
    if (folded_bias_.defined()) return {};
    const auto channels = static_cast<std::size_t>(plain_.target[1]);
    std::vector<float> scale(channels, 1.0F);
    std::vector<float> shift(channels, 0.0F);
    if (bias != nullptr) std::ranges::copy(bias->data<float>(), shift.begin());
    for (const Normalization& normalization : normalizations_) {
      if (normalization.scale.size() != channels) {
        return Error(ErrorCode::kInput,
                     fmt::format("a batch normalization of {} channels follows {} channels",
                                 normalization.scale.size(), channels));
      }
      for (std::size_t c = 0; c < channels; ++c) {
        scale[c] *= normalization.scale[c];
        shift[c] = shift[c] * normalization.scale[c] + normalization.shift[c];
      }
    }
    folded_scale_ = std::move(scale);
    folded_bias_ = Tensor::of<float>({plain_.target[1]}, shift);
    return {};
  }

  /// The weights with the normalizations in them.
  Result<Tensor> folded(const Tensor& weights) const {
    if (folded_scale_.empty()) return weights;
    Tensor folded = weights;
    const std::span<float> values = folded.mutable_data<float>();  // a copy
    MappedFile::release(weights.bytes());
    const Dims& dims = weights.dims();
    const auto inner = static_cast<std::size_t>(product(dims, transposed_ ? 2 : 1));
    const auto per_group = static_cast<std::size_t>(dims[1]);
    const auto inputs_per_group = static_cast<std::size_t>(dims[0] / plain_.groups);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t channel =
          transposed_ ? i / inner / per_group / inputs_per_group * per_group + i / inner % per_group
                      : i / inner;
      values[i] *= folded_scale_[channel];
    }
    return folded;
  }

  /// The result where there is nothing to sum up.
  void fill(Tensor& target, const Tensor* bias, std::int64_t channels) const {
    const std::span<float> out = target.mutable_data<float>();
    const bool last = layout_ == onednn::Layout::kChannelsLast;
    const auto plane = static_cast<std::size_t>(last ? 1 : product(target.dims(), 2));
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = bias != nullptr ? bias->data<float>()[i / plane % static_cast<std::size_t>(channels)] : 0.0F;
    }
  }

  bool transposed_;
  bool own_residual_ = false;
  onednn::Layout layout_ = onednn::Layout::kPlain;
  bool described_ = false;
  Dims seen_source_;  // of the last run; what follows is made for them
  Dims seen_weights_;
  onednn::ConvolutionSpec plain_;  // the convolution alone
  onednn::ConvolutionSpec whole_;  // with the tail
  Dims target_;
  Tail tail_;
  bool tail_in_library_ = true;
  std::vector<Normalization> normalizations_;
  std::vector<float> folded_scale_;  // by output channel
  Tensor folded_bias_;
  ShapeCache<onednn::ConvolutionSpec, onednn::Convolution> primitives_;
  ShapeCache<onednn::ConvolutionSpec, ResidualConvolution> residuals_;
  ShapeCache<onednn::ConvolutionSpec, Winograd> winograds_;
  onednn::PackedWeights packed_;
};

/// The attributes activation and activation_params of FusedConv.
Result<onednn::Activation> fused_activation(const Node& node) {
  using Kind = onednn::Activation::Kind;
  const std::string type = node.string_attribute("activation", "");
  const std::vector<float> given = node.floats_attribute("activation_params");
  const auto parameter = [&](std::size_t i, float otherwise) {
    return i < given.size() ? given[i] : otherwise;
  };
  if (type.empty()) return onednn::Activation{};
  if (type == "Relu") return onednn::Activation{Kind::kRelu, 0, 0};
  if (type == "LeakyRelu") return onednn::Activation{Kind::kRelu, parameter(0, 0.01F), 0};
  if (type == "Tanh") return onednn::Activation{Kind::kTanh, 0, 0};
  if (type == "Sigmoid") return onednn::Activation{Kind::kSigmoid, 0, 0};
  if (type == "Clip" && given.size() == 2) return onednn::Activation{Kind::kClip, given[0], given[1]};
  return Error(
      ErrorCode::kUnsupported,
      fmt::format("attribute activation is '{}' with {} parameters; Relu, LeakyRelu, Tanh, Sigmoid and Clip "
                  "(2 parameters) can be executed",
                  type, given.size()));
}

}  // namespace

Result<std::unique_ptr<Kernel>> fused_conv(const Node& node) {
  Tail tail;
  tail.residual = node.input_count() > 3 && node.input(3) != nullptr;
  PRESS_ASSIGN(tail.activation, fused_activation(node));
  return std::unique_ptr<Kernel>(std::make_unique<ConvolutionKernel>(tail));
}

Result<std::unique_ptr<Kernel>> conv(const Node& /*node*/) {
  return std::unique_ptr<Kernel>(std::make_unique<ConvolutionKernel>(false));
}

Result<std::unique_ptr<Kernel>> conv_transpose(const Node& /*node*/) {
  return std::unique_ptr<Kernel>(std::make_unique<ConvolutionKernel>(true));
}

}  // namespace press::kernels
