// Loops over threads. A session of one thread never starts an OpenMP team.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <mutex>

#include "press/support/result.h"

namespace press {

/// Calls `body(begin, end)` for consecutive ranges that cover [0, count). Ranges depend only on count, grain
/// and threads; fewer than `grain` items a thread are not worth a team.
template <typename Body>
void parallel_for(int threads, std::int64_t count, std::int64_t grain, const Body& body) {
  const std::int64_t parts = std::min<std::int64_t>(threads, count / std::max<std::int64_t>(grain, 1));
  if (parts <= 1) {
    if (count > 0) body(std::int64_t{0}, count);
    return;
  }
#pragma omp parallel for num_threads(static_cast <int>(parts)) schedule(static)
  for (std::int64_t part = 0; part < parts; ++part) {
    body(count * part / parts, count * (part + 1) / parts);
  }
}

/// Sets the calling thread's number of OpenMP threads (oneDNN asks for it) while it lives. The setting
/// belongs to the calling thread alone: sessions in other threads are not touched.
class ThreadScope {
 public:
  explicit ThreadScope(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;
  ~ThreadScope() { omp_set_num_threads(before_); }

 private:
  int before_;
};

/// Calls `body(worker, part)`, which returns a Status, for all parts: each worker does a range of them, one
/// after the other, on a thread of its own on which libraries find one thread. Errors: one of those of
/// `body`.
template <typename Body>
Status run_parts(std::int64_t workers, std::int64_t parts, const Body& body) {
  std::mutex mutex;
  Status result;
  parallel_for(static_cast<int>(workers), workers, 1, [&](std::int64_t begin, std::int64_t end) {
    const ThreadScope scope(1);
    for (std::int64_t worker = begin; worker < end; ++worker) {
      for (std::int64_t part = parts * worker / workers; part < parts * (worker + 1) / workers; ++part) {
        Status done = body(worker, part);
        if (done.ok()) continue;
        const std::lock_guard lock(mutex);
        result = std::move(done);
      }
    }
  });
  return result;
}

}  // namespace press
