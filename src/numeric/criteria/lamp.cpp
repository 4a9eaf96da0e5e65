// w² over the sum of squares of all weights of the layer that are not smaller (Lee et al., "Layer-adaptive
// sparsity for the magnitude-based pruning", arXiv 2010.07611): the last weight of each layer scores 1, so
// that no layer loses all of them, and layers compare by what their weights are worth to them.
#include <algorithm>
#include <numeric>

#include "numeric/criteria/criteria.h"

namespace press::criteria {

RemovalTrace lamp(const CriterionInput& input) {
  const std::vector<double>& weights = input.weights.values;
  std::vector<std::size_t> order(weights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return weights[i] * weights[i]; });
  Matrix scores(input.weights.rows, input.weights.columns);
  double not_smaller = 0;
  for (auto i = order.rbegin(); i != order.rend(); ++i) {
    const double square = weights[*i] * weights[*i];
    not_smaller += square;
    scores.values[*i] = not_smaller > 0 ? square / not_smaller : 0;
  }
  return trace_by_scores(scores, input.pattern);
}

}  // namespace press::criteria
