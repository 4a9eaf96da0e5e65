// Declares the function of every pass in passes.def.
#pragma once

#include "press/passes/pass.h"

namespace press::passes {

#define PRESS_PASS(family, name, numerics, summary) \
  Result<PassOutcome> name(Model& model, const PassContext& context);
#include "passes/passes.def"

}  // namespace press::passes
