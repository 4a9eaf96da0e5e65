#include "numeric/parallel_rows.h"

#include <algorithm>
#include <thread>
#include <vector>

namespace press {

void for_each_row(std::size_t rows, int threads, const std::function<void(std::size_t)>& body) {
  const std::size_t parts = std::clamp<std::size_t>(static_cast<std::size_t>(std::max(threads, 1)), 1,
                                                    std::max<std::size_t>(rows, 1));
  const auto run = [&](std::size_t part) {
    for (std::size_t i = part; i < rows; i += parts) body(i);
  };
  std::vector<std::thread> others;
  for (std::size_t part = 1; part < parts; ++part) others.emplace_back(run, part);
  run(0);
  for (std::thread& other : others) other.join();
}

}  // namespace press
