#include "press/calibrate/batch_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <stop_token>
#include <thread>

#include "calibrate/npy.h"
#include "press/support/text.h"

namespace press {

namespace {
/// Input tensors of one sample with a first dim of 1, or why it could not be read, or what stops the stream.
struct Prepared {
  Result<std::vector<Tensor>> inputs;
  bool unreadable = false;  // the file is at fault, so that it may be skipped
};

/// Turns the tensors of a sample into the network's inputs.
class TensorSelector {
 public:
  static Result<TensorSelector> create(const Dataset& dataset, std::vector<NetworkInput> inputs) {
    const std::vector<std::string>& arrays = dataset.info().array_names;
    const bool unnamed = arrays.size() == 1 && arrays[0].empty();
    if (unnamed && inputs.size() != 1) {
      return Error(ErrorCode::kInput,
                   fmt::format("the network has {} inputs, an NPY file feeds one: use an NPZ file with "
                               "an array for each",
                               inputs.size()));
    }
    TensorSelector selector;
    for (NetworkInput& input : inputs) {
      const auto found = unnamed ? arrays.begin() : std::ranges::find(arrays, input.name);
      if (found == arrays.end()) {
        return Error(ErrorCode::kInput, fmt::format("no array for the network's input {}: there are {}",
                                                    press::quoted(input.name),
                                                    press::quoted(fmt::to_string(fmt::join(arrays, ", ")))));
      }
      selector.sources_.push_back(static_cast<std::size_t>(found - arrays.begin()));
      selector.inputs_.push_back(std::move(input));
    }
    return selector;
  }

  Result<std::vector<Tensor>> run(const std::vector<Tensor>& sample, const std::string& name) const {
    std::vector<Tensor> result;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const NetworkInput& input = inputs_[i];
      const Tensor& tensor = sample[sources_[i]];
      Dims dims = tensor.dims();
      dims.insert(dims.begin(), 1);
      if (!fits(dims, input.type.shape)) {
        return Error(ErrorCode::kInput,
                     fmt::format("sample {} is {} {}, the network's input {} ({}) asks for other dims",
                                 press::quoted(name), to_string(tensor.dims()), press::name(tensor.type()),
                                 press::quoted(input.name), to_string(input.type)));
      }
      PRESS_ASSIGN(Tensor converted, convert_elements(tensor, input.type.element)
                                         .with_context(fmt::format("sample {}, input {}", press::quoted(name),
                                                                   press::quoted(input.name))));
      result.push_back(converted.reshaped(std::move(dims)));
    }
    return result;
  }

 private:
  /// All known dims behind the first one are the same.
  static bool fits(const Dims& dims, const std::optional<Shape>& shape) {
    if (!shape) return true;
    if (shape->size() != dims.size()) return false;
    for (std::size_t i = 1; i < dims.size(); ++i) {
      if ((*shape)[i].known() && (*shape)[i].value() != dims[i]) return false;
    }
    return true;
  }

  std::vector<NetworkInput> inputs_;
  std::vector<std::size_t> sources_;  // by input, the array
};

using Converter = std::variant<ImagePreprocessor, TensorSelector>;

Result<Converter> make_converter(const Dataset& dataset, std::vector<NetworkInput> inputs,
                                 const Preprocess& preprocess) {
  if (!dataset.holds_images()) {
    PRESS_ASSIGN(TensorSelector selector, TensorSelector::create(dataset, std::move(inputs)));
    return Converter(std::move(selector));
  }
  if (inputs.size() != 1) {
    return Error(ErrorCode::kInput,
                 fmt::format("the network has {} inputs, a set of images feeds one: use an NPZ file "
                             "with an array for each",
                             inputs.size()));
  }
  PRESS_ASSIGN(ImagePreprocessor preprocessor, ImagePreprocessor::create(preprocess, std::move(inputs[0])));
  return Converter(std::move(preprocessor));
}

std::string_view kind_of(const Dataset& dataset) {
  return dataset.holds_images() ? "image" : "sample";
}

Prepared prepare(const Dataset& dataset, const Converter& converter, std::size_t index) {
  const std::string name = dataset.name(index);
  Result<Sample> sample = dataset.read(index);
  if (!sample.ok()) {
    return {
        std::move(sample).error().with_context(fmt::format("{} {}", kind_of(dataset), press::quoted(name))),
        true};
  }
  if (auto* image = std::get_if<Image>(&*sample)) {
    Result<Tensor> tensor = std::get<ImagePreprocessor>(converter).run(std::move(*image), name);
    if (!tensor.ok()) return {std::move(tensor).error()};
    return {std::vector<Tensor>{std::move(tensor).value()}};
  }
  return {std::get<TensorSelector>(converter).run(std::get<std::vector<Tensor>>(*sample), name)};
}

/// One tensor of tensors that have a first dim of 1 and agree in type and other dims.
Result<Tensor> stack(std::span<const std::vector<Tensor>> samples, std::size_t input) {
  const Tensor& first = samples[0][input];
  Dims dims = first.dims();
  dims[0] = static_cast<std::int64_t>(samples.size());
  PRESS_ASSIGN(Tensor batch, Tensor::allocate(first.type(), std::move(dims)));
  std::byte* target = batch.mutable_bytes().data();
  for (const std::vector<Tensor>& sample : samples) {
    const std::span<const std::byte> bytes = sample[input].bytes();
    if (!bytes.empty()) std::memcpy(target, bytes.data(), bytes.size());
    target += bytes.size();
  }
  return batch;
}
}  // namespace

/// Workers take the next index in order as long as it lies within the window behind the oldest sample that
/// next() has not yet taken; each puts its result into the slot index % window.
class BatchReader::Stream {
 public:
  Stream(const Dataset& dataset, Converter converter, const BatchReaderOptions& options)
      : dataset_(dataset),
        converter_(std::move(converter)),
        batch_size_(std::min(options.batch_size, dataset.size())),
        on_corrupt_(options.on_corrupt),
        slots_(2 * batch_size_) {}

  void start(unsigned threads) {
    const std::size_t wanted = threads != 0 ? threads : std::max(1u, std::thread::hardware_concurrency());
    const std::size_t count = std::min(wanted, slots_.size());
    while (workers_.size() < count) {
      workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    }
  }

  Result<std::optional<Batch>> next() {
    const std::lock_guard one_caller(next_mutex_);
    if (failure_) return *failure_;
    Result<std::optional<Batch>> batch = gather();
    if (!batch.ok()) {
      failure_ = batch.error();
      for (std::jthread& worker : workers_) worker.request_stop();
    }
    return batch;
  }

  const std::vector<SkippedSample>& skipped() const { return skipped_; }

  std::optional<Preprocess> preprocess() const {
    const auto* images = std::get_if<ImagePreprocessor>(&converter_);
    return images != nullptr ? std::optional(images->preprocess()) : std::nullopt;
  }

 private:
  void work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (room_.wait(lock, stop,
                      [this] { return claimed_ == dataset_.size() || claimed_ - taken_ < slots_.size(); })) {
      if (claimed_ == dataset_.size()) return;
      const std::size_t index = claimed_++;
      lock.unlock();
      Prepared prepared = guarded_prepare(index);
      lock.lock();
      slots_[index % slots_.size()] = std::move(prepared);
      filled_.notify_one();
    }
  }

  Prepared guarded_prepare(std::size_t index) const {
    try {
      return prepare(dataset_, converter_, index);
    } catch (const std::exception& failure) {  // memory is short
      return {Error(ErrorCode::kInternal,
                    fmt::format("reading {}: {}", press::quoted(dataset_.name(index)), failure.what()))};
    }
  }

  Prepared take() {
    std::unique_lock lock(mutex_);
    std::optional<Prepared>& slot = slots_[taken_ % slots_.size()];
    filled_.wait(lock, [&] { return slot.has_value(); });
    Prepared prepared = std::move(*slot);
    slot.reset();
    ++taken_;
    room_.notify_one();
    return prepared;
  }

  Result<std::optional<Batch>> gather() {
    Batch batch;
    std::vector<std::vector<Tensor>> samples;
    // taken_ is written by this thread only.
    while (samples.size() < batch_size_ && taken_ < dataset_.size()) {
      const std::size_t index = taken_;
      Prepared prepared = take();
      std::string name = dataset_.name(index);
      if (!prepared.inputs.ok()) {
        if (!prepared.unreadable || on_corrupt_ == CorruptPolicy::kFail)
          return std::move(prepared.inputs).error();
        skipped_.push_back({std::move(name), prepared.inputs.error().message()});
        continue;
      }
      samples.push_back(std::move(prepared.inputs).value());
      PRESS_TRY(check_same_dims(samples.front(), samples.back(), batch.names, name));
      batch.labels.push_back(dataset_.label(index).value_or(-1));
      batch.names.push_back(std::move(name));
    }
    if (skipped_.size() == dataset_.size()) {
      return Error(ErrorCode::kInput, fmt::format("none of the {} {}s can be read; the first: {}",
                                                  dataset_.size(), kind_of(dataset_), skipped_[0].reason));
    }
    if (samples.empty()) return std::optional<Batch>();
    for (std::size_t input = 0; input < samples[0].size(); ++input) {
      PRESS_ASSIGN(Tensor tensor, stack(samples, input));
      batch.inputs.push_back(std::move(tensor));
    }
    return std::optional(std::move(batch));
  }

  Status check_same_dims(const std::vector<Tensor>& first, const std::vector<Tensor>& sample,
                         const std::vector<std::string>& names, const std::string& name) const {
    for (std::size_t i = 0; i < first.size(); ++i) {
      if (sample[i].dims() == first[i].dims()) continue;
      return Error(
          ErrorCode::kInput,
          fmt::format("{} {} comes out as {}, {} in the same batch as {}: use --resize and --crop to make "
                      "them equal, or a batch size of 1",
                      kind_of(dataset_), press::quoted(name), to_string(sample[i].dims()),
                      press::quoted(names[0]), to_string(first[i].dims())));
    }
    return {};
  }

  const Dataset& dataset_;
  const Converter converter_;
  const std::size_t batch_size_;
  const CorruptPolicy on_corrupt_;

  std::mutex next_mutex_;  // held by the caller of next(); guards these two
  std::optional<Error> failure_;
  std::vector<SkippedSample> skipped_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable_any room_;
  std::condition_variable_any filled_;
  std::vector<std::optional<Prepared>> slots_;
  std::size_t claimed_ = 0;  // samples that workers have begun
  std::size_t taken_ = 0;    // samples that next() has taken

  std::vector<std::jthread> workers_;  // last, so that they end before what they use
};

BatchReader::BatchReader(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}
BatchReader::~BatchReader() = default;

Result<std::unique_ptr<BatchReader>> BatchReader::open(const Dataset& dataset,
                                                       std::vector<NetworkInput> inputs,
                                                       const BatchReaderOptions& options) {
  if (options.batch_size == 0) return Error(ErrorCode::kUsage, "the batch size must be 1 or more");
  PRESS_ASSIGN(Converter converter, make_converter(dataset, std::move(inputs), options.preprocess));
  auto stream = std::make_unique<Stream>(dataset, std::move(converter), options);
  try {
    stream->start(options.threads);
  } catch (const std::exception& failure) {
    return Error(ErrorCode::kInternal, fmt::format("cannot start threads: {}", failure.what()));
  }
  return std::unique_ptr<BatchReader>(new BatchReader(std::move(stream)));
}

Result<std::optional<Batch>> BatchReader::next() {
  return stream_->next();
}

const std::vector<SkippedSample>& BatchReader::skipped() const {
  return stream_->skipped();
}

std::optional<Preprocess> BatchReader::preprocess() const {
  return stream_->preprocess();
}

}  // namespace press
