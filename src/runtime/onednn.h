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

  /// target = source (*) weights + bias. `keep_weights`: they are the same in every run, their packed form is
  /// kept.
  Status run(KernelContext& context, const float* source, const float* weights, bool keep_weights,
             const float* bias, float* target);

 private:
  struct Impl;
  explicit Convolution(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// C (m x n) = alpha · op(A) · op(B) + beta · C, row-major, rows `lda`, `ldb`, `ldc` apart; on the calling
/// thread's number of OpenMP threads.
Status sgemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
             const float* a, std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c,
             std::int64_t ldc);

}  // namespace press::onednn
