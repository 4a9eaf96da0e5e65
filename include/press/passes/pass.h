// A pass rewrites a model: one function in one file, named in passes.def with its family, its numerics and
// one line for people. The pass manager (src/pipeline) verifies, times, checks that the rewrites were told
// truthfully, removes dead nodes and reports; a pass only rewrites and says what it declined.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "press/ir/graph.h"
#include "press/passes/options.h"
#include "press/support/result.h"

namespace press {

/// What a rewrite may do to the outputs: what a test tolerates and the report says.
enum class Numerics {
  kExact,         // bit for bit the same
  kReassociated,  // the same in exact arithmetic; rounding may differ
  kLossy,         // an approximation on purpose
};

/// "exact", "reassociated", "lossy".
std::string_view name(Numerics numerics);

/// A node that matched at first sight, and why it was left as it is.
struct Declined {
  std::string node;
  std::string reason;
};

struct PassOutcome {
  std::size_t rewrites = 0;  // 0: the model is unchanged, byte for byte
  std::vector<Declined> declined;
  std::vector<std::string> notes;  // one sentence each, for the report ("opset raised from 11 to 13")
};

using PassFunction = Result<PassOutcome> (*)(Model&, const PassContext&);

struct PassInfo {
  std::string_view family;
  std::string_view name;
  Numerics numerics;
  std::string_view summary;
  PassFunction run;
};

/// All passes, in the order of passes.def.
std::span<const PassInfo> all_passes();

/// Null where no pass has that name.
const PassInfo* find_pass(std::string_view name);

/// The text of docs/passes.md.
std::string passes_markdown();

}  // namespace press
