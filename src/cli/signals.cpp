#include "signals.h"

#include <csignal>

namespace press {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void on_signal(int /*number*/) {
  interrupted = 1;
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

Status check_interrupted() {
  if (interrupted == 0) return {};
  return Error(ErrorCode::kInterrupted, "interrupted; nothing was written");
}

}  // namespace press
