// Limits that a model must keep, for machines that decide: accuracy, difference, size, time.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "press/pipeline/evaluation.h"

namespace press {

/// One limit that can be set. `found` measures it of a model; `first` is the reference.
struct GateKind {
  std::string_view name;  // "min-top1"; the flag is "--" + name
  std::string_view what;  // "top-1"
  std::string_view unit;  // "%", "bytes", …; "" for ratios
  bool at_least;          // the figure must reach the limit; else it must not exceed it
  bool needs_latency;
  std::string_view help;
  std::string_view unknown;  // why there may be no figure
  std::optional<double> (*found)(const ModelEvaluation& model, const ModelEvaluation& first);
};

std::span<const GateKind> all_gates();

struct GateLimit {
  const GateKind* kind = nullptr;
  double limit = 0;
};

/// Every limit on every model; the first model is the reference and is held to them only where it is the only
/// one. A figure that is not known misses its limit. Sentences say by how much.
std::vector<GateOutcome> check_gates(const Evaluation& evaluation, std::span<const GateLimit> limits);

}  // namespace press
