// before:  Conv(W)        after:  Conv(W'),  W'[i] = the centroid nearest to W[i]
//
// Each weight of a linear operator shares one of N values with many others: the centroids of k-means over the
// layer's weights (Han et al., Deep Compression, 2016, section 3). Weights that are zero stay zero and are
// not counted in; zero is then one of the N values, so that masks of pruning survive.
//
// With samples, cluster_layer() (press/passes/recover.h) goes before and chooses the values by what the layer
// computes; its weights share few enough values already and stay.
//
// Conditions: the weight is a floating-point constant of finite values, all of its users are linear operators
// that the selection includes.
//
// Why it pays: N values need log2 N bits a weight instead of 32, which pack_weights turns into a smaller
// file.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "passes/declarations.h"
#include "passes/floats.h"
#include "passes/selection.h"
#include "press/numeric/kmeans.h"
#include "press/ops/operator.h"

namespace press::passes {
namespace {

/// Empty for a weight that can be clustered.
std::string reason_to_decline(const Value& weight, const NodeMatcher& matcher) {
  const Tensor& tensor = *weight.constant();
  if (!is_floating_point(tensor.type())) return fmt::format("its weight is {}", name(tensor.type()));
  for (const Use& use : weight.uses()) {
    const bool as_weight =
        use.node != nullptr && traits(*use.node).weight_input == static_cast<int>(use.index);
    if (!as_weight) return "its weight is used for something else too";
    if (!matcher.matches(*use.node)) return fmt::format("its weight is shared with {}", use.node->label());
  }
  bool finite = true;
  for_each_float(tensor, [&](std::int64_t, double value) { finite = finite && std::isfinite(value); });
  return finite ? "" : "its weight holds infinities or NaN";
}

/// Returns true where an element changed.
bool cluster(Value* weight, const ClusterOptions& options, std::size_t* values_left) {
  std::vector<double> values;
  bool has_zero = false;
  for_each_float(*weight->constant(), [&](std::int64_t, double value) {
    has_zero = has_zero || value == 0;
    if (value != 0) values.push_back(value);
  });
  if (values.empty()) return false;
  const std::int64_t count = std::max<std::int64_t>(options.count - (has_zero ? 1 : 0), 1);
  const std::vector<double> centroids = kmeans(std::move(values), count, options.start);
  *values_left = centroids.size() + (has_zero ? 1 : 0);
  Tensor clustered = *weight->constant();
  bool changed = false;
  transform_floats(clustered, [&](std::int64_t, double value) {
    if (value == 0) return value;
    const double centroid = centroids[nearest(centroids, value)];
    changed = changed || centroid != value;
    return centroid;
  });
  changed = changed && clustered != *weight->constant();
  if (changed) weight->set_constant(std::move(clustered));
  return changed;
}

}  // namespace

Result<PassOutcome> cluster_weights(Model& model, const PassContext& context) {
  const ClusterOptions& options = context.cluster;
  PRESS_ASSIGN(const NodeMatcher matcher, NodeMatcher::compile(options.nodes));
  PassOutcome outcome;
  std::unordered_set<const Value*> seen;
  for_each_node(*model.graph, [&](Node* node) {
    const int index = traits(*node).weight_input;
    Value* weight = index < 0 ? nullptr : node->input(static_cast<std::size_t>(index));
    if (weight == nullptr || !weight->is_constant() || !matcher.matches(*node) ||
        !seen.insert(weight).second) {
      return;
    }
    if (std::string reason = reason_to_decline(*weight, matcher); !reason.empty()) {
      outcome.declined.push_back({std::string(selection_name(*node)), std::move(reason)});
      return;
    }
    std::size_t values_left = 0;
    if (cluster(weight, options, &values_left)) ++outcome.rewrites;
    if (values_left == 0) return;
    outcome.notes.push_back(fmt::format("{}: {} weights share {} values", selection_name(*node),
                                        weight->constant()->size(), values_left));
  });
  return outcome;
}

}  // namespace press::passes
