#include "runtime/kernels/tail.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/shapes.h"

namespace press::kernels {

namespace {

using Activation = onednn::Activation;

/// A bound of Clip: an attribute before opset 11, an input from then on. False where it varies or is no
/// float32.
bool clip_bound(const Follower& follower, const char* attribute, std::size_t input, float& bound) {
  if (follower.opset < 11) {
    bound = follower.node.float_attribute(attribute, bound);
    return true;
  }
  if (follower.node.input(input) == nullptr) return true;
  const Tensor* tensor = follower.constants[input];
  if (tensor == nullptr || tensor->type() != DataType::kFloat || tensor->size() != 1) return false;
  bound = tensor->data<float>()[0];
  return true;
}

float activated(const Activation& activation, float x) {
  switch (activation.kind) {
    case Activation::Kind::kNone:
      return x;
    case Activation::Kind::kRelu:
      return x < 0 ? activation.alpha * x : x;
    case Activation::Kind::kClip:
      return std::min(std::max(x, activation.alpha), activation.beta);
    case Activation::Kind::kSigmoid:
      return 1.0F / (1.0F + std::exp(-x));
    case Activation::Kind::kTanh:
      return std::tanh(x);
    case Activation::Kind::kHardSwish:
      return x * std::clamp(x / 6.0F + 0.5F, 0.0F, 1.0F);
  }
  return x;
}

}  // namespace

onednn::Activation activation_of(const Follower& follower) {
  const Node& node = follower.node;
  if (!node.domain().empty() || follower.position != 0) return {};
  if (node.op_type() == "Relu") return {Activation::Kind::kRelu, 0, 0};
  if (node.op_type() == "LeakyRelu")
    return {Activation::Kind::kRelu, node.float_attribute("alpha", 0.01F), 0};
  if (node.op_type() == "Sigmoid") return {Activation::Kind::kSigmoid, 0, 0};
  if (node.op_type() == "Tanh") return {Activation::Kind::kTanh, 0, 0};
  if (node.op_type() == "HardSwish") return {Activation::Kind::kHardSwish, 0, 0};
  if (node.op_type() == "Clip") {
    Activation clip{Activation::Kind::kClip, std::numeric_limits<float>::lowest(),
                    std::numeric_limits<float>::max()};
    const bool known =
        clip_bound(follower, "min", 1, clip.alpha) && clip_bound(follower, "max", 2, clip.beta);
    if (known && clip.alpha <= clip.beta) return clip;
  }
  return {};
}

Status Tail::apply(Tensor& target, const Tensor* addend) const {
  const std::span<float> out = target.mutable_data<float>();
  if (addend != nullptr) {
    PRESS_ASSIGN(const Dims dims, broadcast_dims(target.dims(), addend->dims()));
    if (dims != target.dims()) {
      return Error(ErrorCode::kInput, fmt::format("a tensor of {} cannot be added to one of {}",
                                                  to_string(addend->dims()), to_string(target.dims())));
    }
    const std::span<const float> in = addend->data<float>();
    const std::size_t offset = dims.size() - addend->rank();
    for (std::size_t i = 0; i < out.size(); ++i) {
      auto rest = static_cast<std::int64_t>(i);
      std::int64_t from = 0;
      std::int64_t stride = 1;
      for (std::size_t axis = dims.size(); axis-- > offset;) {
        const std::int64_t extent = addend->dims()[axis - offset];
        if (extent != 1) from += rest % dims[axis] * stride;
        stride *= extent;
        rest /= dims[axis];
      }
      out[i] += in[static_cast<std::size_t>(from)];
    }
  }
  if (activation.kind != Activation::Kind::kNone) {
    std::ranges::transform(out, out.begin(), [this](float x) { return activated(activation, x); });
  }
  return {};
}

}  // namespace press::kernels
