// Factorizations of symmetric matrices. The only door to Eigen's in this folder.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "press/numeric/matrix.h"

namespace press {

/// Rows and columns of a symmetric matrix in another order; those that `order` leaves out are dropped.
Matrix permuted(const Matrix& symmetric, std::span<const std::size_t> order);

/// The inverse of a symmetric positive matrix. One that is not positive for rounding's sake is made so by a
/// larger diagonal.
Matrix inverse(const Matrix& symmetric);

/// The diagonal of inverse(), in a third of the operations.
std::vector<double> inverse_diagonal(const Matrix& symmetric);

/// Subtracts Fᵀ·F, F = the first `size` columns of `factors` (count rows), from the leading part (size x
/// size) of a lower triangle; both have rows `stride` apart.
void subtract_squares(std::span<float> triangle, std::size_t stride, std::size_t size,
                      std::span<const float> factors, std::size_t count);

/// product (rows x d) = a (rows x d) · b (d x d).
void multiply(std::span<const float> a, std::span<const float> b, std::size_t d, std::span<float> product);

/// The upper U with Uᵀ·U = H⁻¹, H symmetric positive (made so as in inverse()).
Matrix inverse_factor(const Matrix& symmetric);

/// X with X·H = right, H symmetric positive (made so as in inverse()).
Matrix solve_from_right(const Matrix& right, const Matrix& symmetric);

/// Puts the w with H_SS·w = right_S, S = `support`, into those places of `solved`, for each of `rows`.
void solve_part(const Matrix& symmetric, std::span<const std::size_t> support, const Matrix& right,
                std::span<const std::size_t> rows, Matrix& solved);

}  // namespace press
