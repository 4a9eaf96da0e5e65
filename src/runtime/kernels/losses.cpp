// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: for each target class t, -w[t] · log p[t].
#include <algorithm>
#include <cmath>
#include <optional>

#include "runtime/kernels/arguments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {

namespace {

/// Scores seen as batch x classes x everything behind; one target for each batch and position.
struct Classes {
  std::int64_t batch = 0;
  std::int64_t count = 0;
  std::int64_t inner = 0;
  Dims target;
};

Result<Classes> classes_of(const Tensor& scores) {
  const Dims& dims = scores.dims();
  if (dims.size() < 2) return reject("the scores are {}, expected batch, classes, …", to_string(dims));
  Classes classes{dims[0], dims[1], product(dims, 2), dims};
  classes.target.erase(classes.target.begin() + 1);
  return classes;
}

/// Writes the loss of log-probabilities to output 0: for each target, their sum, or their mean weighted like
/// the losses.
Status write_loss(KernelContext& context, const Classes& classes, const float* log_probabilities) {
  const Node& node = context.node();
  PRESS_ASSIGN(const Tensor* target, required(context, 1));
  if (target->dims() != classes.target) {
    return reject("the targets are {}, expected {}", to_string(target->dims()), to_string(classes.target));
  }
  PRESS_ASSIGN(const std::vector<std::int64_t> targets, integers(*target));
  const Tensor* weight = nullptr;
  if (context.input(2) != nullptr) {
    PRESS_ASSIGN(weight, per_channel(context, 2, classes.count));
  }
  const std::string reduction = node.string_attribute("reduction", "mean");
  if (reduction != "none" && reduction != "sum" && reduction != "mean") {
    return reject("attribute reduction is '{}', expected none, sum or mean", reduction);
  }
  std::optional<std::int64_t> ignored;
  if (node.has_attribute("ignore_index")) ignored = node.int_attribute("ignore_index", 0);
  std::vector<float> losses(targets.size(), 0);
  double total = 0, weights = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const std::int64_t t = targets[i];
    if (ignored && t == *ignored) continue;
    if (t < 0 || t >= classes.count) return reject("target {} is no class of {}", t, classes.count);
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t from = (at / classes.inner * classes.count + t) * classes.inner + at % classes.inner;
    const float w = weight != nullptr ? weight->data<float>()[static_cast<std::size_t>(t)] : 1.0F;
    losses[i] = -log_probabilities[from] * w;
    total += losses[i];
    weights += w;
  }
  PRESS_ASSIGN(Tensor * output,
               context.allocate_output(0, DataType::kFloat, reduction == "none" ? classes.target : Dims()));
  const std::span<float> out = output->mutable_data<float>();
  if (reduction == "none") {
    std::ranges::copy(losses, out.begin());
  } else {
    out[0] = static_cast<float>(reduction == "sum" ? total : total / weights);
  }
  return {};
}

}  // namespace

Status negative_log_likelihood_loss(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* scores, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const Classes classes, classes_of(*scores));
  return write_loss(context, classes, scores->data<float>().data());
}

Status softmax_cross_entropy_loss(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* scores, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const Classes classes, classes_of(*scores));
  PRESS_ASSIGN(Tensor logs, context.allocate_scratch(DataType::kFloat, scores->dims()));
  const float* in = scores->data<float>().data();
  float* out = logs.mutable_data<float>().data();
  for (std::int64_t row = 0; row < classes.batch * classes.inner; ++row) {
    const std::int64_t start = row / classes.inner * classes.count * classes.inner + row % classes.inner;
    double largest = -INFINITY, sum = 0;
    for (std::int64_t c = 0; c < classes.count; ++c)
      largest = std::max<double>(largest, in[start + c * classes.inner]);
    for (std::int64_t c = 0; c < classes.count; ++c) sum += std::exp(in[start + c * classes.inner] - largest);
    const double shift = largest + std::log(sum);
    for (std::int64_t c = 0; c < classes.count; ++c) {
      out[start + c * classes.inner] = static_cast<float>(in[start + c * classes.inner] - shift);
    }
  }
  PRESS_TRY(write_loss(context, classes, out));
  if (context.wants_output(1)) context.set_output(1, std::move(logs));
  return {};
}

}  // namespace press::kernels
