// Work in parallel, results in order.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "press/support/result.h"

namespace press {

/// `work(worker, i)`, a Result<T>, for every i below `count` on `threads` workers, each one a number below
/// `threads`; `take(i, T)` with its results one by one in the order of i. So sums do not depend on the number
/// of threads. After an error no more work is begun; that of the smallest i is returned.
template <typename Work, typename Take>
Status in_order(int threads, std::size_t count, const Work& work, const Take& take) {
  std::mutex mutex;
  std::condition_variable turn;
  std::size_t next = 0, taken = 0;
  std::optional<Error> error;
  const auto run = [&](int worker) {
    while (true) {
      std::size_t index = 0;
      {
        const std::scoped_lock lock(mutex);
        if (next >= count || error.has_value()) return;
        index = next++;
      }
      auto result = work(worker, index);
      std::unique_lock lock(mutex);
      turn.wait(lock, [&] { return taken == index; });
      if (!error.has_value()) {
        if (result.ok()) {
          take(index, std::move(result).value());
        } else {
          error = std::move(result).error();
        }
      }
      ++taken;
      turn.notify_all();
    }
  };
  std::vector<std::thread> workers;
  for (int i = 1; i < std::max(threads, 1); ++i) workers.emplace_back(run, i);
  run(0);
  for (std::thread& worker : workers) worker.join();
  if (error.has_value()) return *std::move(error);
  return {};
}

}  // namespace press
