// A sweep: recipes that a TOML file spans by lists of values. docs/sweep.md describes the file.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "press/pipeline/recipe.h"
#include "press/support/result.h"

namespace press {

/// One combination of values.
struct SweepRecipe {
  std::string label;  // what tells it from the others, for people: "int8, sparsity 0.5"
  std::vector<std::pair<std::string, std::string>> settings;  // key and value as in the grid
  std::string text;  // the whole recipe as TOML, a sorted line a key: equal settings give equal texts
  Recipe recipe;
};

struct SweepSpec {
  std::vector<std::string> models;   // paths as the file has them; may be empty
  SampleOptions samples;             // to evaluate on: [samples], prepared as [base] says
  std::vector<SweepRecipe> recipes;  // in the order of the file, the last key of a grid running fastest
};

/// Errors: as load_recipe, and kUsage for more than 100,000 combinations or none.
Result<SweepSpec> load_sweep(const std::string& path);

/// The same from text; `name` stands for the file in errors.
Result<SweepSpec> parse_sweep(std::string_view text, const std::string& name);

}  // namespace press
