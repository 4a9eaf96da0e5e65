// The functions that criteria.def names.
#pragma once

#include "press/numeric/pruning_criteria.h"

namespace press::criteria {

#define PRESS_CRITERION(id, name, needs, function, summary) \
  RemovalTrace function(const CriterionInput& input);
#include "press/numeric/criteria.def"

}  // namespace press::criteria
