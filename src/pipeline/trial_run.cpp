#include "pipeline/trial_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "press/runtime/session.h"

namespace press {
namespace {

constexpr std::int64_t kLargestWeights = std::int64_t{1} << 30;  // bytes

std::int64_t bytes_of_constants(const Graph& graph) {
  std::int64_t bytes = 0;
  for (const Value* value : graph.constants()) {
    if (value->constant() != nullptr) bytes += static_cast<std::int64_t>(value->constant()->bytes().size());
  }
  return bytes;
}

/// Nullopt where an input has no declared rank or is no tensor.
std::optional<Batch> zeros_for(const Graph& graph) {
  Batch batch;
  for (const Value* input : graph.inputs()) {
    if (input->tensor() != nullptr) {
      batch.inputs.push_back(*input->tensor());
      continue;
    }
    const Type& type = input->type();
    if (!type.is_tensor() || type.element == DataType::kUndefined || !type.shape) return std::nullopt;
    Dims dims;
    for (const Dim& dim : *type.shape) dims.push_back(dim.known() ? dim.value() : 1);
    auto tensor = Tensor::allocate(type.element, dims);
    if (!tensor.ok()) return std::nullopt;
    std::ranges::fill(tensor->mutable_bytes(), std::byte{0});
    batch.inputs.push_back(*std::move(tensor));
  }
  return batch;
}

bool is_finite(const Tensor& tensor) {
  switch (tensor.type()) {
    case DataType::kFloat:
      return std::ranges::all_of(tensor.data<float>(), [](float x) { return std::isfinite(x); });
    case DataType::kFloat16:
      return std::ranges::all_of(tensor.data<Float16>(),
                                 [](Float16 x) { return std::isfinite(to_float(x)); });
    default:
      return true;
  }
}

/// Whether all outputs are finite.
Result<bool> run(const Model& model, const std::vector<Tensor>& inputs) {
  PRESS_ASSIGN(Session session, Session::create(*model.graph));
  PRESS_ASSIGN(const std::vector<Tensor> outputs, session.run(inputs));
  return std::ranges::all_of(outputs, is_finite);
}

}  // namespace

TrialRun::TrialRun(const Model& model, std::optional<Batch> sample) {
  if (bytes_of_constants(*model.graph) > kLargestWeights) return;
  if (!sample) sample = zeros_for(*model.graph);
  if (!sample) return;
  const Result<bool> finite = run(model, sample->inputs);
  if (!finite.ok()) return;
  finite_ = *finite;
  sample_ = std::move(sample);
}

Status TrialRun::check(const Model& changed) const {
  if (!sample_) return {};
  const Result<bool> finite = run(changed, sample_->inputs);
  if (!finite.ok()) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("the changed network runs no more: {}", finite.error().message()));
  }
  if (*finite || !finite_) return {};
  return Error(ErrorCode::kUnsupported,
               fmt::format("the changed network gives NaN or infinity for {}, the original does not; "
                           "--calibration PATH shows which values need float32, --exclude REGEX keeps layers",
                           sample_->names.empty() ? "an input of zeros"
                                                  : fmt::format("'{}'", sample_->names.front())));
}

}  // namespace press
