// A part of a graph as a graph of its own.
#pragma once

#include <memory>
#include <span>

#include "press/ir/graph.h"

namespace press {

/// A value at which a part begins, and the type that its input is declared with.
struct PartInput {
  const Value* value = nullptr;
  Type type;
};

/// The nodes of `graph` that `outputs` depend on, back to `inputs`: a graph that takes `inputs` and returns
/// `outputs`, both in order and under their names. Constants share their bytes. Errors (kInternal): `outputs`
/// depend on a graph input that is none of `inputs`; a subgraph uses a value of its outer graph.
Result<std::unique_ptr<Graph>> extract(const Graph& graph, std::span<const PartInput> inputs,
                                       std::span<const Value* const> outputs);

}  // namespace press
