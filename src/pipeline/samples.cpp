#include "press/pipeline/samples.h"

#include <fmt/format.h>

#include <algorithm>

namespace press {
namespace {

/// The inputs that samples must feed: those without a default.
std::vector<NetworkInput> network_inputs(const Graph& graph) {
  std::vector<NetworkInput> inputs;
  for (const Value* input : graph.inputs()) {
    if (input->tensor() == nullptr) inputs.push_back({input->name(), input->type()});
  }
  return inputs;
}

/// The extent of the first dim where the network fixes it.
std::int64_t fixed_batch(const std::vector<NetworkInput>& inputs) {
  for (const NetworkInput& input : inputs) {
    const auto& shape = input.type.shape;
    if (shape && !shape->empty() && shape->front().known()) return shape->front().value();
  }
  return 0;
}

/// Enough samples at once to keep small networks busy, and few where their activations are large.
std::int64_t batch_by_size(const std::vector<NetworkInput>& inputs) {
  constexpr std::int64_t kMost = 32;
  constexpr double kElements = 1 << 18;
  constexpr double kUnknownExtent = 128;
  double elements = 1;
  for (const NetworkInput& input : inputs) {
    double size = 1;
    for (std::size_t i = 1; input.type.shape && i < input.type.shape->size(); ++i) {
      const Dim& dim = (*input.type.shape)[i];
      size *= dim.known() ? static_cast<double>(dim.value()) : kUnknownExtent;
    }
    elements = std::max(elements, size);
  }
  return std::clamp(static_cast<std::int64_t>(kElements / elements), std::int64_t{1}, kMost);
}

}  // namespace

Result<Samples> Samples::open(const SampleOptions& options, const Graph& graph, std::int64_t limit,
                              int threads) {
  if (options.path.empty()) return Error(ErrorCode::kUsage, "no samples are given");
  Samples samples;
  samples.path_ = options.path;
  const DatasetOptions dataset{.labels = options.labels,
                               .limit = static_cast<std::size_t>(options.limit.value_or(limit)),
                               .seed = options.seed};
  PRESS_ASSIGN(samples.dataset_, open_dataset(options.path, dataset));
  if (samples.dataset_->holds_images() && !options.preprocess.given()) {
    samples.warnings_.push_back(
        "no --preprocess is given: pixels go in as they are, 0 to 255; most networks expect normalised "
        "images "
        "(--preprocess imagenet, or --scale, --mean, --std)");
  }

  const std::vector<NetworkInput> inputs = network_inputs(graph);
  const std::int64_t fixed = fixed_batch(inputs);
  samples.batch_ = fixed > 0 ? fixed : options.batch > 0 ? options.batch : batch_by_size(inputs);
  BatchReaderOptions reader;
  PRESS_ASSIGN(reader.preprocess, resolve(options.preprocess));
  reader.batch_size = static_cast<std::size_t>(samples.batch_);
  reader.threads = static_cast<unsigned>(std::max(threads, 1));
  reader.on_corrupt = options.skip_corrupt ? CorruptPolicy::kSkip : CorruptPolicy::kFail;
  PRESS_ASSIGN(samples.reader_, BatchReader::open(*samples.dataset_, inputs, reader));
  return samples;
}

BatchSource Samples::source() {
  return [this] { return reader_->next(); };
}

std::string Samples::preprocess() const {
  const std::optional<Preprocess> steps = reader_->preprocess();
  return steps ? describe(*steps) : "";
}

}  // namespace press
