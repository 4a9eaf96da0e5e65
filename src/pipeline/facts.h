// Facts of a model as users mean them.
#pragma once

#include "press/evaluate/model_facts.h"
#include "press/ir/graph.h"

namespace press {

/// model_facts(), where packed weights count as what they unpack to; `constants` stays what the file holds.
ModelFacts facts_of(const Model& model, Detail detail = Detail::kLayers);

}  // namespace press
