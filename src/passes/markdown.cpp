#include <fmt/format.h>

#include <string>

#include "press/passes/pass.h"

namespace press {

std::string passes_markdown() {
  std::string text =
      "# Passes\n"
      "\n"
      "Made from `src/passes/passes.def` by `compress passes --markdown`; do not edit by hand.\n"
      "\n"
      "What a pass may do to a network's outputs:\n"
      "- *exact*: they stay the same, bit for bit;\n"
      "- *reassociated*: they stay the same in exact arithmetic, rounding may differ;\n"
      "- *lossy*: they are approximated on purpose, and `compress evaluate` says what it costs.\n"
      "\n"
      "Each pass is one file that opens with what it rewrites, under which conditions, and why.\n";
  std::string_view family;
  for (const PassInfo& pass : all_passes()) {
    if (pass.family != family) {
      family = pass.family;
      text += fmt::format("\n## {}\n\n| pass | outputs | what it does |\n|---|---|---|\n", family);
    }
    text += fmt::format("| [`{0}`](../src/passes/{1}/{0}.cpp) | {2} | {3} |\n", pass.name, pass.family,
                        name(pass.numerics), pass.summary);
  }
  return text;
}

}  // namespace press
