#include "press/runtime/products.h"

#include <gtest/gtest.h>

#include <vector>

namespace press {
namespace {

TEST(Products, AWideMatrixTimesItselfIsTheProductInBothTriangles) {
  constexpr std::int64_t kRows = 3, kColumns = 1100, kStride = 1103;
  std::vector<float> values(static_cast<std::size_t>(kRows * kStride));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 37 % 101) - 50;
  const MatrixView matrix{values.data(), kRows, kColumns, kStride};
  // Twice: what is there already counts.
  std::vector<float> gram(static_cast<std::size_t>(kColumns * kColumns), 1.0F), product = gram;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(add_gram(matrix, gram.data(), kColumns).ok());
    ASSERT_TRUE(add_transposed_product(matrix, matrix, product.data(), kColumns).ok());
  }
  EXPECT_EQ(gram, product);  // whole numbers
}

}  // namespace
}  // namespace press
