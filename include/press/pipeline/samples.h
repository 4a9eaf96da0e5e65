// A set of samples made ready to flow into a network.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "press/calibrate/batch_reader.h"
#include "press/calibrate/dataset.h"
#include "press/ir/graph.h"
#include "press/pipeline/recipe.h"
#include "press/runtime/batch.h"
#include "press/support/result.h"

namespace press {

class Samples {
 public:
  /// Opens the set of `options` for the inputs of `graph`; `limit` holds where the options have none (0:
  /// all). Networks with a fixed batch get batches of that size; where the options say nothing, batches hold
  /// 32 samples, fewer where inputs are large, so that activations stay small. Errors: kUsage without a path;
  /// as open_dataset and BatchReader::open.
  static Result<Samples> open(const SampleOptions& options, const Graph& graph, std::int64_t limit,
                              int threads);

  /// Batches in order, to the end of the set. Samples must outlive it.
  BatchSource source();

  const std::string& path() const { return path_; }
  std::int64_t size() const { return static_cast<std::int64_t>(dataset_->size()); }
  std::int64_t batch() const { return batch_; }
  /// Samples that were left out as corrupt, once the end is reached.
  const std::vector<SkippedSample>& skipped() const { return reader_->skipped(); }
  /// One line; "" for tensors.
  std::string preprocess() const;
  /// What the user may want to know before trusting the result: pixels that go in as they are.
  std::vector<std::string> warnings() const { return warnings_; }

 private:
  Samples() = default;

  std::string path_;
  std::int64_t batch_ = 1;
  std::vector<std::string> warnings_;
  std::unique_ptr<Dataset> dataset_;
  std::unique_ptr<BatchReader> reader_;
};

}  // namespace press
