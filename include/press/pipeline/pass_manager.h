// Runs passes over a model and answers for them: each one is timed, the graph verified after it, its word on
// what it rewrote checked, what it left dead removed.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "press/passes/pass.h"

namespace press {

/// Passes in the order they run; `until_stable` repeats all of them until none rewrites anything.
struct PassGroup {
  std::vector<std::string> passes;
  bool until_stable = false;
};

/// The passes of family `cleanup`, until stable.
PassGroup cleanup_group();

struct PassManagerOptions {
  std::vector<std::string> only;     // empty: all
  std::vector<std::string> disable;  // wins over `only`
  /// Rounds that a group may take to become stable; reaching it is a note in the reports, no error.
  int max_rounds = 10;
  /// Before each pass: which one, its position among all passes to run and how many they are. Rounds after a
  /// group's first one report the same positions again.
  std::function<void(const PassInfo& pass, std::size_t index, std::size_t count)> progress;
  /// After each run of a pass: the graph as text.
  std::function<void(const PassInfo& pass, const std::string& text)> dump;
  /// After each run of a pass, dead code removed: what it said and the graph it left.
  std::function<void(const PassInfo& pass, const PassOutcome& outcome, const Graph& graph)> observe;
};

/// What one pass did, over all rounds of its group.
struct PassReport {
  std::string name;
  std::string family;
  Numerics numerics = Numerics::kExact;
  std::size_t rewrites = 0;
  std::vector<Declined> declined;  // as of the last round
  std::vector<std::string> notes;  // without repetitions
  double seconds = 0;              // of the pass alone
  std::size_t nodes_before = 0;    // subgraphs included
  std::size_t nodes_after = 0;
};

/// Runs the groups in order; one report a pass that was not filtered out. Errors: kUsage where a name is that
/// of no pass; kInternal where a pass breaks the graph or does not tell the truth about its rewrites; a
/// pass's own errors. All name the pass; the model is then of no further use.
Result<std::vector<PassReport>> run_passes(Model& model, const std::vector<PassGroup>& groups,
                                           const PassContext& context,
                                           const PassManagerOptions& options = {});

/// One pass, checked in the same way.
Result<PassReport> run_pass(Model& model, const PassInfo& pass, const PassContext& context);

}  // namespace press
