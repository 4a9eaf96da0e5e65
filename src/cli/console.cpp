#include "console.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "press/support/units.h"
#include "signals.h"

namespace press {
namespace {

using std::chrono::steady_clock;
constexpr auto kRedrawEvery = std::chrono::milliseconds(100);

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

void to_terminal(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

Console::Console()
    : logger_(
          std::make_shared<spdlog::logger>("compress", std::make_shared<spdlog::sinks::stderr_sink_st>())) {
  logger_->set_pattern("%v");
  logger_->flush_on(spdlog::level::debug);
  set_level(Level::kNormal);
}

Console::~Console() {
  clear_bar();
}

void Console::set_level(Level level) {
  level_ = level;
  logger_->set_level(level == Level::kQuiet     ? spdlog::level::warn
                     : level == Level::kVerbose ? spdlog::level::debug
                                                : spdlog::level::info);
}

void Console::error(const std::string& sentence) {
  clear_bar();
  logger_->error("error: {}", sentence);
}

void Console::warn(const std::string& sentence) {
  clear_bar();
  logger_->warn("warning: {}", sentence);
}

void Console::say(const std::string& sentence) {
  clear_bar();
  logger_->info("{}", sentence);
}

void Console::detail(const std::string& sentence) {
  clear_bar();
  logger_->debug("{}", sentence);
}

Progress Console::progress() {
  const bool bar = level_ != Level::kQuiet && ::isatty(STDERR_FILENO) == 1;
  return [this, bar](std::string_view doing, std::int64_t done, std::int64_t total) -> Status {
    if (bar) draw_bar(doing, done, total);
    return check_interrupted();
  };
}

void Console::clear_bar() {
  if (!bar_drawn_) return;
  to_terminal("\r\x1b[K");
  bar_drawn_ = false;
}

void Console::draw_bar(std::string_view doing, std::int64_t done, std::int64_t total) {
  const steady_clock::time_point now = steady_clock::now();
  // What comes behind a colon is a part of the work, which goes on.
  if (const std::string_view work = doing.substr(0, doing.find(':')); bar_doing_ != work) {
    bar_doing_ = work;
    bar_start_ = now;
    bar_last_ = now - kRedrawEvery;
  }
  if (total > 0 && done >= total) return clear_bar();
  if (now - bar_last_ < kRedrawEvery) return;
  bar_last_ = now;
  bar_drawn_ = true;

  const double seconds = std::chrono::duration<double>(now - bar_start_).count();
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string numbers = total > 0 ? fmt::format(" {}/{}", done, total) : std::string();
  if (total > 0 && rate > 0) {
    const std::string speed = rate < 1 ? fmt::format("{:.0f}/min", 60 * rate) : fmt::format("{:.0f}/s", rate);
    numbers += fmt::format("  {}  {} left", speed, human_seconds(static_cast<double>(total - done) / rate));
  }
  constexpr std::size_t kWidestBar = 30;
  const std::size_t width = terminal_width();
  const std::size_t used = doing.size() + numbers.size() + 4;
  const std::size_t cells = width > used ? std::min(kWidestBar, width - used) : 0;
  std::string bar;
  if (total > 0 && cells > 4) {
    const double share = std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0);
    const auto filled = static_cast<std::size_t>(static_cast<double>(cells) * share);
    bar = fmt::format(" [{}{}]", std::string(filled, '#'), std::string(cells - filled, '.'));
  }
  to_terminal("\r\x1b[K" + fmt::format("{}{}{}", doing, bar, numbers).substr(0, width - 1));
}

Status Console::print(std::string_view data) {
  const bool written =
      std::fwrite(data.data(), 1, data.size(), stdout) == data.size() && std::fflush(stdout) == 0;
  if (written) return {};
  return Error(ErrorCode::kOutput, fmt::format("cannot write standard output: {}", std::strerror(errno)));
}

bool Console::stdout_is_terminal() {
  return ::isatty(STDOUT_FILENO) == 1;
}

}  // namespace press
