// What a convolution or matrix product does with its results before it writes them: add a residual, apply an
// activation. The work of absorbed followers.
#pragma once

#include "press/support/result.h"
#include "runtime/kernel.h"
#include "runtime/onednn.h"

namespace press::kernels {

/// The follower as an activation; kNone where it is none, or depends on what varies.
onednn::Activation activation_of(const Follower& follower);

struct Tail {
  bool residual = false;
  onednn::Activation activation;

  bool any() const { return residual || activation.kind != onednn::Activation::Kind::kNone; }

  /// target = activation(target + addend), where oneDNN does not do it. The addend broadcasts to the target.
  /// Errors (kInput): it does not.
  Status apply(Tensor& target, const Tensor* addend) const;
};

}  // namespace press::kernels
