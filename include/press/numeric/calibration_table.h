// Statistics of activations, gathered once over representative samples; quantization reads ranges from them.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "press/numeric/histogram.h"
#include "press/support/result.h"

namespace press {

/// By the name of the value.
using CalibrationTable = std::map<std::string, Histogram>;

/// Adds the statistics of `other`, which may cover other samples and other values. The order of merging does
/// not show.
void merge(CalibrationTable& table, const CalibrationTable& other);

/// A table as JSON, to be kept: per value its count, exact extremes, the sums of those of each sample (pairs
/// of exponent and mantissa, see ExactSum) and, where they were gathered, its bins (from the first one that
/// is not zero to the last). The same table gives the same text.
std::string to_json(const CalibrationTable& table);

/// The inverse of to_json(). Errors (kInput): no JSON, or not of this form; the message names the value.
Result<CalibrationTable> calibration_table_from_json(std::string_view text);

}  // namespace press
