// How a long run tells where it is.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "press/support/result.h"

namespace press {

/// Called every now and then with what is being done and how much of it; never by two threads at once. An
/// error stops the run, which hands it back: kInterrupted where the user wants it to end.
using Progress = std::function<Status(std::string_view doing, std::int64_t done, std::int64_t total)>;

}  // namespace press
