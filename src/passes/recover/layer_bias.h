// Where a linear layer has its bias.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "press/ir/graph.h"
#include "press/ops/linear_layer.h"

namespace press {

struct BiasSlot {
  Node* node = nullptr;  // the layer, or the Add of a constant behind a MatMul
  std::size_t input = 0;
};

/// Nullopt where the layer has no constant bias and cannot be given one.
std::optional<BiasSlot> bias_slot(Node& node, const LinearLayer& layer);

/// One number an output; zeros where there is no bias yet.
std::vector<float> bias_values(const BiasSlot& slot, const LinearLayer& layer);

}  // namespace press
