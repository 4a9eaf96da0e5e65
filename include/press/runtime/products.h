// Products of matrices in float32, for those above the runtime who add up statistics.
#pragma once

#include <cstdint>

#include "press/support/result.h"

namespace press {

/// A matrix in row-major order, rows `stride` elements apart.
struct MatrixView {
  const float* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t stride = 0;
};

/// sum (a.columns x b.columns) += aᵀ·b, on the calling thread alone. `sum` has rows `sum_stride` apart.
Status add_transposed_product(const MatrixView& a, const MatrixView& b, float* sum, std::int64_t sum_stride);

/// The same with b = a, in half the operations where a is wide. `sum` is symmetric before and after.
Status add_gram(const MatrixView& a, float* sum, std::int64_t sum_stride);

/// product (a.rows x b.rows) = a·bᵀ, on the calling thread alone. `product` has rows b.rows apart.
Status multiply_transposed(const MatrixView& a, const MatrixView& b, float* product);

}  // namespace press
