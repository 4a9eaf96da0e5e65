// w²·Var x in parts of the variance of the layer's outputs: |w|·|x| (Sun et al., "A Simple and Effective
// Pruning Approach for Large Language Models", arXiv 2306.11695) with what varies of the input only, since
// means are put right by the bias. The diagonal of the second-order criterion (Optimal Brain Damage).
#include "numeric/criteria/criteria.h"

namespace press::criteria {

RemovalTrace wanda(const CriterionInput& input) {
  Matrix scores = input.weights;
  for (std::size_t i = 0; i < scores.rows; ++i) {
    for (std::size_t j = 0; j < scores.columns; ++j) {
      scores.at(i, j) *= scores.at(i, j) * input.covariance->at(j, j) / input.energy;
    }
  }
  return trace_by_scores(scores, input.pattern);
}

}  // namespace press::criteria
