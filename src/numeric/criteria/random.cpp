#include <random>

#include "numeric/criteria/criteria.h"

namespace press::criteria {

RemovalTrace random(const CriterionInput& input) {
  std::mt19937_64 numbers(input.seed);
  Matrix scores(input.weights.rows, input.weights.columns);
  for (double& score : scores.values) score = static_cast<double>(numbers() >> 11) * 0x1p-53;
  return trace_by_scores(scores, input.pattern);
}

}  // namespace press::criteria
