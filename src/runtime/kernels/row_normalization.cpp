// Normalizations of whole rows, beside LayerNormalization: RMSNormalization, GroupNormalization, and ONNX
// Runtime's forms that add or look up something first. In float32, sums in double.
#include <algorithm>
#include <cmath>

#include "ops/shapes.h"
#include "runtime/kernels/arguments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {

namespace {

constexpr std::int64_t kGrain = 8;  // rows a thread

/// Mean and 1 / sqrt(variance + epsilon) of a row; the mean is 0 where it is not to be taken off.
struct Statistics {
  double mean = 0;
  double factor = 0;
};

Statistics statistics(const float* x, std::int64_t count, bool centre, float epsilon) {
  Statistics result;
  if (centre) {
    for (std::int64_t i = 0; i < count; ++i) result.mean += x[i];
    result.mean /= static_cast<double>(std::max<std::int64_t>(count, 1));
  }
  double squares = 0;
  for (std::int64_t i = 0; i < count; ++i) squares += (x[i] - result.mean) * (x[i] - result.mean);
  result.factor = 1.0 / std::sqrt(squares / static_cast<double>(std::max<std::int64_t>(count, 1)) + epsilon);
  return result;
}

/// A factor or summand for each element of a row of `dims`, to which the parameter broadcasts; empty where it
/// is omitted.
Result<std::vector<float>> row_parameter(const KernelContext& context, std::size_t index, const Dims& dims) {
  PRESS_ASSIGN(const Tensor* parameter, optional(context, index, DataType::kFloat));
  if (parameter == nullptr) return std::vector<float>();
  PRESS_ASSIGN(const BroadcastLoop loop, BroadcastLoop::plan({&parameter->dims(), &dims}));
  if (loop.dims() != dims) {
    return reject("input {} is {}, which does not stretch to rows of {}", index, to_string(parameter->dims()),
                  to_string(dims));
  }
  std::vector<float> values(static_cast<std::size_t>(product(dims)));
  const float* from = parameter->data<float>().data();
  const bool repeats = loop.repeats(0);
  loop.run<2>(1, [&](std::int64_t position, const std::array<std::int64_t, 2>& at, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i)
      values[static_cast<std::size_t>(position + i)] = from[at[0] + (repeats ? 0 : i)];
  });
  return values;
}

/// Rows to normalize and where to.
struct Rows {
  std::int64_t count = 0;
  std::int64_t width = 0;
  const float* from = nullptr;
  float* to = nullptr;
};

/// y = (x - mean) · factor · scale + bias, row by row. Statistics go to `means` and `factors` where those are
/// not null.
void normalize_rows(int threads, const Rows& rows, bool centre, float epsilon,
                    const std::vector<float>& scale, const std::vector<float>& bias, float* means = nullptr,
                    float* factors = nullptr) {
  parallel_for(threads, rows.count, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* x = rows.from + row * rows.width;
      float* y = rows.to + row * rows.width;
      const Statistics s = statistics(x, rows.width, centre, epsilon);
      const auto mean = static_cast<float>(s.mean), factor = static_cast<float>(s.factor);
      for (std::int64_t i = 0; i < rows.width; ++i) {
        const auto at = static_cast<std::size_t>(i);
        y[i] = (x[i] - mean) * factor * (scale.empty() ? 1.0F : scale[at]) + (bias.empty() ? 0.0F : bias[at]);
      }
      if (means != nullptr) means[row] = mean;
      if (factors != nullptr) factors[row] = factor;
    }
  });
}

/// Memory for an output that may not be wanted; null where it is not.
Result<float*> wanted(KernelContext& context, std::size_t output, const Dims& dims) {
  if (!context.wants_output(output)) return static_cast<float*>(nullptr);
  PRESS_ASSIGN(Tensor * tensor, context.allocate_output(output, DataType::kFloat, dims));
  return tensor->mutable_data<float>().data();
}

}  // namespace

/// x / sqrt(mean of squares + epsilon) · scale over the axes from `axis` on; the second output, which only
/// ONNX Runtime's SimplifiedLayerNormalization has, is the factor of each row.
Status rms_normalization(KernelContext& context) {
  const Node& node = context.node();
  PRESS_ASSIGN(const Tensor* input, required(context, 0, DataType::kFloat));
  PRESS_TRY(required(context, 1, DataType::kFloat));
  const Dims& dims = input->dims();
  PRESS_ASSIGN(const std::size_t axis, normalize_axis(node.int_attribute("axis", -1), dims.size()));
  const auto cut = dims.begin() + static_cast<std::ptrdiff_t>(axis);
  PRESS_ASSIGN(const std::vector<float> scale, row_parameter(context, 1, Dims(cut, dims.end())));
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, dims));
  Dims outer(dims.begin(), cut);
  outer.resize(dims.size(), 1);
  PRESS_ASSIGN(float* factors, wanted(context, 1, outer));
  const Rows rows{product(dims, 0, axis), product(dims, axis), input->data<float>().data(),
                  target->mutable_data<float>().data()};
  normalize_rows(context.threads(), rows, false, node.float_attribute("epsilon", 1e-5F), scale, {}, nullptr,
                 factors);
  return {};
}

/// Statistics of groups of channels of each sample. Scale and bias: one a channel; before opset 21 one a
/// group.
Status group_normalization(KernelContext& context) {
  const Node& node = context.node();
  PRESS_ASSIGN(const Tensor* input, required(context, 0, DataType::kFloat));
  const Dims& dims = input->dims();
  const std::int64_t groups = node.int_attribute("num_groups", 0);
  if (dims.size() < 2 || groups < 1 || dims[1] % groups != 0)
    return reject("{} groups do not fit an input of {}", groups, to_string(dims));
  const std::int64_t each = dims[1] / groups;
  const bool per_group = context.opset() < 21;
  PRESS_ASSIGN(const Tensor* scale, per_channel(context, 1, per_group ? groups : dims[1]));
  PRESS_ASSIGN(const Tensor* bias, per_channel(context, 2, per_group ? groups : dims[1]));
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, dims));
  const std::int64_t plane = product(dims, 2);
  const Rows rows{dims[0] * groups, each * plane, input->data<float>().data(),
                  target->mutable_data<float>().data()};
  normalize_rows(context.threads(), rows, true, node.float_attribute("epsilon", 1e-5F), {}, {});
  for (std::int64_t i = 0; i < dims[0] * dims[1]; ++i) {
    const std::int64_t channel = i % dims[1];
    const auto which = static_cast<std::size_t>(per_group ? channel / each : channel);
    for (float* y = rows.to + i * plane; y != rows.to + (i + 1) * plane; ++y)
      *y = *y * scale->data<float>()[which] + bias->data<float>()[which];
  }
  return {};
}

namespace {

/// com.microsoft: normalizes input + skip (+ bias), which is the fourth output.
Status normalize_sum(KernelContext& context, bool centre, std::size_t bias_input) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const Tensor* skip, required(context, 1, DataType::kFloat));
  const Dims& dims = input->dims();
  if (dims.empty()) return reject("the input is a scalar");
  PRESS_ASSIGN(const BroadcastLoop loop, BroadcastLoop::plan({&dims, &skip->dims()}));
  if (loop.dims() != dims)
    return reject("skip {} does not stretch to the input {}", to_string(skip->dims()), to_string(dims));
  PRESS_TRY(required(context, 2, DataType::kFloat));
  const Dims row{dims.back()};
  PRESS_ASSIGN(const std::vector<float> scale, row_parameter(context, 2, row));
  std::vector<float> beta;
  if (centre) {
    PRESS_ASSIGN(beta, row_parameter(context, 3, row));
  }
  PRESS_ASSIGN(const std::vector<float> bias, row_parameter(context, bias_input, row));
  PRESS_ASSIGN(Tensor sum, context.allocate_scratch(DataType::kFloat, dims));
  const std::span<float> total = sum.mutable_data<float>();
  combine(loop, input->data<float>().data(), skip->data<float>().data(), total.data(), context.threads(),
          [](float a, float b) { return a + b; });
  for (std::size_t i = 0; !bias.empty() && i < total.size(); ++i) total[i] += bias[i % bias.size()];
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, dims));
  Dims outer(dims.begin(), dims.end() - 1);
  outer.push_back(1);
  PRESS_ASSIGN(float* means, wanted(context, 1, outer));
  PRESS_ASSIGN(float* factors, wanted(context, 2, outer));
  const Rows rows{product(outer), dims.back(), total.data(), target->mutable_data<float>().data()};
  normalize_rows(context.threads(), rows, centre, context.node().float_attribute("epsilon", 1e-12F), scale,
                 beta, means, factors);
  if (context.wants_output(3)) context.set_output(3, std::move(sum));
  return {};
}

}  // namespace

Status skip_layer_normalization(KernelContext& context) {
  return normalize_sum(context, true, 4);
}

Status skip_rms_normalization(KernelContext& context) {
  return normalize_sum(context, false, 3);
}

/// com.microsoft: the sum of word, position and segment embeddings, normalized; and how long each sentence
/// is.
Status embed_layer_normalization(KernelContext& context) {
  const Node& node = context.node();
  PRESS_ASSIGN(const Tensor* ids, required(context, 0));
  if (ids->rank() != 2) return reject("the ids are {}, expected batch and sequence", to_string(ids->dims()));
  const std::int64_t batch = ids->dims()[0], length = ids->dims()[1];
  PRESS_ASSIGN(const Tensor* words, required(context, 2, DataType::kFloat));
  if (words->rank() != 2) return reject("the word embedding is {}", to_string(words->dims()));
  const std::int64_t width = words->dims()[1];
  PRESS_ASSIGN(Tensor sum, context.allocate_scratch(DataType::kFloat, {batch, length, width}));
  const std::span<float> total = sum.mutable_data<float>();
  std::ranges::fill(total, 0.0F);
  // Adds the row of a table that each position asks for.
  const auto look_up = [&](std::size_t table_input, const std::vector<std::int64_t>& rows) -> Status {
    PRESS_ASSIGN(const Tensor* table, required(context, table_input, DataType::kFloat));
    if (table->rank() != 2 || table->dims()[1] != width ||
        rows.size() * static_cast<std::size_t>(width) != total.size())
      return reject("the embedding at input {} is {}", table_input, to_string(table->dims()));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i] < 0 || rows[i] >= table->dims()[0]) return reject("id {} is out of range", rows[i]);
      const float* from = table->data<float>().data() + rows[i] * width;
      for (std::int64_t k = 0; k < width; ++k)
        total[i * static_cast<std::size_t>(width) + static_cast<std::size_t>(k)] += from[k];
    }
    return {};
  };
  PRESS_ASSIGN(const std::vector<std::int64_t> word_ids, integers(*ids));
  PRESS_TRY(look_up(2, word_ids));
  std::vector<std::int64_t> positions;
  if (const Tensor* given = context.input(8); given != nullptr) {
    PRESS_ASSIGN(positions, integers(*given));
  }
  if (positions.empty() || static_cast<std::int64_t>(positions.size()) == length) {
    std::vector<std::int64_t> repeated(word_ids.size());
    for (std::size_t i = 0; i < repeated.size(); ++i) {
      const std::size_t at = i % static_cast<std::size_t>(length);
      repeated[i] = positions.empty() ? static_cast<std::int64_t>(at) : positions[at];
    }
    positions = std::move(repeated);
  }
  PRESS_TRY(look_up(3, positions));
  if (const Tensor* segments = context.input(1); segments != nullptr) {
    PRESS_ASSIGN(const std::vector<std::int64_t> segment_ids, integers(*segments));
    PRESS_TRY(look_up(4, segment_ids));
  }
  PRESS_ASSIGN(const std::vector<float> scale, row_parameter(context, 5, {width}));
  PRESS_ASSIGN(const std::vector<float> bias, row_parameter(context, 6, {width}));
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, {batch, length, width}));
  const Rows rows{batch * length, width, total.data(), target->mutable_data<float>().data()};
  normalize_rows(context.threads(), rows, true, node.float_attribute("epsilon", 1e-12F), scale, bias);
  if (context.wants_output(1)) {
    PRESS_ASSIGN(Tensor * lengths, context.allocate_output(1, DataType::kInt32, {batch}));
    const std::span<std::int32_t> out = lengths->mutable_data<std::int32_t>();
    std::ranges::fill(out, 0);
    if (const Tensor* mask = context.input(7); mask != nullptr) {
      PRESS_ASSIGN(const std::vector<std::int64_t> ones, integers(*mask));
      if (ones.size() != word_ids.size()) return reject("the mask is {}", to_string(mask->dims()));
      for (std::size_t i = 0; i < ones.size(); ++i)
        out[i / static_cast<std::size_t>(length)] += ones[i] == 1 ? 1 : 0;
    }
  }
  if (context.wants_output(2)) context.set_output(2, std::move(sum));
  return {};
}

}  // namespace press::kernels
