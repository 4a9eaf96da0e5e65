// Types of values for passes that only sometimes need them.
#pragma once

#include <optional>
#include <vector>

#include "press/ops/operator.h"

namespace press {

/// Types as shape inference finds them, inferred when the first one is asked for. A pass that adds values
/// while it asks must not ask for constants: their addresses may be those of values that are gone.
class KnownTypes {
 public:
  explicit KnownTypes(const Graph& graph) : graph_(graph) {}

  /// Null where nothing is known, as for all values of a graph that inference rejects.
  const Type* type(const Value* value) {
    if (!table_.has_value()) {
      auto inferred = infer_shapes(graph_);
      table_ = inferred.ok() ? std::move(inferred).value() : ShapeTable();
    }
    const auto found = table_->find(value);
    return found != table_->end() ? &found->second.type : nullptr;
  }

 private:
  const Graph& graph_;
  std::optional<ShapeTable> table_;
};

/// What Reshape must be told to make `out` of a tensor of shape `in`: known extents as they are, 0 where one
/// is the input's at the same place, -1 for not more than one that is open. Nullopt where that does not
/// suffice.
std::optional<std::vector<std::int64_t>> reshape_target_of(const Shape& in, const Shape& out);

}  // namespace press
