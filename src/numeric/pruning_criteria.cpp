#include "press/numeric/pruning_criteria.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "numeric/criteria/criteria.h"

namespace press {
namespace {

using Needs = PruningCriterion::Needs;

constexpr PruningCriterion kCriteria[] = {
#define PRESS_CRITERION(id, name, needs, function, summary) \
  {PruneMethod::id, Needs::needs, name, summary, criteria::function},
#include "press/numeric/criteria.def"
};

/// In the place of each score the mean of its block.
Matrix block_means(const Matrix& scores, const RowPattern& pattern) {
  Matrix means = scores;
  const std::vector<std::size_t> sizes = pattern.quotas(scores.columns);
  for (std::size_t i = 0; i < scores.rows; ++i) {
    std::vector<double> sums(sizes.size());
    for (std::size_t j = 0; j < scores.columns; ++j) sums[pattern.group(j)] += scores.at(i, j);
    for (std::size_t j = 0; j < scores.columns; ++j) {
      const std::size_t block = pattern.group(j);
      if (sizes[block] > 0) means.at(i, j) = sums[block] / static_cast<double>(sizes[block]);
    }
  }
  return means;
}

}  // namespace

std::vector<std::size_t> RowPattern::quotas(std::size_t width) const {
  std::vector<std::size_t> sizes;
  if (width < of * stride) return std::vector<std::size_t>(width);
  for (std::size_t j = 0; j < width; ++j) {
    const std::size_t g = group(j);
    if (g >= sizes.size()) sizes.resize(g + 1);
    ++sizes[g];
  }
  for (std::size_t& size : sizes) size -= std::min(size, keep);
  return sizes;
}

std::span<const PruningCriterion> all_pruning_criteria() {
  return kCriteria;
}

const PruningCriterion& info(PruneMethod method) {
  return kCriteria[static_cast<std::size_t>(method)];
}

RemovalTrace trace_by_scores(const Matrix& single_scores, const RowPattern& pattern) {
  const Matrix scores = pattern.blocks() ? block_means(single_scores, pattern) : single_scores;
  const std::size_t d = scores.columns;
  RemovalTrace trace{.order = std::vector<std::uint32_t>(scores.values.size()),
                     .losses = std::vector<float>(scores.values.size())};
  for (std::size_t i = 0; i < scores.rows; ++i) {
    const std::span<std::uint32_t> order(trace.order.data() + i * d, d);
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::stable_sort(order, {}, [&](std::uint32_t j) { return scores.at(i, j); });
    std::vector<std::size_t> quotas = pattern.given() ? pattern.quotas(d) : std::vector<std::size_t>();
    for (std::size_t k = 0; k < d; ++k) {
      const bool stays = pattern.given() && quotas[pattern.group(order[k])] == 0;
      if (pattern.given() && !stays) --quotas[pattern.group(order[k])];
      trace.losses[i * d + k] =
          stays ? std::numeric_limits<float>::infinity() : static_cast<float>(scores.at(i, order[k]));
    }
  }
  return trace;
}

}  // namespace press
