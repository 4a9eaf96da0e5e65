// Samples that are run again and again, decoded once where memory allows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "press/ir/graph.h"
#include "press/pipeline/progress.h"
#include "press/pipeline/recipe.h"
#include "press/runtime/batch.h"
#include "press/support/result.h"

namespace press {

class BatchCache {
 public:
  /// Decodes the set of `options` for the inputs of `graph`. Where the batches take more than `limit` bytes
  /// they are decoded anew for each source(). Errors: as Samples.
  static Result<BatchCache> open(const SampleOptions& options, const Graph& graph, std::int64_t limit,
                                 int threads, const Progress& progress);

  /// All batches from the first one; several sources may be read at the same time.
  Result<BatchSource> source() const;

  const std::vector<Batch>& first_batches() const { return batches_; }  // all of them where they are kept
  std::int64_t samples() const { return samples_; }
  const std::string& preprocess() const { return preprocess_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  BatchCache() = default;

  SampleOptions options_;
  const Graph* graph_ = nullptr;
  int threads_ = 1;
  bool complete_ = true;
  std::vector<Batch> batches_;  // all, or the first one
  std::int64_t samples_ = 0;
  std::string preprocess_;
  std::vector<std::string> warnings_;
};

/// A hash of all that the samples of a set hold: names, labels and the bytes of their files; equal sets in
/// different places have equal hashes. Errors: as open_dataset and MappedFile::open.
Result<std::uint64_t> samples_fingerprint(const SampleOptions& options, std::int64_t limit);

}  // namespace press
