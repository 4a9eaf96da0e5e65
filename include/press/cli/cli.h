// The command line of `compress`.
#pragma once

namespace press {

/// Parses the arguments, does what they ask for, and returns the exit code (docs/errors.md has the table).
/// Data goes to standard output, everything for people to standard error.
int run_command(int argc, char** argv);

}  // namespace press
