// Statistics of activations, gathered once over representative samples; quantization reads ranges from them.
#pragma once

#include <map>
#include <string>

#include "press/numeric/histogram.h"

namespace press {

/// By the name of the value.
using CalibrationTable = std::map<std::string, Histogram>;

}  // namespace press
