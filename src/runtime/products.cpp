#include "press/runtime/products.h"

#include <algorithm>
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

Status add_gram(const MatrixView& a, float* sum, std::int64_t sum_stride) {
  constexpr std::int64_t kBlock = 512, kTile = 32;
  for (std::int64_t i = 0; i < a.columns; i += kBlock) {
    const MatrixView block{a.data + i, a.rows, std::min(kBlock, a.columns - i), a.stride};
    const MatrixView rest{a.data + i, a.rows, a.columns - i, a.stride};
    PRESS_TRY(add_transposed_product(block, rest, sum + i * sum_stride + i, sum_stride));
  }
  // The blocks on the diagonal are whole already; below them, what is above is mirrored in tiles.
  for (std::int64_t row = 0; row < a.columns; row += kTile) {
    for (std::int64_t column = 0; column < row / kBlock * kBlock; column += kTile) {
      for (std::int64_t i = row; i < std::min(row + kTile, a.columns); ++i) {
        for (std::int64_t j = column; j < column + kTile; ++j)
          sum[i * sum_stride + j] = sum[j * sum_stride + i];
      }
    }
  }
  return {};
}

Status multiply_transposed(const MatrixView& a, const MatrixView& b, float* product) {
  assert(a.columns == b.columns);
  const ThreadScope scope(1);
  return onednn::sgemm(false, true, a.rows, b.rows, a.columns, 1.0F, a.data, a.stride, b.data, b.stride, 0.0F,
                       product, b.rows);
}

}  // namespace press
