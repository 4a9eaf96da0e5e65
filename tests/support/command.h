// Runs the real command as a process of its own.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

namespace press::test {

struct Finished {
  int code = -1;  // exit code; 128 + signal where one ended it
  std::string out;
  std::string err;
};

struct RunOptions {
  std::string input;                   // a file for standard input; "": /dev/null
  std::string output;                  // a file for standard output; "": captured
  std::int64_t largest_file = 0;       // RLIMIT_FSIZE; 0: none
  std::function<void(pid_t)> started;  // called once the process runs
};

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline int exit_code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Becomes the command; only after fork().
[[noreturn]] inline void become_command(const std::vector<std::string>& arguments) {
  std::vector<char*> pointers;
  static std::string command = PRESS_COMPRESS;
  pointers.push_back(command.data());
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  ::execv(command.c_str(), pointers.data());
  ::_exit(127);
}

/// `folder` takes the captured output.
inline Finished run_command_line(const std::filesystem::path& folder,
                                 const std::vector<std::string>& arguments, const RunOptions& options = {}) {
  const std::string out = options.output.empty() ? (folder / ".out").string() : options.output;
  const std::string err = (folder / ".err").string();
  const std::string in = options.input.empty() ? "/dev/null" : options.input;
  const pid_t child = ::fork();
  if (child == 0) {
    const auto redirect = [](const std::string& path, int flags, int to) {
      const int descriptor = ::open(path.c_str(), flags, 0644);
      if (descriptor < 0 || ::dup2(descriptor, to) < 0) ::_exit(126);
      ::close(descriptor);
    };
    redirect(in, O_RDONLY, 0);
    redirect(out, O_WRONLY | O_CREAT | O_TRUNC, 1);
    redirect(err, O_WRONLY | O_CREAT | O_TRUNC, 2);
    if (options.largest_file > 0) {
      const rlimit limit{static_cast<rlim_t>(options.largest_file),
                         static_cast<rlim_t>(options.largest_file)};
      ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    become_command(arguments);
  }
  if (options.started) options.started(child);
  int status = 0;
  ::waitpid(child, &status, 0);
  Finished finished{
      .code = exit_code_of(status), .out = options.output.empty() ? text_of(out) : "", .err = text_of(err)};
  std::filesystem::remove(folder / ".out");
  std::filesystem::remove(err);
  return finished;
}

/// With standard output and error on a terminal; all that appears there is `out`. Nullopt where the system
/// gives no pseudo-terminal (a bare chroot).
inline std::optional<Finished> run_on_terminal(const std::vector<std::string>& arguments) {
  int terminal = -1;
  winsize size{.ws_row = 25, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, &size);
  if (child < 0) return std::nullopt;
  if (child == 0) become_command(arguments);
  Finished finished;
  char buffer[4096];
  for (ssize_t count = 0; (count = ::read(terminal, buffer, sizeof buffer)) > 0;) {
    finished.out.append(buffer, static_cast<std::size_t>(count));
  }
  ::close(terminal);
  int status = 0;
  ::waitpid(child, &status, 0);
  finished.code = exit_code_of(status);
  return finished;
}

}  // namespace press::test
