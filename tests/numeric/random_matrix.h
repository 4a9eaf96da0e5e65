// Matrices of random numbers for the tests of the solvers.
#pragma once

#include <random>

#include "press/numeric/layer_solver.h"

namespace press::test {

/// Of the standard normal distribution; the same for the same seed.
inline Matrix random_matrix(std::size_t rows, std::size_t columns, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Matrix matrix(rows, columns);
  for (double& value : matrix.values) value = normal(random);
  return matrix;
}

}  // namespace press::test
