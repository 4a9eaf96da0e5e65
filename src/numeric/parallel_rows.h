// Work on the rows of a matrix, each by itself, on several threads.
#pragma once

#include <cstddef>
#include <functional>

namespace press {

/// Calls `body(i)` for all rows, those of one thread in order.
void for_each_row(std::size_t rows, int threads, const std::function<void(std::size_t)>& body);

}  // namespace press
