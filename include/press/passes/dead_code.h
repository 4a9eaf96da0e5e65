// What no output depends on.
#pragma once

#include <cstddef>

#include "press/ir/graph.h"

namespace press {

/// Erases the pure nodes whose outputs nobody uses, nodes of subgraphs included, then the constants without
/// uses. Returns how many nodes and constants went. Linear in the size of the graph.
std::size_t remove_dead_code(Graph& graph);

}  // namespace press
