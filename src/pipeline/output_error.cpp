#include "pipeline/output_error.h"

#include <algorithm>

#include "calibrate/in_order.h"
#include "press/runtime/session.h"

namespace press {
namespace {

/// Batches that are run: until so many samples, or bytes of inputs, are reached.
constexpr std::int64_t kMeasuredSamples = 256;
constexpr std::int64_t kMeasuredBytes = 8 << 20;

}  // namespace

Result<OutputError> OutputError::create(const Model& model, const std::vector<Batch>& samples, int threads) {
  OutputError error(threads);
  std::int64_t count = 0, bytes = 0;
  for (const Batch& batch : samples) {
    if (count >= kMeasuredSamples || bytes >= kMeasuredBytes) break;
    for (const Tensor& input : batch.inputs) bytes += byte_size(input.type(), input.size());
    count += !batch.inputs.empty() && batch.inputs[0].rank() > 0 ? batch.inputs[0].dims()[0] : 1;
    error.batches_.push_back(&batch);
  }
  PRESS_ASSIGN(error.wanted_, error.outputs(model));
  double sum = 0, squares = 0;
  for (const float value : error.wanted_) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  const auto n = static_cast<double>(std::max<std::size_t>(error.wanted_.size(), 1));
  error.variance_ = squares - sum * sum / n;
  return error;
}

Result<double> OutputError::of(const Model& model) const {
  PRESS_ASSIGN(const std::vector<float> found, outputs(model));
  double squares = 0;
  for (std::size_t i = 0; i < std::min(found.size(), wanted_.size()); ++i) {
    const double difference = static_cast<double>(found[i]) - wanted_[i];
    squares += difference * difference;
  }
  return variance_ > 0 ? squares / variance_ : 0.0;
}

/// The float32 outputs of all batches, one after the other.
Result<std::vector<float>> OutputError::outputs(const Model& model) const {
  const SessionOptions options{.threads = 1, .shared_weights = make_shared_weights()};
  std::vector<Session> sessions;
  for (int i = 0; i < std::max(threads_, 1); ++i) {
    PRESS_ASSIGN(Session session, Session::create(*model.graph, options));
    sessions.push_back(std::move(session));
  }
  std::vector<float> values;
  const auto work = [&](int worker, std::size_t batch) {
    return sessions[static_cast<std::size_t>(worker)].run(batches_[batch]->inputs);
  };
  const auto take = [&](std::size_t, const std::vector<Tensor>& outputs) {
    for (const Tensor& output : outputs) {
      if (output.type() != DataType::kFloat) continue;
      values.insert(values.end(), output.data<float>().begin(), output.data<float>().end());
    }
  };
  PRESS_TRY(in_order(static_cast<int>(sessions.size()), batches_.size(), work, take));
  return values;
}

}  // namespace press
