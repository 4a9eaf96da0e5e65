// Where in a network a compressed model leaves its original: value by value, with what lies behind it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "press/evaluate/metrics.h"
#include "press/ir/graph.h"
#include "press/runtime/batch.h"
#include "press/support/result.h"

namespace press {

/// Counts over equal bins between two values, for drawing.
struct Bars {
  double lo = 0;
  double hi = 0;
  std::vector<std::int64_t> counts;  // empty: there was nothing to count
};

/// One node of the compressed model whose output the original has too.
struct LayerEvidence {
  std::string name;  // of the node, else of its output
  std::string op_type;
  Difference output;         // against the original's value, errors of earlier layers included
  std::int64_t weights = 0;  // of a linear operator
  std::int64_t zero_weights = 0;
  std::int64_t weight_bytes = 0;  // as stored
  Bars original_outputs;
  /// Range that a QuantizeLinear behind the output can express; nullopt where there is none.
  std::optional<std::pair<double, double>> range;
  Bars original_weights;  // where a node of the same name has constant weights
  Bars stored_weights;    // as the compressed model computes with them
};

/// Values are matched by name and shape. Passes that fold a layer into the one before it keep its name for
/// another value; so `originals` may be several equal networks in different forms, and of each value the
/// nearest one counts. Batches are run by sessions of one thread; memory grows with the size of one batch's
/// activations. Errors: as Session.
Result<std::vector<LayerEvidence>> compare_layers(std::span<const Graph* const> originals,
                                                  const Graph& compressed, std::span<const Batch> batches);

}  // namespace press
