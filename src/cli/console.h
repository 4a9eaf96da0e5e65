// Where words go: sentences and progress to standard error, data to standard output.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "press/pipeline/progress.h"
#include "press/support/result.h"

namespace spdlog {
class logger;
}

namespace press {

class Console {
 public:
  enum class Level { kQuiet, kNormal, kVerbose };

  Console();
  ~Console();

  void set_level(Level level);
  bool verbose() const { return level_ == Level::kVerbose; }

  void error(const std::string& sentence);
  void warn(const std::string& sentence);    // also with -q
  void say(const std::string& sentence);     // not with -q
  void detail(const std::string& sentence);  // with -v only

  /// Draws a bar with rate and time left where standard error is a terminal (and not with -q), and ends the
  /// run when the user interrupts it.
  Progress progress();

  /// Writes to standard output. Errors: kOutput.
  static Status print(std::string_view data);
  static bool stdout_is_terminal();

 private:
  void clear_bar();
  void draw_bar(std::string_view doing, std::int64_t done, std::int64_t total);

  std::shared_ptr<spdlog::logger> logger_;
  Level level_ = Level::kNormal;
  bool bar_drawn_ = false;
  std::string bar_doing_;
  std::chrono::steady_clock::time_point bar_start_;
  std::chrono::steady_clock::time_point bar_last_;
};

}  // namespace press
