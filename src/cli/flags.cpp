#include "flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <thread>

#include "console.h"
#include "press/support/atomic_file.h"

namespace press {
namespace {

template <typename T>
Result<T> parse_whole(std::string_view text, const char* what) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  return Error(ErrorCode::kUsage, fmt::format("'{}' is {}", text, what));
}

/// "0.485,0.456,0.406"
Result<std::vector<double>> parse_numbers(std::string_view text) {
  std::vector<double> numbers;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    PRESS_ASSIGN(const double number, parse_number(text.substr(begin, end - begin)));
    numbers.push_back(number);
    begin = end + 1;
  }
  return numbers;
}

template <typename T>
Result<OptionValue> wrapped(Result<T> value) {
  if (!value.ok()) return std::move(value).error();
  return OptionValue(std::move(value).value());
}

Result<OptionValue> option_value(OptionKind kind, const CLI::Option& given) {
  switch (kind) {
    case OptionKind::kSwitch:
      return OptionValue(given.as<bool>());
    case OptionKind::kInteger:
      return wrapped(parse_integer(given.results().back()));
    case OptionKind::kNumber:
      return wrapped(parse_number(given.results().back()));
    case OptionKind::kText:
      return OptionValue(given.results().back());
    case OptionKind::kNumbers:
      return wrapped(parse_numbers(given.results().back()));
    case OptionKind::kTexts:
      return OptionValue(std::vector<std::string>(given.results()));
  }
  return Error(ErrorCode::kInternal, "unknown kind of option");
}

CLI::Option* add_option(CLI::App& app, const std::string& flag, OptionKind kind, const std::string& help) {
  if (kind == OptionKind::kSwitch) return app.add_flag(flag + ",!--no-" + flag.substr(2), help);
  CLI::Option* option = app.add_option(
      flag, [](const CLI::results_t&) { return true; }, help);
  option->expected(1)->allow_extra_args(false);
  option->multi_option_policy(kind == OptionKind::kTexts ? CLI::MultiOptionPolicy::TakeAll
                                                         : CLI::MultiOptionPolicy::Throw);
  return option;
}

}  // namespace

void RecipeFlags::add(CLI::App& app, std::string_view key, const Look& look) {
  const auto options = recipe_options();
  const auto option =
      std::find_if(options.begin(), options.end(), [&](const auto& o) { return o.key == key; });
  if (option == options.end() || has(key)) return;
  const std::string flag(look.flag.empty() ? option->flag : look.flag);
  CLI::Option* given =
      add_option(app, flag, option->kind, std::string(look.help.empty() ? option->help : look.help));
  given->group(look.group);
  given->type_name(std::string(option->placeholder));
  given->default_str(std::string(look.fallback.empty() ? option->fallback : look.fallback));
  flags_.push_back({flag, &*option, given});
}

void RecipeFlags::add_section(CLI::App& app, const std::vector<std::string_view>& prefixes,
                              const char* group) {
  for (const RecipeOption& option : recipe_options()) {
    const bool in_section = std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view prefix) {
      return option.key.starts_with(prefix);
    });
    if (in_section && !option.flag.empty()) add(app, option.key, {.group = group});
  }
}

void RecipeFlags::add_samples(CLI::App& app) {
  add(app, "preprocess.preset", {});
  add_section(app, {"calibration."}, kSamplesGroup);
  add_section(app, {"preprocess."}, kPreprocessGroup);
}

bool RecipeFlags::has(std::string_view key) const {
  return std::any_of(flags_.begin(), flags_.end(), [&](const Flag& flag) { return flag.option->key == key; });
}

Status RecipeFlags::apply(Recipe& recipe) const {
  for (const Flag& flag : flags_) {
    if (flag.given->count() == 0) continue;
    PRESS_ASSIGN(const OptionValue value,
                 option_value(flag.option->kind, *flag.given).with_context(flag.name));
    PRESS_TRY(flag.option->set(recipe, value).with_context(flag.name));
  }
  return {};
}

std::vector<std::string> RecipeFlags::given() const {
  std::vector<std::string> words;
  for (const Flag& flag : flags_) {
    for (const std::string& value : flag.given->results()) {
      words.push_back(flag.name);
      words.push_back(value);
    }
  }
  return words;
}

void TextTarget::add(CLI::App& app, std::string flag_name, std::string_view help) {
  flag = std::move(flag_name);
  extension = flag == "--markdown" ? ".md" : flag == "--junit" ? ".xml" : "." + flag.substr(2);
  option = app.add_option(flag, path, std::string(help));
  option->expected(0, 1)->type_name("[FILE]")->group(kMainGroup);
}

bool TextTarget::wanted() const {
  return option != nullptr && option->count() > 0;
}
bool TextTarget::to_stdout() const {
  return wanted() && (path.empty() || path == "-");
}

Status TextTarget::check() const {
  if (!wanted() || to_stdout() || path.ends_with(extension)) return {};
  return Error(ErrorCode::kUsage,
               fmt::format("{} takes a file whose name ends in {}, or - for standard output, not '{}'", flag,
                           extension, path));
}

Status TextTarget::write(const std::string& text) const {
  if (to_stdout()) return Console::print(text);
  return write_file(path, text);
}

void Threads::add(CLI::App& app) {
  app.add_option("--threads", count, "threads to work with; the result does not depend on it")
      ->check(CLI::Range(0, 1024))
      ->type_name("N")
      ->default_str("all cores")
      ->group(kGeneralGroup);
}

int Threads::resolved() const {
  if (count > 0) return count;
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

Result<std::int64_t> parse_integer(std::string_view text) {
  return parse_whole<std::int64_t>(text, "no whole number");
}

Result<double> parse_number(std::string_view text) {
  return parse_whole<double>(text, "no number");
}

}  // namespace press
