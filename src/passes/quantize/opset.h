// Raising a model to a newer version of ONNX's operator set.
#pragma once

#include <cstdint>
#include <vector>

#include "press/ir/graph.h"
#include "press/passes/pass.h"

namespace press {

/// The version that upgrade_opset knows how to reach, from 7 on: the first one with scales per channel.
inline constexpr std::int64_t kUpgradedOpset = 13;

/// What stands in the way of kUpgradedOpset: nodes without an adapter. Empty where raise_opset() will
/// succeed.
std::vector<Declined> obstacles_to_opset(const Model& model);

/// Rewrites the nodes whose form changed, sets the opset to kUpgradedOpset and raises the IR version that
/// goes with it. Returns the number of nodes that were rewritten. Needs obstacles_to_opset() to be empty.
std::size_t raise_opset(Model& model);

/// The first versions with weights of 4 and of 2 bits, and with activations of 16.
inline constexpr std::int64_t kOpsetOf4Bits = 21;
inline constexpr std::int64_t kOpsetOf16Bits = 21;
/// And the first with scales in blocks.
inline constexpr std::int64_t kOpsetOfBlocks = 21;
inline constexpr std::int64_t kOpsetOf2Bits = 25;

/// Nodes that mean something else in opset `target` (at most 25) and have no form there; for models of opset
/// 13 or newer, and of those that raise_opset() brings there.
std::vector<Declined> nodes_without_newer_form(const Model& model, std::int64_t target);

/// What stands in the way of calling a model of opset 13 or newer one of `target` (at most 25): nodes whose
/// form or meaning changed on the way.
std::vector<Declined> obstacles_to_newer_opset(const Model& model, std::int64_t target);

/// Sets the opset to `target` and raises the IR version that goes with it. Needs obstacles_to_newer_opset()
/// to be empty.
void declare_newer_opset(Model& model, std::int64_t target);

}  // namespace press
