// Types of values for passes that only sometimes need them.
#pragma once

#include <optional>
#include <vector>

#include "press/ops/operator.h"
#include "press/passes/options.h"
#include "press/passes/shape_cache.h"

namespace press {

/// Types as shape inference finds them, inferred when the first one is asked for and no pass before has done
/// so; of values that were there then.
class KnownTypes {
 public:
  KnownTypes(const Graph& graph, const PassContext& context)
      : graph_(graph), cache_(context.shapes != nullptr ? context.shapes : &own_) {}
  KnownTypes(const KnownTypes&) = delete;
  KnownTypes& operator=(const KnownTypes&) = delete;

  /// Null where nothing is known, as for all values of a graph that inference rejects.
  const Type* type(const Value* value) {
    const Result<ShapeTable>& table = cache_->of(graph_);
    if (!table.ok()) return nullptr;
    const ValueFacts* facts = table->find(value);
    return facts != nullptr ? &facts->type : nullptr;
  }

 private:
  const Graph& graph_;
  ShapeCache own_;
  ShapeCache* cache_;
};

/// What Reshape must be told to make `out` of a tensor of shape `in`: known extents as they are, 0 where one
/// is the input's at the same place, -1 for not more than one that is open. Nullopt where that does not
/// suffice.
std::optional<std::vector<std::int64_t>> reshape_target_of(const Shape& in, const Shape& out);

}  // namespace press
