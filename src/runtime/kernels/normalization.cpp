// Normalizations, computed in float32 (sums in double).
#include <algorithm>
#include <array>
#include <cmath>

#include "ops/shapes.h"
#include "press/support/vector_loops.h"
#include "runtime/kernels/arguments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/parallel.h"

namespace press::kernels {

namespace {

constexpr std::int64_t kGrain = 8;  // rows or planes a thread

struct Moments {
  double mean = 0;
  double variance = 0;  // of the population
};

/// Sums run side by side, in double: what is summed up last is as exact as what is summed up first.
struct MomentsLoop {
  PRESS_VECTOR_LOOP void run(const float* values, std::int64_t count, Moments* result) {
    constexpr std::int64_t kLanes = 16;
    const std::int64_t whole = count / kLanes * kLanes;
    std::array<double, kLanes> lanes{};
    for (std::int64_t i = 0; i < whole; i += kLanes) {
      for (std::int64_t lane = 0; lane < kLanes; ++lane)
        lanes[static_cast<std::size_t>(lane)] += values[i + lane];
    }
    double total = 0;
    for (std::int64_t i = whole; i < count; ++i) total += values[i];
    for (const double lane : lanes) total += lane;
    const double mean = total / static_cast<double>(count);
    lanes.fill(0);
    for (std::int64_t i = 0; i < whole; i += kLanes) {
      for (std::int64_t lane = 0; lane < kLanes; ++lane) {
        const double difference = values[i + lane] - mean;
        lanes[static_cast<std::size_t>(lane)] += difference * difference;
      }
    }
    double squares = 0;
    for (std::int64_t i = whole; i < count; ++i) {
      const double difference = values[i] - mean;
      squares += difference * difference;
    }
    for (const double lane : lanes) squares += lane;
    *result = {mean, squares / static_cast<double>(count)};
  }
};

Moments moments(const float* values, std::int64_t count) {
  Moments result;
  if (count > 0) run_vectorized<MomentsLoop>(values, count, &result);
  return result;
}

/// y = (x - mean) · factor · gamma + beta; beta may be null
struct NormalizeLoop {
  PRESS_VECTOR_LOOP void run(const float* x, float* y, std::int64_t width, float mean, float factor,
                             const float* gamma, const float* beta) {
    if (beta != nullptr) {
      for (std::int64_t j = 0; j < width; ++j) y[j] = (x[j] - mean) * factor * gamma[j] + beta[j];
    } else {
      for (std::int64_t j = 0; j < width; ++j) y[j] = (x[j] - mean) * factor * gamma[j];
    }
  }
};

/// A tensor seen as batch x channels x everything behind.
struct Planes {
  std::int64_t batch = 0;
  std::int64_t channels = 0;
  std::int64_t plane = 0;
};

Result<Planes> planes_of(const Tensor& source, std::size_t least_rank) {
  if (source.rank() < least_rank) {
    return Error(ErrorCode::kInput, fmt::format("the input should have at least {} dims, but is {}",
                                                least_rank, to_string(source.dims())));
  }
  const Dims& dims = source.dims();
  return Planes{dims[0], dims.size() > 1 ? dims[1] : 1, product(dims, std::min<std::size_t>(2, dims.size()))};
}

}  // namespace

namespace {

/// Means and variances of each channel over batch and places.
void channel_moments(const float* values, const Planes& planes, std::vector<float>& means,
                     std::vector<float>& variances) {
  const auto count = static_cast<double>(std::max<std::int64_t>(planes.batch * planes.plane, 1));
  for (std::int64_t c = 0; c < planes.channels; ++c) {
    const auto each = [&](const auto& body) {
      for (std::int64_t n = 0; n < planes.batch; ++n) {
        const float* x = values + (n * planes.channels + c) * planes.plane;
        for (std::int64_t i = 0; i < planes.plane; ++i) body(x[i]);
      }
    };
    double mean = 0, squares = 0;
    each([&](float x) { mean += x / count; });
    each([&](float x) { squares += (x - mean) * (x - mean) / count; });
    means[static_cast<std::size_t>(c)] = static_cast<float>(mean);
    variances[static_cast<std::size_t>(c)] = static_cast<float>(squares);
  }
}

}  // namespace

/// y = scale · (x - mean) / sqrt(variance + epsilon) + bias, with statistics from training; in training mode
/// with those of the batch, which update the running ones.
Status batch_normalization(KernelContext& context) {
  const Node& node = context.node();
  PRESS_ASSIGN(const Tensor* source, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(Planes planes, planes_of(*source, 1));
  const bool training = node.int_attribute("training_mode", 0) != 0;
  if (context.wants_output(1) && !training)
    return Error(ErrorCode::kUnsupported, "batch normalization of a training graph cannot be executed");
  if (context.opset() < 9 && node.int_attribute("spatial", 1) == 0) {  // statistics for each activation
    planes.channels *= planes.plane;
    planes.plane = 1;
  }
  const float epsilon = node.float_attribute("epsilon", 1e-5F);
  const auto channels = static_cast<std::size_t>(planes.channels);
  std::array<std::span<const float>, 4> parameters;  // scale, bias, mean, variance
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    PRESS_ASSIGN(const Tensor* parameter, required(context, i + 1, DataType::kFloat));
    parameters[i] = parameter->data<float>();
    if (parameters[i].size() != channels) {
      return Error(ErrorCode::kInput,
                   fmt::format("input {} should have one entry for each of {} channels, but is {}", i + 1,
                               channels, to_string(parameter->dims())));
    }
  }
  const auto [scale, bias, mean, variance] = parameters;
  std::vector<float> means(mean.begin(), mean.end()), variances(variance.begin(), variance.end());
  const float* in = source->data<float>().data();
  if (training) {
    channel_moments(in, planes, means, variances);
    const float momentum = node.float_attribute("momentum", 0.9F);
    for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
      if (!context.wants_output(i)) continue;
      const std::vector<float>& now = i == 1 ? means : variances;
      const std::span<const float> before = i == 1 ? mean : variance;
      PRESS_ASSIGN(Tensor * running, context.allocate_output(i, DataType::kFloat, {planes.channels}));
      for (std::size_t c = 0; c < channels; ++c)
        running->mutable_data<float>()[c] = before[c] * momentum + now[c] * (1 - momentum);
    }
  }
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, source->dims()));
  std::vector<float> factor(channels);
  std::vector<float> offset(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    factor[c] = scale[c] / std::sqrt(variances[c] + epsilon);
    offset[c] = bias[c] - means[c] * factor[c];
  }
  float* out = target->mutable_data<float>().data();
  parallel_for(context.threads(), planes.batch * planes.channels, kGrain,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const float a = factor[static_cast<std::size_t>(i % planes.channels)];
                   const float b = offset[static_cast<std::size_t>(i % planes.channels)];
                   const float* x = in + i * planes.plane;
                   float* y = out + i * planes.plane;
                   for (std::int64_t j = 0; j < planes.plane; ++j) y[j] = x[j] * a + b;
                 }
               });
  return {};
}

/// The same with the statistics of each channel of each sample.
Status instance_normalization(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* source, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const Planes planes, planes_of(*source, 3));
  const float epsilon = context.node().float_attribute("epsilon", 1e-5F);
  PRESS_ASSIGN(const Tensor* scale, per_channel(context, 1, planes.channels));
  PRESS_ASSIGN(const Tensor* bias, per_channel(context, 2, planes.channels));
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, source->dims()));
  const float* in = source->data<float>().data();
  float* out = target->mutable_data<float>().data();
  parallel_for(context.threads(), planes.batch * planes.channels, kGrain,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const float* x = in + i * planes.plane;
                   float* y = out + i * planes.plane;
                   const auto channel = static_cast<std::size_t>(i % planes.channels);
                   const Moments m = moments(x, planes.plane);
                   const double factor = scale->data<float>()[channel] / std::sqrt(m.variance + epsilon);
                   const double offset = bias->data<float>()[channel] - m.mean * factor;
                   for (std::int64_t j = 0; j < planes.plane; ++j)
                     y[j] = static_cast<float>(x[j] * factor + offset);
                 }
               });
  return {};
}

/// Statistics over the axes from `axis` on; scale and bias broadcast to those axes.
Status layer_normalization(KernelContext& context) {
  const Node& node = context.node();
  PRESS_ASSIGN(const Tensor* source, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const Tensor* scale, required(context, 1, DataType::kFloat));
  PRESS_ASSIGN(const Tensor* bias, optional(context, 2, DataType::kFloat));
  const Dims& dims = source->dims();
  PRESS_ASSIGN(const std::size_t axis, normalize_axis(node.int_attribute("axis", -1), dims.size()));
  const float epsilon = node.float_attribute("epsilon", 1e-5F);
  const std::int64_t rows = product(dims, 0, axis);
  const std::int64_t width = product(dims, axis);
  for (const Tensor* parameter : {scale, bias}) {
    if (parameter != nullptr && parameter->size() != width) {
      return Error(ErrorCode::kInput, fmt::format("scale and bias should have {} elements, but one is {}",
                                                  width, to_string(parameter->dims())));
    }
  }
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, dims));
  Dims statistics(dims.begin(), dims.begin() + static_cast<std::ptrdiff_t>(axis));
  statistics.resize(dims.size(), 1);
  float* means = nullptr;
  float* inverse_deviations = nullptr;
  if (context.wants_output(1)) {
    PRESS_ASSIGN(Tensor * output, context.allocate_output(1, DataType::kFloat, statistics));
    means = output->mutable_data<float>().data();
  }
  if (context.wants_output(2)) {
    PRESS_ASSIGN(Tensor * output, context.allocate_output(2, DataType::kFloat, statistics));
    inverse_deviations = output->mutable_data<float>().data();
  }
  const float* in = source->data<float>().data();
  float* out = target->mutable_data<float>().data();
  const float* gamma = scale->data<float>().data();
  const float* beta = bias != nullptr ? bias->data<float>().data() : nullptr;
  parallel_for(context.threads(), rows, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float* x = in + i * width;
      float* y = out + i * width;
      const Moments m = moments(x, width);
      const double inverse = 1.0 / std::sqrt(m.variance + epsilon);
      const auto mean = static_cast<float>(m.mean);
      const auto factor = static_cast<float>(inverse);
      run_vectorized<NormalizeLoop>(x, y, width, mean, factor, gamma, beta);
      if (means != nullptr) means[i] = mean;
      if (inverse_deviations != nullptr) inverse_deviations[i] = factor;
    }
  });
  return {};
}

/// y = x / (bias + alpha / size · sum of squares of `size` neighbouring channels)^beta
Status lrn(KernelContext& context) {
  const Node& node = context.node();
  PRESS_ASSIGN(const Tensor* source, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const Planes planes, planes_of(*source, 2));
  const std::int64_t size = node.int_attribute("size", 0);
  if (size < 1)
    return Error(ErrorCode::kInput, fmt::format("attribute size should be at least 1, but is {}", size));
  const float alpha = node.float_attribute("alpha", 1e-4F);
  const float beta = node.float_attribute("beta", 0.75F);
  const float bias = node.float_attribute("bias", 1.0F);
  const std::int64_t below = std::min((size - 1) / 2, planes.channels);
  const std::int64_t above = std::min(size / 2, planes.channels);
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, source->dims()));
  const float* in = source->data<float>().data();
  float* out = target->mutable_data<float>().data();
  parallel_for(
      context.threads(), planes.batch * planes.channels, kGrain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t channel = i % planes.channels;
          const std::int64_t first = std::max<std::int64_t>(channel - below, 0) - channel;
          const std::int64_t last = std::min(channel + above, planes.channels - 1) - channel;
          for (std::int64_t j = 0; j < planes.plane; ++j) {
            double squares = 0;
            for (std::int64_t neighbour = first; neighbour <= last; ++neighbour) {
              const double value = in[(i + neighbour) * planes.plane + j];
              squares += value * value;
            }
            const double divisor = std::pow(bias + alpha / static_cast<double>(size) * squares, beta);
            out[i * planes.plane + j] = static_cast<float>(in[i * planes.plane + j] / divisor);
          }
        }
      });
  return {};
}

/// x / |x|_p along one axis; rows of zeros stay zero.
Status lp_normalization(KernelContext& context) {
  const Node& node = context.node();
  PRESS_ASSIGN(const Tensor* source, required(context, 0, DataType::kFloat));
  const Dims& dims = source->dims();
  PRESS_ASSIGN(const std::size_t axis, normalize_axis(node.int_attribute("axis", -1), dims.size()));
  const std::int64_t p = node.int_attribute("p", 2);
  if (p != 1 && p != 2)
    return Error(ErrorCode::kInput, fmt::format("attribute p should be 1 or 2, but is {}", p));
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, dims));
  const std::int64_t inner = product(dims, axis + 1);
  const std::int64_t width = dims[axis];
  const std::int64_t rows = product(dims, 0, axis) * inner;
  const float* in = source->data<float>().data();
  float* out = target->mutable_data<float>().data();
  parallel_for(context.threads(), rows, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t start = i / inner * width * inner + i % inner;
      double norm = 0;
      for (std::int64_t j = 0; j < width; ++j) {
        const double value = in[start + j * inner];
        norm += p == 1 ? std::abs(value) : value * value;
      }
      if (p == 2) norm = std::sqrt(norm);
      for (std::int64_t j = 0; j < width; ++j) {
        out[start + j * inner] = norm > 0 ? static_cast<float>(in[start + j * inner] / norm) : 0.0F;
      }
    }
  });
  return {};
}

/// (x - mean) / (standard deviation + 1e-9) over `axes`.
Status mean_variance_normalization(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* source, required(context, 0, DataType::kFloat));
  const Dims& dims = source->dims();
  const std::vector<std::int64_t> given = context.node().ints_attribute("axes", {0, 2, 3});
  PRESS_ASSIGN(const std::vector<std::size_t> axes, normalize_axes(given, dims.size()));
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, dims));
  // Elements that share their statistics share the index over the axes that stay.
  Dims kept_strides(dims.size(), 0);
  std::int64_t groups = 1;
  for (std::size_t i = dims.size(); i-- > 0;) {
    if (std::ranges::find(axes, i) != axes.end()) continue;
    kept_strides[i] = groups;
    groups *= dims[i];
  }
  const std::span<const float> in = source->data<float>();
  const std::span<float> out = target->mutable_data<float>();
  const auto group_of = [&](std::size_t index) {
    auto rest = static_cast<std::int64_t>(index);
    std::int64_t group = 0;
    for (std::size_t i = dims.size(); i-- > 0;) {
      group += rest % dims[i] * kept_strides[i];
      rest /= dims[i];
    }
    return static_cast<std::size_t>(group);
  };
  const double count = groups > 0 ? static_cast<double>(source->size()) / static_cast<double>(groups) : 0;
  std::vector<double> mean(static_cast<std::size_t>(groups), 0);
  std::vector<double> variance(static_cast<std::size_t>(groups), 0);
  for (std::size_t i = 0; i < in.size(); ++i) mean[group_of(i)] += in[i] / count;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const double difference = in[i] - mean[group_of(i)];
    variance[group_of(i)] += difference * difference / count;
  }
  for (std::size_t i = 0; i < in.size(); ++i) {
    const std::size_t group = group_of(i);
    out[i] = static_cast<float>((in[i] - mean[group]) / (std::sqrt(variance[group]) + 1e-9));
  }
  return {};
}

}  // namespace press::kernels
