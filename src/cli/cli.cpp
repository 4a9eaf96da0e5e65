#include "press/cli/cli.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <new>
#include <string_view>
#include <vector>

#include "console.h"
#include "exit_code.h"
#include "flags.h"
#include "help.h"
#include "press/support/suggest.h"
#include "signals.h"
#include "verb.h"

namespace press {
namespace {

/// A verb with the parser of its flags.
struct ParsedVerb {
  std::unique_ptr<Verb> verb;
  std::unique_ptr<CLI::App> app;
  bool quiet = false;
  bool verbose = false;
  bool help = false;  // seen before parsing; declared for the texts
};

std::unique_ptr<ParsedVerb> declared(std::unique_ptr<Verb> verb) {
  auto parsed = std::make_unique<ParsedVerb>();
  parsed->app =
      std::make_unique<CLI::App>(std::string(verb->description()), "compress " + std::string(verb->name()));
  CLI::App& app = *parsed->app;
  app.set_help_flag();
  verb->declare(app);
  app.add_flag("-q,--quiet", parsed->quiet, "no progress and no summary, only warnings and errors")
      ->group(kGeneralGroup);
  app.add_flag("-v,--verbose", parsed->verbose, "more of what happens, such as what passes declined and why")
      ->group(kGeneralGroup);
  app.add_flag("-h,--help", parsed->help, "the main options (-h) or all of them (--help)")
      ->group(kGeneralGroup);
  parsed->verb = std::move(verb);
  return parsed;
}

/// All verbs with their flags, for texts about them.
std::vector<VerbText> describe_all() {
  std::vector<VerbText> texts;
  for (std::unique_ptr<Verb>& verb : make_verbs()) {
    const auto parsed = declared(std::move(verb));
    texts.push_back(describe(*parsed->verb, *parsed->app));
  }
  return texts;
}

/// The first argument that looks like a flag and is none of the verb's, with the nearest one.
std::string unknown_flag(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    if (!argument.starts_with("--") || argument.size() < 3) continue;
    const std::string name = argument.substr(0, argument.find('='));
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return fmt::format("unknown option '{}'{}", name, did_you_mean(name, known));
  }
  return "";
}

Status parse(ParsedVerb& parsed, const std::vector<std::string>& arguments) {
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    parsed.app->parse(reversed);
    return {};
  } catch (const CLI::ParseError& error) {
    const std::string name(parsed.verb->name());
    std::string message = unknown_flag(*parsed.app, arguments);
    if (message.empty()) message = error.what();
    std::replace(message.begin(), message.end(), '\n', ' ');
    return Error(ErrorCode::kUsage, fmt::format("{} ('compress {} -h' shows the options)", message, name));
  }
}

/// The texts that are made from the flags, for the files of the repository.
Status generate(const std::vector<std::string>& arguments) {
  const std::string what = arguments.empty() ? "" : arguments[0];
  if (what == "manual") return Console::print(manual_page(describe_all()));
  if (what == "completion") return Console::print(bash_completion(describe_all()));
  return Error(ErrorCode::kUsage, "compress generate takes manual or completion");
}

bool is_help(const std::string& argument) {
  return argument == "-h" || argument == "--help";
}

Status run_verb(std::unique_ptr<Verb> verb, const std::vector<std::string>& arguments, Console& console) {
  const auto parsed = declared(std::move(verb));
  const auto help = std::find_if(arguments.begin(), arguments.end(), is_help);
  if (help != arguments.end()) {
    return Console::print(verb_help(describe(*parsed->verb, *parsed->app), *help == "--help"));
  }
  PRESS_TRY(parse(*parsed, arguments));
  if (parsed->verbose) console.set_level(Console::Level::kVerbose);
  if (parsed->quiet) console.set_level(Console::Level::kQuiet);
  return parsed->verb->run(console);
}

Status dispatch(const std::vector<std::string>& arguments, Console& console) {
  if (arguments.empty()) {
    return Error(ErrorCode::kUsage, "say what to do: 'compress --help' lists the verbs");
  }
  const std::string& first = arguments[0];
  const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  if (is_help(first)) return Console::print(command_help(describe_all()));
  if (first == "--version") return Console::print("compress " PRESS_VERSION "\n");
  if (first == "generate") return generate(rest);

  std::vector<std::unique_ptr<Verb>> verbs = make_verbs();
  std::vector<std::string_view> names;
  for (std::unique_ptr<Verb>& verb : verbs) {
    if (verb->name() == first) return run_verb(std::move(verb), rest, console);
    names.push_back(verb->name());
  }
  const char* kind = first.starts_with("-") ? "option" : "verb";
  return Error(ErrorCode::kUsage, fmt::format("unknown {} '{}'{} ('compress --help' lists the verbs)", kind,
                                              first, did_you_mean(first, names)));
}

}  // namespace

std::vector<std::unique_ptr<Verb>> make_verbs() {
  std::vector<std::unique_ptr<Verb>> verbs;
  verbs.push_back(make_inspect());
  verbs.push_back(make_optimize());
  verbs.push_back(make_quantize());
  verbs.push_back(make_prune());
  verbs.push_back(make_calibrate());
  verbs.push_back(make_evaluate());
  verbs.push_back(make_compare());
  verbs.push_back(make_expand());
  verbs.push_back(make_analyze());
  verbs.push_back(make_sweep());
  verbs.push_back(make_report());
  verbs.push_back(make_passes());
  return verbs;
}

int run_command(int argc, char** argv) {
  install_signal_handlers();
  Console console;
  try {
    const Status status = dispatch(std::vector<std::string>(argv + std::min(argc, 1), argv + argc), console);
    if (status.ok()) return kExitDone;
    console.error(status.error().message());
    return exit_code(status.error().code());
  } catch (const std::bad_alloc&) {
    console.error("there is not enough memory");
    return exit_code(ErrorCode::kUnsupported);
  } catch (const std::exception& exception) {
    console.error(fmt::format("internal error: {}; please report it", exception.what()));
    return exit_code(ErrorCode::kInternal);
  }
}

}  // namespace press
