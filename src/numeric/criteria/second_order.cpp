// The growth of the output's error when the other weights take over (press/numeric/pruning_solver.h).
#include "numeric/criteria/criteria.h"
#include "press/numeric/pruning_solver.h"

namespace press::criteria {

RemovalTrace second_order(const CriterionInput& input) {
  RemovalTrace trace = removal_trace(input.weights, *input.covariance, input.pattern, input.threads);
  for (float& loss : trace.losses) loss = static_cast<float>(loss / input.energy);
  return trace;
}

}  // namespace press::criteria
