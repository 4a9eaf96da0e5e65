// From the nodes of a graph to those of a copy of it.
#pragma once

#include <unordered_map>

#include "press/ir/graph.h"

namespace press {

/// The nodes of two copies of a graph, side by side.
std::unordered_map<const Node*, Node*> counterparts(const Graph& from, const Graph& to);

}  // namespace press
