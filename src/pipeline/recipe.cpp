#include "press/pipeline/recipe.h"

#include <fmt/format.h>

#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

#include "press/support/suggest.h"

namespace press {
namespace {

/// Built in its place: GCC 12 warns of the temporary variants that a conversion would make.
template <typename T>
std::optional<OptionValue> made(T value) {
  return std::optional<OptionValue>(std::in_place, std::in_place_type<T>, std::move(value));
}

template <typename T>
std::optional<OptionValue> single_value(const toml::node& node) {
  std::optional<T> value = node.value_exact<T>();
  if (!value) return std::nullopt;
  return made(std::move(*value));
}

/// A list, or a single element for a list of one.
template <typename T>
std::optional<OptionValue> list_value(const toml::node& node) {
  std::vector<T> list;
  const auto add = [&](const toml::node& element) {
    const std::optional<T> value = element.value<T>();
    if (value) list.push_back(*value);
    return value.has_value();
  };
  if (const toml::array* array = node.as_array()) {
    if (!std::all_of(array->begin(), array->end(), add)) return std::nullopt;
  } else if (!add(node)) {
    return std::nullopt;
  }
  return made(std::move(list));
}

/// The value of a node in the option's type; nullopt where it is of another type.
std::optional<OptionValue> option_value(OptionKind kind, const toml::node& node) {
  switch (kind) {
    case OptionKind::kSwitch:
      return single_value<bool>(node);
    case OptionKind::kInteger:
      return single_value<std::int64_t>(node);
    case OptionKind::kNumber:
      if (node.is_integer()) return made(static_cast<double>(*node.value_exact<std::int64_t>()));
      return single_value<double>(node);
    case OptionKind::kText:
      // Sizes may be written as bare numbers: resize = 256.
      if (node.is_integer()) return made(std::to_string(*node.value_exact<std::int64_t>()));
      return single_value<std::string>(node);
    case OptionKind::kNumbers:
      return list_value<double>(node);
    case OptionKind::kTexts:
      return list_value<std::string>(node);
  }
  return std::nullopt;
}

std::string_view expected(OptionKind kind) {
  switch (kind) {
    case OptionKind::kSwitch:
      return "true or false";
    case OptionKind::kInteger:
      return "an integer";
    case OptionKind::kNumber:
      return "a number";
    case OptionKind::kText:
      return "a string";
    case OptionKind::kNumbers:
      return "a list of numbers";
    case OptionKind::kTexts:
      return "a list of strings";
  }
  return "";
}

std::string found(const toml::node& node) {
  std::ostringstream text;
  text << node.type();
  return text.str();
}

class Reader {
 public:
  explicit Reader(std::string name) : name_(std::move(name)) {
    for (const RecipeOption& option : recipe_options()) {
      keys_.push_back(option.key);
      const std::size_t dot = option.key.find('.');
      if (dot != std::string_view::npos) sections_.push_back(option.key.substr(0, dot));
    }
  }

  Status read(const toml::table& table, const std::string& prefix, Recipe& recipe) {
    // The table sorts its keys; errors shall come in the order of the file.
    std::vector<std::pair<std::string, const toml::node*>> entries;
    for (const auto& [key, node] : table) entries.emplace_back(prefix + std::string(key.str()), &node);
    std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
      return a.second->source().begin.line < b.second->source().begin.line;
    });
    for (const auto& [key, node] : entries) {
      const bool section = std::find(sections_.begin(), sections_.end(), key) != sections_.end();
      if (section && node->is_table()) {
        PRESS_TRY(read(*node->as_table(), key + ".", recipe));
      } else {
        PRESS_TRY(set(key, *node, recipe));
      }
    }
    return {};
  }

  Error error(const toml::source_position& place, const std::string& message) const {
    return Error(ErrorCode::kUsage, fmt::format("recipe '{}', line {}: {}", name_, place.line, message));
  }

 private:
  Status set(const std::string& key, const toml::node& node, Recipe& recipe) const {
    const toml::source_position place = node.source().begin;
    const auto options = recipe_options();
    const auto option =
        std::find_if(options.begin(), options.end(), [&](const auto& o) { return o.key == key; });
    if (option == options.end()) {
      std::vector<std::string_view> names = keys_;
      names.insert(names.end(), sections_.begin(), sections_.end());
      return error(place, fmt::format("unknown key '{}'{}", key, did_you_mean(key, names)));
    }
    const std::optional<OptionValue> value = option_value(option->kind, node);
    if (!value) {
      return error(
          place, fmt::format("'{}' must be {}, but is of type {}", key, expected(option->kind), found(node)));
    }
    if (Status status = option->set(recipe, *value); !status.ok()) {
      return error(place, fmt::format("'{}': {}", key, status.error().message()));
    }
    return {};
  }

  std::string name_;
  std::vector<std::string_view> keys_;
  std::vector<std::string_view> sections_;
};

}  // namespace

bool PreprocessOptions::given() const {
  return !preset.empty() || resize || crop || interpolation || scale || mean || std || channels || order ||
         layout;
}

Result<Preprocess> resolve(const PreprocessOptions& options) {
  Preprocess steps;
  if (!options.preset.empty()) {
    PRESS_ASSIGN(steps, preprocess_preset(options.preset));
  }
  if (options.channels) steps.channels = *options.channels;
  if (options.order) set_channel_order(steps, *options.order);
  if (options.resize) steps.resize = *options.resize;
  if (options.crop) steps.crop = options.crop;
  if (options.interpolation) steps.interpolation = *options.interpolation;
  if (options.scale) steps.scale = *options.scale;
  if (options.mean) steps.mean = *options.mean;
  if (options.std) steps.std = *options.std;
  if (options.layout) steps.layout = options.layout;
  return steps;
}

Result<Recipe> parse_recipe(std::string_view text, const std::string& name) {
  Reader reader(name);
  try {
    const toml::table parsed = toml::parse(text, name);
    Recipe recipe;
    PRESS_TRY(reader.read(parsed, "", recipe));
    return recipe;
  } catch (const toml::parse_error& error) {
    return reader.error(error.source().begin, std::string(error.description()));
  }
}

Result<Recipe> load_recipe(const std::string& path) {
  constexpr std::streamsize kLongest = 1 << 20;
  std::ifstream file(path, std::ios::binary);
  std::string text(static_cast<std::size_t>(kLongest) + 1, '\0');
  file.read(text.data(), kLongest + 1);
  if (file.bad() || (file.gcount() == 0 && !file.eof())) {
    return Error(ErrorCode::kInput,
                 fmt::format("cannot read recipe '{}': it is missing or not a readable file", path));
  }
  if (file.gcount() > kLongest) {
    return Error(ErrorCode::kInput, fmt::format("recipe '{}' is longer than {} bytes", path, kLongest));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return parse_recipe(text, path);
}

}  // namespace press
