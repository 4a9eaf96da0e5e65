// Where the scales go: which operators compute on integers, which values are quantized for them, and which
// values must share one scale. Looks only; quantize_static rewrites by it.
#pragma once

#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "passes/selection.h"
#include "press/ir/graph.h"
#include "press/numeric/quantization.h"
#include "press/passes/pass.h"

namespace press::quantize {

/// A linear operator with constant weights, and what belongs to it: a bias (its own input, or an Add of a
/// constant behind a MatMul) and a clamp (Relu, Clip) that the quantized type's limits can replace. Its
/// activation is input 0.
struct LinearUnit {
  Node* node = nullptr;
  std::size_t weight_index = 1;
  ChannelLayout layout;        // of the weight
  std::optional<int> axis;     // of the weight's channels; none where it must be quantized as a whole
  Node* bias_node = nullptr;   // null: no bias
  std::size_t bias_index = 0;  // input of bias_node
  Value* output = nullptr;     // of the last operator of the unit
};

struct Placement {
  std::vector<LinearUnit> linear;
  std::vector<Node*> others;        // operators without weights that compute on integers
  std::vector<Value*> activations;  // that get a scale, in the order of the graph's values
  std::vector<Value*> constants;    // operands of `others` that get a scale
  std::vector<std::pair<Value*, Value*>>
      ties;                    // both sides of an operator that only moves elements: one scale
  std::vector<Node*> concats;  // inputs and output should have one scale
  std::unordered_map<const Value*, Range> limits;  // of values behind a clamp that became part of its unit
  std::vector<Declined> declined;
};

/// The statistics-based range of a value: what was seen (`extremes`) and what the observer makes of it
/// (`range`).
struct Observed {
  Range extremes;
  Range range;
};

/// Nullopt where there are no statistics of the value.
using Observations = std::function<std::optional<Observed>(const Value&)>;

/// `observations` is null before calibration: then every value counts as observed.
/// Errors (kInput): a weight or bias that is NaN or infinite.
Result<Placement> place(const Graph& graph, const NodeMatcher& selected, const Observations& observations);

/// The bounds of an elementwise clamp (Relu, Clip) where they are constant.
std::optional<Range> clamp_bounds(const Node& node);

/// Errors (kInput): an element of the constant `value` (a weight or `what` else of `node`) that is NaN or
/// infinite.
Status check_finite(const Value& value, const Node& node, std::string_view what);

}  // namespace press::quantize
