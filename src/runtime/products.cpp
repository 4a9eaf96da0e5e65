#include "press/runtime/products.h"

#include <cassert>

#include "runtime/onednn.h"
#include "runtime/parallel.h"

namespace press {

Status add_transposed_product(const MatrixView& a, const MatrixView& b, float* sum, std::int64_t sum_stride) {
  assert(a.rows == b.rows);
  const ThreadScope scope(1);
  return onednn::sgemm(true, false, a.columns, b.columns, a.rows, 1.0F, a.data, a.stride, b.data, b.stride,
                       1.0F, sum, sum_stride);
}

Status multiply_transposed(const MatrixView& a, const MatrixView& b, float* product) {
  assert(a.columns == b.columns);
  const ThreadScope scope(1);
  return onednn::sgemm(false, true, a.rows, b.rows, a.columns, 1.0F, a.data, a.stride, b.data, b.stride, 0.0F,
                       product, b.rows);
}

}  // namespace press
