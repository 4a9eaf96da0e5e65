// Explicit changes of a model's interface: what a user knows of the inputs and the file leaves open.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "press/ir/graph.h"
#include "press/support/result.h"

namespace press {

struct InterfaceOptions {
  /// Extents for named dims, wherever the name stands: "batch" -> 1.
  std::vector<std::pair<std::string, std::int64_t>> dims;
  /// All extents of an input; the name "" means the only one.
  std::vector<std::pair<std::string, Dims>> input_shapes;
};

/// Does what `options` say, and completes the declared types of the outputs by what follows. Errors: kUsage
/// for a name that the model does not have, an extent other than a declared one, or extents that the network
/// cannot take; the model is then of no further use.
Status change_interface(Model& model, const InterfaceOptions& options);

/// "batch=1" and "data:1,3,224,224" (or 1x3x224x224; without a name: the only input). Errors: kUsage.
Result<std::pair<std::string, std::int64_t>> parse_fixed_dim(const std::string& text);
Result<std::pair<std::string, Dims>> parse_input_shape(const std::string& text);

}  // namespace press
