#include "batch_cache.h"

#include <fmt/format.h>

#include <atomic>
#include <filesystem>
#include <memory>

#include "press/calibrate/dataset.h"
#include "press/pipeline/samples.h"
#include "press/support/hash.h"
#include "press/support/mapped_file.h"

namespace press {

Result<BatchCache> BatchCache::open(const SampleOptions& options, const Graph& graph, std::int64_t limit,
                                    int threads, const Progress& progress) {
  BatchCache cache;
  cache.options_ = options;
  cache.graph_ = &graph;
  cache.threads_ = threads;
  PRESS_ASSIGN(Samples samples, Samples::open(options, graph, 0, threads));
  cache.warnings_ = samples.warnings();
  cache.preprocess_ = samples.preprocess();
  const BatchSource source = samples.source();
  std::int64_t bytes = 0;
  while (true) {
    if (progress) {
      PRESS_TRY(progress("reading samples", cache.samples_, samples.size()));
    }
    PRESS_ASSIGN(std::optional<Batch> batch, source());
    if (!batch) break;
    cache.samples_ += static_cast<std::int64_t>(batch->names.size());
    for (const Tensor& input : batch->inputs) bytes += byte_size(input.type(), input.size());
    cache.batches_.push_back(*std::move(batch));
    if (bytes <= limit) continue;
    cache.complete_ = false;
    cache.batches_.resize(1);
    cache.samples_ = samples.size();
    break;
  }
  if (cache.batches_.empty()) {
    return Error(ErrorCode::kInput, fmt::format("'{}' holds no samples", options.path));
  }
  return cache;
}

Result<BatchSource> BatchCache::source() const {
  if (complete_) {
    return BatchSource([this, at = std::make_shared<std::atomic<std::size_t>>(0)]() {
      const std::size_t index = (*at)++;
      return Result<std::optional<Batch>>(index < batches_.size() ? std::optional(batches_[index])
                                                                  : std::nullopt);
    });
  }
  PRESS_ASSIGN(Samples opened, Samples::open(options_, *graph_, 0, threads_));
  auto samples = std::make_shared<Samples>(std::move(opened));
  return BatchSource([samples, batches = samples->source()]() { return batches(); });
}

Result<std::uint64_t> samples_fingerprint(const SampleOptions& options, std::int64_t limit) {
  namespace fs = std::filesystem;
  const auto bytes_of = [](const fs::path& path) -> Result<std::uint64_t> {
    PRESS_ASSIGN(const auto file, MappedFile::open(path.string()));
    return hash_bytes(file->bytes());
  };
  const DatasetOptions dataset_options{.labels = options.labels,
                                       .limit = static_cast<std::size_t>(options.limit.value_or(limit)),
                                       .seed = options.seed};
  PRESS_ASSIGN(const std::unique_ptr<Dataset> dataset, open_dataset(options.path, dataset_options));
  const fs::path path(options.path);
  std::error_code ignored;
  const bool folder = fs::is_directory(path, ignored);
  std::uint64_t hash = hash_combine(dataset->size(), options.skip_corrupt ? 1 : 0);
  if (!folder) {
    PRESS_ASSIGN(const std::uint64_t whole, bytes_of(path));
    hash = hash_combine(hash, whole);
  }
  for (std::size_t i = 0; i < dataset->size(); ++i) {
    hash = hash_bytes(dataset->name(i), hash);
    hash = hash_combine(hash, static_cast<std::uint64_t>(dataset->label(i).value_or(-1)));
    const fs::path file = (folder ? path : path.parent_path()) / dataset->name(i);
    if (!dataset->holds_images() || !fs::is_regular_file(file, ignored)) continue;
    PRESS_ASSIGN(const std::uint64_t content, bytes_of(file));
    hash = hash_combine(hash, content);
  }
  return hash;
}

}  // namespace press
