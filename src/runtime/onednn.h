// The only door to oneDNN: convolutions and matrix products in plain terms. onednn.cpp alone knows the
// difference between oneDNN 2 and 3, and catches the library's exceptions.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "press/ir/tensor.h"
#include "press/support/result.h"
#include "runtime/kernel.h"

namespace press::onednn {

/// Constant weights in the orders that primitives want, shared by the primitives of a kernel.
class PackedWeights {
 public:
  PackedWeights();
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;
  ~PackedWeights();

 private:
  friend struct Packing;
  struct Entries;
  std::unique_ptr<Entries> entries_;
};

/// How activations lie in memory: N, C, spatial or N, spatial, C.
enum class Layout { kPlain, kChannelsLast };

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

  friend bool operator==(const ConvolutionSpec&, const ConvolutionSpec&) = default;
};

class Convolution {
 public:
  /// Errors: kUnsupported where the library has no implementation.
  static Result<Convolution> create(const ConvolutionSpec& spec);
  Convolution(Convolution&&) noexcept;
  Convolution& operator=(Convolution&&) noexcept;
  ~Convolution();

  /// target = source (*) weights + bias. `kept`: where weights that are the same in every run stay packed, or
  /// null.
  Status run(KernelContext& context, const float* source, const float* weights, PackedWeights* kept,
             const float* bias, float* target);

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

  friend bool operator==(const MatrixProductSpec&, const MatrixProductSpec&) = default;
};

class MatrixProduct {
 public:
  static Result<MatrixProduct> create(const MatrixProductSpec& spec);
  MatrixProduct(MatrixProduct&&) noexcept;
  MatrixProduct& operator=(MatrixProduct&&) noexcept;
  ~MatrixProduct();

  Status run(KernelContext& context, const float* a, const float* b, PackedWeights* kept, const float* bias,
             float* c);

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
