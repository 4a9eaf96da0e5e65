// What shape inference found, kept from pass to pass while nothing is rewritten.
#pragma once

#include <optional>

#include "press/ops/operator.h"

namespace press {

class ShapeCache {
 public:
  /// Facts of every value of `graph` and its subgraphs, inferred when they are first asked for since clear().
  /// Errors: those of infer_shapes.
  const Result<ShapeTable>& of(const Graph& graph) {
    if (!shapes_.has_value()) shapes_ = infer_shapes(graph);
    return *shapes_;
  }

  /// The graph has changed.
  void clear() { shapes_.reset(); }

 private:
  std::optional<Result<ShapeTable>> shapes_;
};

}  // namespace press
