// Criteria: which weights of a layer go first. criteria.def is the only list.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "press/numeric/matrix.h"

namespace press {

enum class PruneMethod : std::uint8_t {
#define PRESS_CRITERION(id, name, needs, function, summary) id,
#include "press/numeric/criteria.def"
};

/// The order in which the weights of each row go, and what each step costs.
struct RemovalTrace {
  std::vector<std::uint32_t> order;  // like the weight, row-major: columns, the first to go first
  /// In units that layers are compared by; never falls along a row. Infinite: a pattern keeps the weight.
  std::vector<float> losses;
};

/// Of each `of` weights that stand `stride` columns apart at most `keep` stay (N:M sparsity); where `keep` is
/// 0 they stay or go together (blocks). `of` 0: no pattern. A row is cut into stretches of of·stride columns,
/// the last one may be shorter; rows shorter than one stay whole.
struct RowPattern {
  std::size_t keep = 0;
  std::size_t of = 0;
  std::size_t stride = 1;

  bool given() const { return of > 0; }
  bool blocks() const { return given() && keep == 0; }
  std::size_t group(std::size_t column) const { return column / (of * stride) * stride + column % stride; }
  /// How many weights of each group of a row of `width` columns go.
  std::vector<std::size_t> quotas(std::size_t width) const;
};

/// What a criterion may look at: a layer's weights, rows are outputs.
struct CriterionInput {
  const Matrix& weights;
  /// Second moments of the input about its means, damped; null for criteria that need no samples.
  const Matrix* covariance = nullptr;
  /// Variance of all outputs of the layer together, that losses are told in parts of.
  double energy = 1;
  RowPattern pattern = {};
  std::uint64_t seed = 0;  // another one for each layer
  int threads = 1;         // the result does not depend on it
};

struct PruningCriterion {
  enum class Needs : std::uint8_t { kNothing, kSamples };

  PruneMethod method;
  Needs needs;
  std::string_view name;  // as flags and recipes spell it
  std::string_view summary;
  RemovalTrace (*trace)(const CriterionInput&);
};

/// All criteria, in the order of criteria.def.
std::span<const PruningCriterion> all_pruning_criteria();

const PruningCriterion& info(PruneMethod method);

/// The order that scores give, rows by themselves: losses are the scores, the smallest first. With a pattern
/// the quotas of the groups are filled in that order, and what stays costs infinitely much. Blocks go by the
/// mean of their scores.
RemovalTrace trace_by_scores(const Matrix& scores, const RowPattern& pattern);

}  // namespace press
