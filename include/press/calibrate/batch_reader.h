// Streams a set of samples in batches, decoded and preprocessed on all cores.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "press/calibrate/dataset.h"
#include "press/calibrate/preprocess.h"
#include "press/runtime/batch.h"
#include "press/support/result.h"

namespace press {

enum class CorruptPolicy {
  kFail,  // the first sample that cannot be read ends the stream with its error
  kSkip,  // it is left out and listed; later samples take its place, so that only the last batch may be short
};

struct BatchReaderOptions {
  Preprocess preprocess;  // of image sets
  std::size_t batch_size = 32;
  unsigned threads = 0;  // that decode; 0: one a core
  CorruptPolicy on_corrupt = CorruptPolicy::kFail;
};

struct SkippedSample {
  std::string name;
  std::string reason;
};

/// Reads ahead by at most two batches; the same batches for any number of threads.
class BatchReader {
 public:
  /// `dataset` must outlive the reader. Errors: kUsage for a batch size of 0; kInput where the set does not
  /// feed the inputs (an image set feeds exactly one, an NPZ set needs an array for each); as
  /// ImagePreprocessor::create.
  static Result<std::unique_ptr<BatchReader>> open(const Dataset& dataset, std::vector<NetworkInput> inputs,
                                                   const BatchReaderOptions& options);
  BatchReader(const BatchReader&) = delete;
  BatchReader& operator=(const BatchReader&) = delete;
  ~BatchReader();

  /// The next batch, or nullopt at the end. May be called from several threads. Errors name the sample:
  /// kInput where it cannot be read (under kFail; under kSkip where none can), does not fit the network, or
  /// has another size than the batch's first; the stream stays at the error.
  Result<std::optional<Batch>> next();

  /// Samples left out so far, in order. Not while another thread is in next().
  const std::vector<SkippedSample>& skipped() const;

  /// The steps with what the network's shape decides filled in; nullopt for tensors.
  std::optional<Preprocess> preprocess() const;

 private:
  class Stream;
  explicit BatchReader(std::unique_ptr<Stream> stream);
  std::unique_ptr<Stream> stream_;
};

}  // namespace press
