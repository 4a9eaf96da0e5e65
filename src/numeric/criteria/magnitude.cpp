// w².
#include "numeric/criteria/criteria.h"

namespace press::criteria {

RemovalTrace magnitude(const CriterionInput& input) {
  Matrix scores = input.weights;
  for (double& score : scores.values) score *= score;
  return trace_by_scores(scores, input.pattern);
}

}  // namespace press::criteria
