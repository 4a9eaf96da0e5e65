// Setting single weights to zero by a criterion (press/numeric/pruning_criteria.h).
#pragma once

#include <cstdint>
#include <vector>

#include "press/ir/graph.h"
#include "press/passes/options.h"
#include "press/pipeline/recovery.h"
#include "press/runtime/batch.h"
#include "press/support/result.h"

namespace press {

/// Sets the weights of `layers` to 0 that `options` ask for, those of least loss first: over all layers
/// together, by layer, or where a pattern says. No layer loses all of its weights. `samples` are needed where
/// the criterion looks at inputs. Returns the number of zeros that were made. Errors: those of Lockstep.
Result<std::int64_t> prune_by_criterion(Model& model, const std::vector<Node*>& layers,
                                        const PruneOptions& options, const std::vector<Batch>& samples,
                                        const RecoverOptions& run);

}  // namespace press
