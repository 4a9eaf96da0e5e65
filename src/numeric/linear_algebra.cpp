#include "numeric/linear_algebra.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cassert>

namespace press {
namespace {

constexpr Eigen::Index kBlock = 128;  // columns that are solved together

using Dense = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Floats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::Map<const Dense> view(const Matrix& matrix) {
  return {matrix.values.data(), static_cast<Eigen::Index>(matrix.rows),
          static_cast<Eigen::Index>(matrix.columns)};
}

Matrix matrix_of(const Dense& dense) {
  Matrix matrix(static_cast<std::size_t>(dense.rows()), static_cast<std::size_t>(dense.cols()));
  Eigen::Map<Dense>(matrix.values.data(), dense.rows(), dense.cols()) = dense;
  return matrix;
}

/// H = L·Lᵀ; where H is not positive, its diagonal grows tenfold by parts of its mean until it is.
Eigen::LLT<Dense> cholesky(const Matrix& symmetric) {
  assert(symmetric.rows == symmetric.columns);
  Dense matrix = view(symmetric);
  Eigen::LLT<Dense> factor(matrix);
  double added = 1e-8 * std::max(matrix.diagonal().cwiseAbs().mean(), 1e-12);
  while (factor.info() != Eigen::Success && std::isfinite(added)) {
    matrix.diagonal().array() += added;
    added *= 10;
    factor.compute(matrix);
  }
  return factor;
}

}  // namespace

Matrix product(const Matrix& a, const Matrix& b) {
  assert(a.columns == b.rows);
  return matrix_of(view(a) * view(b));
}

Matrix permuted(const Matrix& symmetric, std::span<const std::size_t> order) {
  Matrix result(order.size(), order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = 0; j < order.size(); ++j) result.at(i, j) = symmetric.at(order[i], order[j]);
  }
  return result;
}

Matrix inverse(const Matrix& symmetric) {
  const auto d = static_cast<Eigen::Index>(symmetric.rows);
  return matrix_of(cholesky(symmetric).solve(Dense::Identity(d, d)));
}

std::vector<double> inverse_diagonal(const Matrix& symmetric) {
  // H⁻¹ = L⁻ᵀ·L⁻¹: squares of the columns of L⁻¹, which are zero above the diagonal.
  const Eigen::LLT<Dense> factor = cholesky(symmetric);
  const Eigen::Index d = factor.rows();
  std::vector<double> diagonal(symmetric.rows);
  for (Eigen::Index begin = 0; begin < d; begin += kBlock) {
    const Eigen::Index width = std::min(kBlock, d - begin), rest = d - begin;
    Dense columns = Dense::Identity(rest, width);
    factor.matrixLLT().bottomRightCorner(rest, rest).triangularView<Eigen::Lower>().solveInPlace(columns);
    for (Eigen::Index j = 0; j < width; ++j) {
      diagonal[static_cast<std::size_t>(begin + j)] = columns.col(j).squaredNorm();
    }
  }
  return diagonal;
}

void subtract_squares(std::span<float> triangle, std::size_t stride, std::size_t size,
                      std::span<const float> factors, std::size_t count) {
  assert(size == 0 || (size - 1) * stride + size <= triangle.size());
  const auto n = static_cast<Eigen::Index>(size);
  const Eigen::OuterStride<> apart(static_cast<Eigen::Index>(stride));
  const Eigen::Map<const Floats, 0, Eigen::OuterStride<>> f(factors.data(), static_cast<Eigen::Index>(count),
                                                            n, apart);
  Eigen::Map<Floats, 0, Eigen::OuterStride<>> leading(triangle.data(), n, n, apart);
  leading.selfadjointView<Eigen::Lower>().rankUpdate(f.transpose(), -1.0F);
}

void multiply(std::span<const float> a, std::span<const float> b, std::size_t d, std::span<float> product) {
  assert(d > 0 && a.size() % d == 0 && b.size() == d * d && product.size() == a.size());
  const auto rows = static_cast<Eigen::Index>(a.size() / d), width = static_cast<Eigen::Index>(d);
  Eigen::Map<Floats>(product.data(), rows, width).noalias() =
      Eigen::Map<const Floats>(a.data(), rows, width) * Eigen::Map<const Floats>(b.data(), width, width);
}

Matrix inverse_factor(const Matrix& symmetric) {
  const Eigen::LLT<Dense> factor = cholesky(inverse(symmetric));
  return matrix_of(factor.matrixU());
}

Matrix solve_from_right(const Matrix& right, const Matrix& symmetric) {
  const Dense columns = view(right).transpose();
  const Dense solved = cholesky(symmetric).solve(columns).transpose();
  return matrix_of(solved);
}

void solve_part(const Matrix& symmetric, std::span<const std::size_t> support, const Matrix& right,
                std::span<const std::size_t> rows, Matrix& solved) {
  if (support.empty()) return;
  Dense wanted(static_cast<Eigen::Index>(support.size()), static_cast<Eigen::Index>(rows.size()));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t k = 0; k < support.size(); ++k) {
      wanted(static_cast<Eigen::Index>(k), static_cast<Eigen::Index>(i)) = right.at(rows[i], support[k]);
    }
  }
  const Dense found = cholesky(permuted(symmetric, support)).solve(wanted);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t k = 0; k < support.size(); ++k) {
      solved.at(rows[i], support[k]) = found(static_cast<Eigen::Index>(k), static_cast<Eigen::Index>(i));
    }
  }
}

}  // namespace press
