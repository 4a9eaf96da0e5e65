// The only door to oneDNN: convolutions and matrix products in plain terms. onednn.cpp alone knows the
// difference between oneDNN 2 and 3, and catches the library's exceptions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "press/ir/tensor.h"
#include "press/support/result.h"
#include "runtime/kernel.h"

namespace press::onednn {

/// Weights in the order of the file, wherever their bytes lie. Asked for each time that they have to be
/// packed, so that nobody needs to keep what can be read or made again.
using WeightsSource = std::function<Result<Tensor>()>;

/// Constant weights in the orders that primitives want, shared by the primitives of a kernel and by all
/// copies of this object; threads may pack at once. The pages of a mapped file are let go once they are
/// packed.
class PackedWeights {
 public:
  PackedWeights();

 private:
  friend struct Packing;
  struct Entries;
  std::shared_ptr<Entries> entries_;
};

/// How activations lie in memory: N, C, spatial or N, spatial, C.
enum class Layout { kPlain, kChannelsLast };

/// An activation function that is applied to every result of a convolution or matrix product.
struct Activation {
  enum class Kind { kNone, kRelu, kClip, kSigmoid, kTanh, kHardSwish };

  Kind kind = Kind::kNone;
  float alpha = 0;  // kRelu: the slope below 0; kClip: the low end
  float beta = 0;   // kClip: the high end

  friend bool operator==(const Activation&, const Activation&) = default;
};

/// One of the things that are done, in order, with the sums of integer products.
struct IntegerOperation {
  enum class Kind {
    kActivate,   // activation(x)
    kScale,      // scale · x
    kRound,      // the nearest integer, half to even
    kAddTarget,  // x + scale · (what stands in the target - zero_point)
  };

  Kind kind = Kind::kScale;
  Activation activation;
  float scale = 1;
  std::int32_t zero_point = 0;
};

/// A convolution or matrix product of 8-bit integers:
///   target = operations(scale[c] · (sum of (source - source_zero_point) · weight + bias[c])) +
///   target_zero_point
/// rounded half to even and saturated where the target holds integers. Weights are int8.
struct IntegerArithmetic {
  DataType source = DataType::kUint8;  // kUint8 or kInt8
  DataType target = DataType::kFloat;  // kUint8, kInt8, kInt32 or kFloat
  std::int32_t source_zero_point = 0;
  std::int32_t target_zero_point = 0;
  std::vector<float> scales = {1.0F};  // one, or one for each output channel
  std::vector<IntegerOperation> operations;
};

/// A convolution of one shape. Dims are N, C, spatial whatever the layout.
struct ConvolutionSpec {
  bool transposed = false;
  Dims source;
  Dims target;
  Dims weights;  // as in ONNX: O, I/groups, spatial; transposed: I, O/groups, spatial
  std::int64_t groups = 1;
  bool bias = false;
  Dims strides;
  Dims dilations;  // 1: dense
  Dims pads_begin;
  Dims pads_end;
  Layout layout = Layout::kPlain;
  bool residual = false;  // what stands in the target is added before the activation
  Activation activation;

  friend bool operator==(const ConvolutionSpec&, const ConvolutionSpec&) = default;
};

/// What a convolution works on: float32, or what its IntegerArithmetic says; null where the spec has no bias.
struct ConvolutionData {
  const void* source = nullptr;
  const void* bias = nullptr;
  void* target = nullptr;
};

class Convolution {
 public:
  /// Errors: kUnsupported where the library has no implementation, or only a slow one for residual and
  /// activation.
  static Result<Convolution> create(const ConvolutionSpec& spec);
  /// The same on integers; the spec's residual and activation are not looked at. The bias is float32, in
  /// units of the sums.
  static Result<Convolution> create_integer(const ConvolutionSpec& spec, const IntegerArithmetic& integers);
  Convolution(Convolution&&) noexcept;
  Convolution& operator=(Convolution&&) noexcept;
  ~Convolution();

  /// Packs weights that are the same in every run, so that run() does not ask for them any more.
  Status pack(KernelContext& context, const WeightsSource& weights, PackedWeights& kept);
  /// target = activation(source (*) weights + bias + residual). `kept`: where weights that are the same in
  /// every run stay packed, or null.
  Status run(KernelContext& context, const ConvolutionData& data, const WeightsSource& weights,
             PackedWeights* kept);

 private:
  struct Impl;
  explicit Convolution(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A product of matrices C (m x n) = A (m x k) · B (k x n) + bias (n), for a B that is the same in every run.
struct MatrixProductSpec {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  bool transpose_b = false;  // B is given as n x k
  bool bias = false;
  bool residual = false;  // what stands in C is added before the activation
  Activation activation;
  std::int64_t count = 1;  // of products of as many A, B and C, one behind the other

  friend bool operator==(const MatrixProductSpec&, const MatrixProductSpec&) = default;
};

class MatrixProduct {
 public:
  static Result<MatrixProduct> create(const MatrixProductSpec& spec);
  /// The same on integers; see Convolution.
  static Result<MatrixProduct> create_integer(const MatrixProductSpec& spec,
                                              const IntegerArithmetic& integers);
  MatrixProduct(MatrixProduct&&) noexcept;
  MatrixProduct& operator=(MatrixProduct&&) noexcept;
  ~MatrixProduct();

  /// As of a convolution.
  Status pack(KernelContext& context, const WeightsSource& b, PackedWeights& kept);
  Status run(KernelContext& context, const void* a, const WeightsSource& b, PackedWeights* kept,
             const void* bias, void* c);

 private:
  struct Impl;
  explicit MatrixProduct(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// C (m x n) = alpha · op(A) · op(B) + beta · C, row-major, rows `lda`, `ldb`, `ldc` apart; on the calling
/// thread's number of OpenMP threads.
Status sgemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
             const float* a, std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c,
             std::int64_t ldc);

}  // namespace press::onednn
