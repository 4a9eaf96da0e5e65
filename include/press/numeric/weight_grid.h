// The integers that weights were rounded to, told by those who round to those who write.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "press/numeric/layer_solver.h"

namespace press {

/// Scale and zero point of each output channel. The weight itself holds scale·(integer - zero point) exactly,
/// so dividing finds the integers again.
struct WeightGrid {
  IntegerGrid limits;
  std::vector<float> scales;
  std::vector<std::int32_t> zero_points;
};

/// By the name of the weight.
using WeightGrids = std::map<std::string, WeightGrid>;

}  // namespace press
