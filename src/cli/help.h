// Texts that are made from the flags as they are declared: help, manual page, completion. So none of them can
// lie.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "verb.h"

namespace CLI {
class App;
}

namespace press {

/// One flag or positional as people read it.
struct FlagText {
  std::string spelling;            // "-o, --output FILE", "--[no-]fuse"
  std::vector<std::string> names;  // every way to write it, with dashes; empty for a positional
  std::string help;
  std::string fallback;  // "" where there is none to tell
  std::string group;
  bool takes_value = false;
  bool positional = false;
};

/// A verb with its flags; the first entry of a list stands for the command itself.
struct VerbText {
  std::string name;
  std::string summary;
  std::string description;
  std::string examples;
  std::vector<FlagText> flags;

  std::string usage() const;
};

VerbText describe(const Verb& verb, const CLI::App& app);

/// `full`: every group and every default; else only the main group.
std::string verb_help(const VerbText& verb, bool full);
std::string command_help(const std::vector<VerbText>& verbs);

/// docs/compress.1, for man(1).
std::string manual_page(const std::vector<VerbText>& verbs);

/// tools/completion/compress.bash
std::string bash_completion(const std::vector<VerbText>& verbs);

}  // namespace press
