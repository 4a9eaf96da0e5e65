// A dense matrix of doubles: plain data between those who gather and those who solve.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace press {

/// Row-major: element (i, j) is values[i·columns + j].
struct Matrix {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<double> values;

  Matrix() = default;
  Matrix(std::size_t row_count, std::size_t column_count)
      : rows(row_count), columns(column_count), values(row_count * column_count) {}

  double& at(std::size_t i, std::size_t j) { return values[i * columns + j]; }
  double at(std::size_t i, std::size_t j) const { return values[i * columns + j]; }
  std::span<double> row(std::size_t i) { return {values.data() + i * columns, columns}; }
  std::span<const double> row(std::size_t i) const { return {values.data() + i * columns, columns}; }
};

/// a·b.
Matrix product(const Matrix& a, const Matrix& b);

}  // namespace press
