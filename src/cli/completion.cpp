// Completion for bash: verbs, flags of each verb, files, and a few lists of words.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "help.h"
#include "press/calibrate/preprocess.h"

namespace press {

std::string bash_completion(const std::vector<VerbText>& verbs) {
  std::vector<std::string> names, presets;
  std::string cases;
  for (const VerbText& verb : verbs) {
    names.push_back(verb.name);
    std::vector<std::string> flags;
    for (const FlagText& flag : verb.flags) flags.insert(flags.end(), flag.names.begin(), flag.names.end());
    cases += fmt::format("    {}) flags=\"{}\" ;;\n", verb.name, fmt::join(flags, " "));
  }
  for (const PreprocessPreset& preset : preprocess_presets()) {
    presets.emplace_back(preset.name);
  }
  return fmt::format(R"bash(# Made by 'compress generate completion'; do not edit by hand.
_compress() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD - 1]}}" flags="" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "{0} --help --version" -- "$word")
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{1}  esac
  case "$previous" in
    --prune) words="magnitude none" ;;
    --scope) words="global local" ;;
    --quantize | --type) words="int8 fp16" ;;
    --activations) words="uint8 int8" ;;
    --observer) words="min-max percentile" ;;
    --interpolation) words="nearest bilinear bicubic" ;;
    --channels) words="rgb bgr grey rgba" ;;
    --layout) words="nchw nhwc" ;;
    --preprocess) words="{2}" ;;
    --disable-pass | --only-pass) words="$("${{COMP_WORDS[0]}}" passes 2>/dev/null | awk 'NR > 2 {{print $1}}')" ;;
  esac
  if [ -n "$words" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  elif [[ "$word" == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$word")
  else
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}}
complete -F _compress compress
)bash",
                     fmt::join(names, " "), cases, fmt::join(presets, " "));
}

}  // namespace press
