// Ctrl-C and SIGTERM as an Error that unwinds, so that temporary files go and old files stay.
#pragma once

#include "press/support/result.h"

namespace press {

/// From now on the first SIGINT or SIGTERM only sets a flag, a second one ends the process at once. Writing
/// to a closed pipe or beyond the file size limit becomes an error of the write.
void install_signal_handlers();

/// kInterrupted once a signal came.
Status check_interrupted();

}  // namespace press
