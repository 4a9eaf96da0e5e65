#include "facts.h"

#include <utility>

#include "press/passes/pass.h"
#include "press/pipeline/pass_manager.h"

namespace press {

ModelFacts facts_of(const Model& model, Detail detail) {
  ModelFacts facts = model_facts(*model.graph, detail);
  if (model.graph->functions().empty()) return facts;
  Model plain = clone(model);
  const Result<PassReport> expanded = run_pass(plain, *find_pass("expand_weights"), {});
  if (!expanded.ok() || expanded->rewrites == 0) return facts;
  ModelFacts logical = model_facts(*plain.graph, detail);
  logical.constants = std::move(facts.constants);
  logical.operators = std::move(facts.operators);
  return logical;
}

}  // namespace press
