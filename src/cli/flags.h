// Flags that several verbs share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "press/pipeline/recipe.h"
#include "press/support/result.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace press {

// Groups of flags in help and manual; only the first one is in the short help.
inline constexpr const char* kMainGroup = "Options";
inline constexpr const char* kSelectionGroup = "Nodes and passes";
inline constexpr const char* kSamplesGroup = "Samples";
inline constexpr const char* kPreprocessGroup = "Preprocessing of images";
inline constexpr const char* kGeneralGroup = "General";

/// Flags made of recipe_options(), and what was given for them.
class RecipeFlags {
 public:
  struct Look {
    std::string_view flag;      // "": the option's own
    std::string_view fallback;  // "": the option's own
    std::string_view help;      // "": the option's own
    const char* group = kMainGroup;
  };

  void add(CLI::App& app, std::string_view key, const Look& look);
  /// The options of nodes.*, passes.*; of the samples (path and limit left out); of preprocessing.
  void add_selection(CLI::App& app) { add_section(app, {"nodes.", "passes."}, kSelectionGroup); }
  void add_samples(CLI::App& app);
  /// One group for each option that a file of samples needs.
  void add_section(CLI::App& app, const std::vector<std::string_view>& prefixes, const char* group);

  /// Sets in `recipe` what was given. Errors: kUsage, naming the flag.
  Status apply(Recipe& recipe) const;

  /// What was given, as words of a command line.
  std::vector<std::string> given() const;

 private:
  struct Flag {
    std::string name;
    const RecipeOption* option;
    const CLI::Option* given;
  };
  bool has(std::string_view key) const;

  std::vector<Flag> flags_;
};

/// A report in one format: --json [FILE], --csv [FILE], …
struct TextTarget {
  std::string path;  // "-" or "": standard output
  std::string flag;
  std::string extension;
  CLI::Option* option = nullptr;

  void add(CLI::App& app, std::string flag_name, std::string_view help);
  bool wanted() const;
  bool to_stdout() const;
  /// kUsage where the value is something that the user hardly meant, such as the model.
  Status check() const;
  /// Errors: kOutput.
  Status write(const std::string& text) const;
};

/// --json [FILE]
struct JsonTarget : TextTarget {
  void add(CLI::App& app, std::string_view help) { TextTarget::add(app, "--json", help); }
};

/// --threads N; 0 stands for all cores.
struct Threads {
  int count = 0;

  void add(CLI::App& app);
  int resolved() const;
};

/// A whole, valid number in `text`, or kUsage.
Result<std::int64_t> parse_integer(std::string_view text);
Result<double> parse_number(std::string_view text);

}  // namespace press
