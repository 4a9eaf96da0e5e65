// Convolutions of 3x3 with a stride of 1 by Winograd's minimal filtering F(4x4, 3x3): 36 products for 16
// results that take 144 one by one (Lavin and Gray, "Fast algorithms for convolutional neural networks",
// 2016).
//
//   Y = A^T [ (G g G^T) · (B^T d B) ] A        d: 6x6 inputs of a tile of 4x4 results Y; g: 3x3 weights
//
// with the transforms of the points 0, ±5/8, ±3/2 and infinity, which keep the rounding of float32 within
// about twice that of the plain sums (points 0, ±1, ±2: six times).
#pragma once

#include <vector>

#include "press/support/result.h"
#include "runtime/kernel.h"
#include "runtime/onednn.h"

namespace press::kernels {

class Winograd {
 public:
  /// True for convolutions that run() can execute, with channels last, and faster than the plain sums.
  static bool pays(const onednn::ConvolutionSpec& spec);

  /// For a spec that pays. Errors: as oneDNN's matrix products.
  static Result<Winograd> create(const onednn::ConvolutionSpec& spec);

  /// target = activation(source (*) weights + bias + residual), as onednn::Convolution::run(). The same bits
  /// for any number of threads. Not for infinite inputs: they make a whole tile NaN.
  Status run(KernelContext& context, const onednn::ConvolutionData& data,
             const onednn::WeightsSource& weights, onednn::PackedWeights& kept);

 private:
  explicit Winograd(const onednn::ConvolutionSpec& spec);
  Status prepare(KernelContext& context, const onednn::WeightsSource& weights, onednn::PackedWeights& kept,
                 std::size_t workers);
  Status run_chunk(KernelContext& context, const onednn::ConvolutionData& data, std::int64_t chunk,
                   float* memory, onednn::MatrixProduct& product, onednn::PackedWeights& kept) const;
  void gather(const float* source, std::int64_t first, std::int64_t count, float* transformed) const;
  void scatter(const float* products, std::int64_t first, std::int64_t count, const float* bias,
               float* target) const;

  onednn::ConvolutionSpec spec_;
  std::int64_t rows_ = 0;  // of tiles in an image
  std::int64_t columns_ = 0;
  std::int64_t tiles_ = 0;  // in all images
  std::int64_t chunk_ = 0;  // tiles that are worked on at once, so that they stay in cache
  std::vector<onednn::MatrixProduct> products_;  // one a worker
  std::vector<float> no_bias_;
};

}  // namespace press::kernels
