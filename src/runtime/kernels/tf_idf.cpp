// TfIdfVectorizer on integers: how often each n-gram of a pool occurs in a row, with elements skipped
// between.
#include <algorithm>
#include <map>

#include "runtime/kernels/arguments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {

namespace {

using Gram = std::vector<std::int64_t>;

/// The pool: which column of the output counts each n-gram.
struct Pool {
  std::map<Gram, std::size_t> entries;  // n-gram -> its position among all
  std::vector<std::int64_t> columns;    // of each n-gram
  std::int64_t width = 0;
};

Result<Pool> read_pool(const Node& node, std::int64_t shortest, std::int64_t longest) {
  Pool pool;
  const std::vector<std::int64_t> items = node.ints_attribute("pool_int64s");
  const std::vector<std::int64_t> starts = node.ints_attribute("ngram_counts");
  pool.columns = node.ints_attribute("ngram_indexes");
  for (const std::int64_t column : pool.columns) {
    if (column < 0 || column > (1 << 24)) return reject("attribute ngram_indexes names column {}", column);
    pool.width = std::max(pool.width, column + 1);
  }
  std::size_t position = 0;
  for (std::size_t n = 1; n <= starts.size(); ++n) {
    const std::int64_t end = n < starts.size() ? starts[n] : static_cast<std::int64_t>(items.size());
    if (starts[n - 1] < 0 || end < starts[n - 1] || end > static_cast<std::int64_t>(items.size()) ||
        (end - starts[n - 1]) % static_cast<std::int64_t>(n) != 0) {
      return reject("attribute ngram_counts does not cut the pool into n-grams");
    }
    for (std::int64_t i = starts[n - 1]; i < end; i += static_cast<std::int64_t>(n), ++position) {
      if (static_cast<std::int64_t>(n) < shortest || static_cast<std::int64_t>(n) > longest) continue;
      pool.entries.emplace(Gram(items.begin() + i, items.begin() + i + static_cast<std::int64_t>(n)),
                           position);
    }
  }
  if (position != pool.columns.size())
    return reject("there are {} n-grams, but {} ngram_indexes", position, pool.columns.size());
  return pool;
}

}  // namespace

Status tf_idf_vectorizer(KernelContext& context) {
  const Node& node = context.node();
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  if (input->type() == DataType::kString) return unsupported_type(context, input->type());
  PRESS_ASSIGN(const std::vector<std::int64_t> items, integers(*input));
  const std::int64_t shortest = node.int_attribute("min_gram_length", 1);
  const std::int64_t longest = node.int_attribute("max_gram_length", 1);
  const std::int64_t skips = node.int_attribute("max_skip_count", 0);
  const std::string mode = node.string_attribute("mode", "TF");
  if (input->rank() < 1 || input->rank() > 2 || shortest < 1 || longest < shortest || skips < 0 ||
      skips > 1 << 20)
    return reject("input {}, n-grams of {} to {} elements and {} skips do not fit together",
                  to_string(input->dims()), shortest, longest, skips);
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF")
    return reject("attribute mode is '{}', expected TF, IDF or TFIDF", mode);
  PRESS_ASSIGN(const Pool pool, read_pool(node, shortest, longest));
  const std::vector<float> weights = node.floats_attribute("weights");
  if (!weights.empty() && weights.size() != pool.columns.size())
    return reject("there are {} weights for {} n-grams", weights.size(), pool.columns.size());
  std::vector<float> factor(static_cast<std::size_t>(pool.width), 1.0F);
  for (std::size_t i = 0; i < weights.size(); ++i)
    factor[static_cast<std::size_t>(pool.columns[i])] = weights[i];
  Dims dims = input->dims();
  const std::int64_t length = dims.back();
  dims.back() = pool.width;
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, dims));
  float* out = target->mutable_data<float>().data();
  std::fill_n(out, target->size(), 0.0F);
  const std::int64_t rows = length > 0 ? input->size() / length : 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    float* counts = out + row * pool.width;
    for (std::int64_t step = 1; step <= skips + 1; ++step) {
      for (std::int64_t start = 0; start < length; ++start) {
        Gram gram;
        for (std::int64_t n = 1; n <= longest && start + (n - 1) * step < length; ++n) {
          gram.push_back(items[static_cast<std::size_t>(row * length + start + (n - 1) * step)]);
          // Single elements have nothing to skip: they count once.
          if (n < shortest || (n == 1 && step > 1)) continue;
          if (const auto found = pool.entries.find(gram); found != pool.entries.end())
            counts[pool.columns[found->second]] += 1;
        }
      }
    }
    for (std::size_t i = 0; i < factor.size(); ++i) {
      if (mode == "IDF") counts[i] = std::min(counts[i], 1.0F);
      if (mode != "TF") counts[i] *= factor[i];
    }
  }
  return {};
}

}  // namespace press::kernels
