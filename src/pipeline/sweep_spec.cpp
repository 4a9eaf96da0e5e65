#include "press/pipeline/sweep_spec.h"

#include <fmt/format.h>

#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

namespace press {
namespace {

constexpr std::size_t kMostRecipes = 100'000;

const RecipeOption* find_option(std::string_view key) {
  for (const RecipeOption& option : recipe_options()) {
    if (option.key == key) return &option;
  }
  return nullptr;
}

/// A value as TOML text, the same for equal values: numbers of numeric options are written alike.
std::string value_text(const toml::node& node, bool number) {
  if (const toml::array* array = node.as_array()) {
    std::string text = "[";
    for (const toml::node& element : *array) {
      text += (text.size() == 1 ? "" : ", ") + value_text(element, number);
    }
    return text + "]";
  }
  if (const auto text = node.value_exact<std::string>()) return nlohmann::json(*text).dump();
  if (const auto truth = node.value_exact<bool>()) return *truth ? "true" : "false";
  if (const auto integer = node.value_exact<std::int64_t>()) {
    return number ? fmt::format("{}", static_cast<double>(*integer)) : std::to_string(*integer);
  }
  if (const auto real = node.value_exact<double>()) return fmt::format("{}", *real);
  std::ostringstream text;
  text << toml::node_view<const toml::node>(node);
  return text.str();
}

/// A key of the file with its values.
struct Axis {
  std::string key;
  toml::source_index line = 0;
  std::vector<std::string> values;  // as TOML text
};

class Reader {
 public:
  explicit Reader(std::string name) : name_(std::move(name)) {}

  Result<SweepSpec> read(const toml::table& table) {
    for (const auto& [key, node] : table) {
      const bool known =
          key.str() == "models" || key.str() == "samples" || key.str() == "base" || key.str() == "grid";
      if (known) continue;
      return error(
          node.source().begin.line,
          fmt::format("unknown key '{}'; a sweep has models, [samples], [base] and [[grid]]", key.str()));
    }
    SweepSpec spec;
    PRESS_TRY(read_models(table, spec));
    PRESS_ASSIGN(const Settings base, settings_of(table, "base", ""));
    PRESS_ASSIGN(Settings samples, settings_of(table, "samples", "calibration."));
    for (const auto& [key, value] : base) {
      if (key.starts_with("preprocess.")) samples[key] = value;
    }
    PRESS_ASSIGN(const Recipe prepared, parse_recipe(text_of(samples), name_));
    spec.samples = prepared.calibration;

    const toml::node* grid = table.get("grid");
    if (grid == nullptr || !grid->is_array() || grid->as_array()->empty()) {
      return error(grid == nullptr ? 1 : grid->source().begin.line,
                   "there is no [[grid]] with lists of values");
    }
    std::set<std::string> seen;
    for (const toml::node& entry : *grid->as_array()) {
      if (!entry.is_table()) return error(entry.source().begin.line, "'grid' must be tables: [[grid]]");
      PRESS_ASSIGN(const std::vector<Axis> axes, axes_of(*entry.as_table()));
      PRESS_TRY(span_grid(axes, base, entry.source().begin.line, seen, spec));
    }
    return spec;
  }

  Error error(toml::source_index line, const std::string& message) const {
    return Error(ErrorCode::kUsage, fmt::format("sweep '{}', line {}: {}", name_, line, message));
  }

 private:
  using Settings = std::map<std::string, std::string>;  // key -> value as TOML text

  Status read_models(const toml::table& table, SweepSpec& spec) const {
    const toml::node* node = table.get("models");
    if (node == nullptr) return {};
    const toml::array* list = node->as_array();
    if (list == nullptr) return error(node->source().begin.line, "'models' must be a list of strings");
    for (const toml::node& model : *list) {
      const auto path = model.value_exact<std::string>();
      if (!path) return error(model.source().begin.line, "'models' must be a list of strings");
      spec.models.push_back(*path);
    }
    return {};
  }

  /// The keys of a grid in the order of the file, each value checked by itself.
  Result<std::vector<Axis>> axes_of(const toml::table& table) const {
    std::vector<Axis> axes;
    PRESS_TRY(collect(table, "", true, axes));
    std::stable_sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) { return a.line < b.line; });
    return axes;
  }

  Status collect(const toml::table& table, const std::string& prefix, bool lists,
                 std::vector<Axis>& axes) const {
    for (const auto& [name, node] : table) {
      const std::string key = prefix + std::string(name.str());
      if (node.is_table()) {
        PRESS_TRY(collect(*node.as_table(), key + ".", lists, axes));
        continue;
      }
      const RecipeOption* option = find_option(key);
      const bool number =
          option != nullptr && (option->kind == OptionKind::kNumber || option->kind == OptionKind::kNumbers);
      const bool is_list =
          option != nullptr && (option->kind == OptionKind::kNumbers || option->kind == OptionKind::kTexts);
      Axis axis{.key = key, .line = node.source().begin.line, .values = {}};
      const toml::array* array = lists ? node.as_array() : nullptr;
      // For options that are lists themselves only a list of lists is several values.
      const bool several = array != nullptr && !array->empty() && (!is_list || array->get(0)->is_array());
      if (several) {
        for (const toml::node& value : *array) axis.values.push_back(value_text(value, number));
      } else {
        axis.values.push_back(value_text(node, number));
      }
      for (const std::string& value : axis.values) PRESS_TRY(check(axis, value));
      axes.push_back(std::move(axis));
    }
    return {};
  }

  /// The recipe reader finds what is wrong with a key or value; it is given the line where it stands.
  Status check(const Axis& axis, const std::string& value) const {
    const std::string text =
        std::string(axis.line > 0 ? axis.line - 1 : 0, '\n') + axis.key + " = " + value + "\n";
    auto recipe = parse_recipe(text, name_);
    if (recipe.ok()) return {};
    return std::move(recipe).error();
  }

  /// A table of single values; `prefix` stands before each key.
  Result<Settings> settings_of(const toml::table& table, std::string_view name,
                               const std::string& prefix) const {
    Settings settings;
    const toml::node* node = table.get(name);
    if (node == nullptr) return settings;
    if (!node->is_table()) {
      return error(node->source().begin.line, fmt::format("'{0}' must be a table: [{0}]", name));
    }
    std::vector<Axis> axes;
    PRESS_TRY(collect(*node->as_table(), prefix, false, axes));
    for (const Axis& axis : axes) settings[axis.key] = axis.values.front();
    return settings;
  }

  static std::string text_of(const Settings& settings) {
    std::string text;
    for (const auto& [key, value] : settings) text += fmt::format("{} = {}\n", key, value);
    return text;
  }

  /// Every combination; those that an earlier grid has already are left out.
  Status span_grid(const std::vector<Axis>& axes, const Settings& base, toml::source_index line,
                   std::set<std::string>& seen, SweepSpec& spec) const {
    std::vector<std::size_t> at(axes.size(), 0);
    while (true) {
      Settings all = base;
      SweepRecipe recipe;
      for (std::size_t a = 0; a < axes.size(); ++a) {
        all[axes[a].key] = axes[a].values[at[a]];
        // Where samples lie is told only where it varies.
        const bool place = axes[a].key.starts_with("calibration.") || axes[a].key.starts_with("preprocess.");
        if (place && axes[a].values.size() == 1) continue;
        recipe.settings.emplace_back(axes[a].key, axes[a].values[at[a]]);
      }
      recipe.text = text_of(all);
      if (seen.insert(recipe.text).second) {
        recipe.label = label_of(recipe.settings);
        PRESS_ASSIGN(recipe.recipe, parse_recipe(recipe.text, name_));
        spec.recipes.push_back(std::move(recipe));
        if (spec.recipes.size() > kMostRecipes) {
          return error(line, fmt::format("the lists span more than {} recipes", kMostRecipes));
        }
      }
      std::size_t a = axes.size();
      while (a > 0 && ++at[a - 1] == axes[a - 1].values.size()) at[--a] = 0;
      if (a == 0) return {};
    }
  }

  /// Words are told by themselves where the key says no more (type, method); the rest with their keys.
  static std::string label_of(const std::vector<std::pair<std::string, std::string>>& settings) {
    std::string label;
    for (const auto& [key, value] : settings) {
      if (value == "\"none\"") continue;
      const std::string last = key.substr(key.rfind('.') + 1);
      std::string words = value;
      std::erase(words, '"');
      if (value == "true") {
        words = last;
      } else if (value == "false") {
        words = "no " + last;
      } else if (last != "type" && last != "method") {
        words = fmt::format("{} {}", last, words);
      }
      label += fmt::format("{}{}", label.empty() ? "" : ", ", words);
    }
    return label.empty() ? "base" : label;
  }

  std::string name_;
};

}  // namespace

Result<SweepSpec> parse_sweep(std::string_view text, const std::string& name) {
  Reader reader(name);
  try {
    const toml::table parsed = toml::parse(text, name);
    return reader.read(parsed);
  } catch (const toml::parse_error& error) {
    return reader.error(error.source().begin.line, std::string(error.description()));
  }
}

Result<SweepSpec> load_sweep(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    return Error(ErrorCode::kInput,
                 fmt::format("cannot read sweep '{}': it is missing, empty or not a readable file", path));
  }
  return parse_sweep(text.str(), path);
}

}  // namespace press
