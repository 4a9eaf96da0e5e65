// Convolutions onto a residual that stands in their target, part by part.
//
// oneDNN's kernels meet the residual in small pieces that no prefetcher of the CPU foresees, and wait for
// memory at each: on an AVX-512 CPU a convolution of 64 to 256 channels takes three times as long on
// integers, and 1.8 times on float32, with a residual as without. So each thread reads the residual of a part
// in order, which brings it into its cache at the speed of memory, right before the kernel works on that
// part.
#pragma once

#include <functional>
#include <vector>

#include "press/support/result.h"
#include "runtime/kernel.h"
#include "runtime/onednn.h"

namespace press::kernels {

class ResidualConvolution {
 public:
  using Make = std::function<Result<onednn::Convolution>(const onednn::ConvolutionSpec&)>;

  /// True where parts can be cut so that they keep `threads` busy, and where that pays. `width`: bytes of an
  /// element of source and target.
  static bool pays(const onednn::ConvolutionSpec& spec, std::int64_t width, int threads);

  /// For a spec that pays; `make` makes the convolution of a part. Errors: as `make`.
  static Result<ResidualConvolution> create(const onednn::ConvolutionSpec& spec, std::int64_t width,
                                            int threads, const Make& make);

  /// As onednn::Convolution::run(), for weights that are the same in every run.
  Status run(KernelContext& context, const onednn::ConvolutionData& data,
             const onednn::WeightsSource& weights, onednn::PackedWeights& kept);

 private:
  ResidualConvolution() = default;

  std::int64_t parts_ = 0;
  std::int64_t source_bytes_ = 0;  // of a part
  std::int64_t target_bytes_ = 0;
  std::vector<onednn::Convolution> workers_;
};

}  // namespace press::kernels
