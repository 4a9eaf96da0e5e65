#include "help.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "flags.h"

namespace press {
namespace {

constexpr std::size_t kLineWidth = 96;

/// `text` in lines of kLineWidth, all but the first one indented.
std::string wrap(const std::string& text, std::size_t indent, std::size_t column) {
  std::string result;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (column + word.size() > kLineWidth && column > indent) {
      if (!result.empty() && result.back() == ' ') result.pop_back();
      result += '\n' + std::string(indent, ' ');
      column = indent;
    }
    result += word;
    column += word.size();
    if (end < text.size()) {
      result += ' ';
      ++column;
    }
    begin = end + 1;
  }
  return result;
}

std::string flag_lines(const FlagText& flag, bool with_default) {
  constexpr std::size_t kColumn = 28;
  std::string help = flag.help;
  if (with_default && !flag.fallback.empty()) help += fmt::format(" (default: {})", flag.fallback);
  std::string line = fmt::format("  {:<{}}", flag.spelling, kColumn - 2);
  if (line.size() > kColumn) line += "\n" + std::string(kColumn, ' ');
  return line + wrap(help, kColumn, kColumn) + "\n";
}

std::string examples_text(const VerbText& verb) {
  if (verb.examples.empty()) return "";
  std::string text = "\nExamples:\n";
  std::size_t begin = 0;
  while (begin < verb.examples.size()) {
    const std::size_t end = std::min(verb.examples.find('\n', begin), verb.examples.size());
    text += "  " + verb.examples.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  return text;
}

FlagText describe(const CLI::Option& option) {
  FlagText flag;
  flag.positional = option.get_positional();
  flag.help = option.get_description();
  flag.group = option.get_group();
  flag.fallback = option.get_default_str();
  flag.takes_value = option.get_type_size() > 0;
  if (flag.positional) {
    flag.spelling = option.get_name() + (option.get_expected_max() > 1 ? "..." : "");
    return flag;
  }
  const std::vector<std::string>& negatives = option.get_fnames();
  for (const std::string& name : option.get_snames()) flag.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) flag.names.push_back("--" + name);
  for (const std::string& name : flag.names) {
    const std::string bare = name.substr(name.find_first_not_of('-'));
    if (std::find(negatives.begin(), negatives.end(), bare) != negatives.end()) continue;
    const bool switchable = std::find(negatives.begin(), negatives.end(), "no-" + bare) != negatives.end();
    flag.spelling += (flag.spelling.empty() ? "" : ", ") + (switchable ? "--[no-]" + bare : name);
  }
  if (!flag.takes_value && flag.fallback == "true") flag.fallback = "on";
  if (!flag.takes_value && flag.fallback == "false") flag.fallback = "off";
  if (flag.takes_value) flag.spelling += " " + option.get_type_name();
  return flag;
}

}  // namespace

std::string VerbText::usage() const {
  std::string text = "compress " + name;
  for (const FlagText& flag : flags) {
    if (flag.positional) text += " " + flag.spelling;
  }
  const bool writes = std::any_of(flags.begin(), flags.end(), [](const FlagText& flag) {
    return flag.spelling.starts_with("-o, --output");
  });
  return text + (writes ? " -o FILE" : "") + " [options]";
}

VerbText describe(const Verb& verb, const CLI::App& app) {
  VerbText text{.name = std::string(verb.name()),
                .summary = std::string(verb.summary()),
                .description = std::string(verb.description()),
                .examples = std::string(verb.examples()),
                .flags = {}};
  for (const CLI::Option* option : app.get_options()) text.flags.push_back(describe(*option));
  return text;
}

std::string verb_help(const VerbText& verb, bool full) {
  std::string text = fmt::format("Usage: {}\n\n{}\n", verb.usage(), wrap(verb.description, 0, 0));
  std::vector<std::string> groups{kMainGroup};
  for (const FlagText& flag : verb.flags) {
    const bool known = std::find(groups.begin(), groups.end(), flag.group) != groups.end();
    if (full && !known && !flag.positional && flag.group != kGeneralGroup) groups.push_back(flag.group);
  }
  if (full) groups.emplace_back(kGeneralGroup);
  for (const std::string& group : groups) {
    text += fmt::format("\n{}:\n", group);
    for (const FlagText& flag : verb.flags) {
      if (flag.positional ? group == kMainGroup : flag.group == group) text += flag_lines(flag, full);
    }
  }
  text += examples_text(verb);
  if (!full) text += fmt::format("\n'compress {} --help' lists every option with its default.\n", verb.name);
  return text;
}

std::string command_help(const std::vector<VerbText>& verbs) {
  std::string text =
      "compress makes trained neural networks (ONNX) smaller and faster: it prunes, fuses and quantizes\n"
      "them, calibrates on a folder of images, and tells what that cost and gained.\n"
      "\n"
      "Usage: compress VERB ...\n"
      "\n"
      "Verbs:\n";
  for (const VerbText& verb : verbs) text += fmt::format("  {:<10}{}\n", verb.name, verb.summary);
  return text +
         "\n"
         "  -h, --help    this text; after a verb: its options (-h the main ones, --help all of them)\n"
         "  --version     the version\n"
         "\n"
         "Example:\n"
         "  compress optimize model.onnx -o small.onnx --fuse --quantize int8 --calibration images/\n";
}

}  // namespace press
