#include <gtest/gtest.h>

#include "runtime/session_support.h"

namespace press {
namespace {

TEST(TfIdfVectorizer, CountsNGramsWithSkips) {
  const auto outputs = run_operators(9,
                                     R"((int64[2,4] x) => (y) {
                                       y = TfIdfVectorizer<mode = "TF", min_gram_length = 1, max_gram_length = 2, max_skip_count = 1,
                                                           ngram_counts = [0, 2], ngram_indexes = [0, 2, 1],
                                                           pool_int64s = [5, 6, 5, 7]>(x) })",
                                     {int64s({2, 4}, {5, 6, 7, 5, 5, 7, 6, 6})});
  // Columns: 5 alone, 5 before 7 (next to it or one between), 6 alone.
  expect_floats(outputs.at(0), {2, 3}, {2, 1, 1, 1, 1, 2});
}

}  // namespace
}  // namespace press
