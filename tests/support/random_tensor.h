// Repeatable normal numbers for networks under test.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "press/ir/tensor.h"

namespace press::test {

/// Mean 0.2, standard deviation 1.
inline Tensor random_tensor(const Dims& dims, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.2F, 1.0F);
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float& value : values) value = normal(random);
  return Tensor::of(dims, values);
}

/// "{0.1, …}" for a constant in a text model.
inline std::string random_numbers(const Dims& dims, std::uint32_t seed) {
  return fmt::format("{{{:.4f}}}", fmt::join(random_tensor(dims, seed).data<float>(), ", "));
}

}  // namespace press::test
