// What the shell is told; docs/errors.md and the manual page show the same table.
#pragma once

#include <array>
#include <string_view>

#include "press/support/result.h"

namespace press {

inline constexpr int kExitDone = 0;

struct ExitCode {
  ErrorCode error;
  int code;
  std::string_view meaning;
};

inline constexpr std::array<ExitCode, 7> kExitCodes{{
    {ErrorCode::kUsage, 2, "the request makes no sense: flags, recipe, a value out of range"},
    {ErrorCode::kInput, 3, "a file that was to be read is missing, unreadable or malformed"},
    {ErrorCode::kUnsupported, 4, "the model is well-formed, but needs what this version does not have"},
    {ErrorCode::kTargetMissed, 5, "an accuracy, size or latency target was not reached"},
    {ErrorCode::kOutput, 6, "a file could not be written; an older one of that name is unchanged"},
    {ErrorCode::kInternal, 70, "an error of the program itself; please report it"},
    {ErrorCode::kInterrupted, 130, "interrupted; nothing was written"},
}};

constexpr int exit_code(ErrorCode error) {
  for (const ExitCode& entry : kExitCodes) {
    if (entry.error == error) return entry.code;
  }
  return 70;
}

}  // namespace press
