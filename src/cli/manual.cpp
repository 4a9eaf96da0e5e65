// The manual page, in the man macros of roff.
#include <fmt/format.h>

#include <set>

#include "exit_code.h"
#include "flags.h"
#include "help.h"

namespace press {
namespace {

/// Text that roff prints as it is.
std::string plain(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else if ((c == '.' || c == '\'') && (result.empty() || result.back() == '\n')) {
      result += std::string("\\&") + c;
    } else {
      result += c;
    }
  }
  return result;
}

std::string flag_entry(const FlagText& flag) {
  std::string help = flag.help;
  if (!flag.fallback.empty()) help += fmt::format(" (default: {})", flag.fallback);
  return fmt::format(".TP\n.B {}\n{}\n", plain(flag.spelling), plain(help));
}

std::string examples(const VerbText& verb) {
  if (verb.examples.empty()) return "";
  return fmt::format(".PP\n.nf\n{}\n.fi\n", plain(verb.examples));
}

bool is_shared(const FlagText& flag) {
  return flag.group != kMainGroup && !flag.positional;
}

}  // namespace

std::string manual_page(const std::vector<VerbText>& verbs) {
  std::string text =
      ".\\\" Made by 'compress generate manual'; do not edit by hand.\n"
      ".TH COMPRESS 1 \"\" \"compress " PRESS_VERSION
      "\" \"User Commands\"\n"
      ".SH NAME\n"
      "compress \\- prune, fuse and quantize ONNX models\n"
      ".SH SYNOPSIS\n";
  for (const VerbText& verb : verbs) text += fmt::format(".B {}\n.br\n", plain(verb.usage()));
  text +=
      ".SH DESCRIPTION\n"
      "Reads a trained neural network from an ONNX file, makes it smaller and faster, and writes an ONNX "
      "file that any\n"
      "runtime opens. Data goes to standard output, everything for people to standard error; a progress bar "
      "appears only\n"
      "where standard error is a terminal. An existing file is replaced only with\n.BR \\-\\-force ,\n"
      "the input never, and a result appears whole or not at all.\n"
      ".SH VERBS\n";
  for (const VerbText& verb : verbs) {
    text += fmt::format(".SS {}\n{}\n", plain(verb.usage()), plain(verb.description));
    for (const FlagText& flag : verb.flags) {
      if (!is_shared(flag)) text += flag_entry(flag);
    }
    text += examples(verb);
  }
  text += ".SH OPTIONS OF SEVERAL VERBS\n";
  std::set<std::string> groups_done;
  for (const VerbText& group_verb : verbs) {
    for (const FlagText& group_flag : group_verb.flags) {
      if (!is_shared(group_flag) || !groups_done.insert(group_flag.group).second) continue;
      text += fmt::format(".SS {}\n", plain(group_flag.group));
      std::set<std::string> flags_done;
      for (const VerbText& verb : verbs) {
        for (const FlagText& flag : verb.flags) {
          if (flag.group == group_flag.group && flags_done.insert(flag.spelling).second)
            text += flag_entry(flag);
        }
      }
    }
  }
  text += ".SH EXIT STATUS\n.TP\n.B 0\ndone\n";
  for (const ExitCode& entry : kExitCodes)
    text += fmt::format(".TP\n.B {}\n{}\n", entry.code, plain(entry.meaning));
  return text;
}

}  // namespace press
