// Figures that the tables and the page of a sweep both show.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <vector>

#include "press/pipeline/sweep_cell.h"

namespace press {

inline std::optional<double> size_cost(const SweepCell& cell) {
  return static_cast<double>(cell.figures.bytes);
}

/// Time in units of the original's, measured in turn with it.
inline std::optional<double> latency_ratio(const SweepCell& cell) {
  if (!cell.timing || !(cell.timing->reference_ms > 0)) return std::nullopt;
  return cell.timing->latency.median_ms / cell.timing->reference_ms;
}

/// Indices of the cells that no other cell of their model beats.
struct Fronts {
  std::set<std::size_t> by_size;
  std::set<std::size_t> by_time;

  explicit Fronts(const std::vector<SweepCell>& cells) {
    std::set<std::string> models;
    for (const SweepCell& cell : cells) {
      if (!models.insert(cell.model).second) continue;
      for (const std::size_t i : pareto_front(cells, cell.model, size_cost)) by_size.insert(i);
      for (const std::size_t i : pareto_front(cells, cell.model, latency_ratio)) by_time.insert(i);
    }
  }
};

}  // namespace press
