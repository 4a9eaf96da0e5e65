#include "passes/fuse/linear_operator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>
#include <span>

#include "passes/floats.h"
#include "passes/match.h"
#include "passes/selection.h"

namespace press {
namespace {

constexpr std::size_t kParameters = 4;  // of BatchNormalization: scale, bias, mean, variance, inputs 1 to 4

template <typename... Args>
std::nullopt_t decline(std::string& reason, fmt::format_string<Args...> format, Args&&... args) {
  reason = fmt::format(format, std::forward<Args>(args)...);
  return std::nullopt;
}

std::size_t position(int input) {
  return static_cast<std::size_t>(input);
}

bool is_finite(const Tensor& tensor) {
  unsigned others = 0;
  with_float_type(tensor.type(), [&]<typename T>() {
    for (const T element : tensor.data<T>()) {
      const auto number = detail::as_number(element);
      others |= static_cast<unsigned>(!(number * 0 == 0));  // as ∞ · 0; vectorized, unlike isfinite()
    }
  });
  return others == 0;
}

/// The numbers as a tensor of `type`; nullopt where one does not fit.
std::optional<Tensor> rounded(DataType type, const Dims& dims, const std::vector<double>& numbers,
                              std::string_view what, std::string& reason) {
  auto made = Tensor::allocate(type, dims);
  if (!made.ok()) return decline(reason, "{}", made.error().message());
  with_float_type(type, [&]<typename T>() {
    std::ranges::transform(numbers, made->mutable_data<T>().begin(), detail::narrow<T>);
  });
  if (!is_finite(*made)) return decline(reason, "{} is not finite in {}", what, name(type));
  return std::move(*made);
}

/// The constant itself changes where this node alone uses it; otherwise the node gets one of its own, in
/// `home`.
void set_constant_input(Graph& home, Node& node, std::size_t index, Tensor tensor,
                        std::string_view new_name) {
  Value* old = node.input(index);
  if (old != nullptr && old->has_one_use()) {
    old->set_constant(std::move(tensor));
    return;
  }
  const std::string stem(old != nullptr ? old->name() : new_name);
  node.graph()->set_input(&node, index, home.add_constant(std::move(tensor), home.fresh_name(stem)));
}

bool is_padded(const Node& node) {
  const std::string mode = node.string_attribute("auto_pad", "NOTSET");
  if (mode == "VALID") return false;
  return mode != "NOTSET" ||
         std::ranges::any_of(node.ints_attribute("pads"), [](std::int64_t pad) { return pad != 0; });
}

bool is_all(const std::vector<double>& numbers, double number) {
  return std::ranges::all_of(numbers, [&](double one) { return one == number; });
}

}  // namespace

bool LinearOperator::is_one(const Node& node) {
  return node.domain().empty() && traits(node).weight_input == 1;
}

std::optional<LinearOperator> LinearOperator::read(Node& node, std::string& reason) {
  LinearOperator linear(node);
  const Value* weight = constant_weight(node);
  if (weight == nullptr) {
    const Value* given = node.input(position(traits(node).weight_input));
    const bool has_default = given != nullptr && given->tensor() != nullptr;
    return decline(reason, "the weight of {} is {}", node.label(),
                   has_default ? "a graph input, which callers may override" : "not constant");
  }
  linear.weight_ = *weight->constant();
  const Dims& dims = linear.weight_.dims();
  const std::optional<int> axis = weight_channel_axis(node);
  if (!is_floating_point(linear.weight_.type())) {
    return decline(reason, "the weight of {} is {}", node.label(), name(linear.weight_.type()));
  }
  if (dims.size() < 2 || !axis.has_value() || *axis < 0 || position(*axis) >= dims.size() ||
      linear.weight_.size() == 0) {
    return decline(reason, "the weight of {} is {}", node.label(), to_string(dims));
  }
  linear.extent_ = dims[position(*axis)];
  linear.inner_ = 1;
  for (std::size_t i = position(*axis) + 1; i < dims.size(); ++i) linear.inner_ *= dims[i];
  const std::int64_t groups = node.int_attribute("group", 1);
  if (groups < 1 || dims[0] % groups != 0) {
    return decline(reason, "the weight of {} is {}, which does not divide into {} groups", node.label(),
                   to_string(dims), groups);
  }
  if (node.is("ConvTranspose")) linear.groups_ = groups;
  return linear;
}

template <typename Visit>
void LinearOperator::for_each_output_run(Visit&& visit) const {
  const std::int64_t blocks = weight_.size() / (extent_ * inner_), rows = blocks / groups_;
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::int64_t first_channel = block / rows * extent_;
    for (std::int64_t c = 0; c < extent_; ++c)
      visit(first_channel + c, (block * extent_ + c) * inner_, inner_);
  }
}

std::int64_t LinearOperator::input_channels() const {
  const Dims& dims = weight_.dims();
  if (node_->is("Conv")) return dims.size() > 1 ? dims[1] * node_->int_attribute("group", 1) : 0;
  if (node_->is("Gemm")) return dims[node_->int_attribute("transB", 0) != 0 ? 1 : 0];
  if (node_->is("MatMul")) return dims[dims.size() - 2];
  return dims[0];
}

template <typename Visit>
void LinearOperator::for_each_input_run(Visit&& visit) const {
  const Dims& dims = weight_.dims();
  const bool is_conv = node_->is("Conv");
  const bool is_row = node_->is("Gemm") && node_->int_attribute("transB", 0) != 0;
  // Blocks of `channels` runs each; the blocks of a convolution's later groups begin at a later channel.
  std::int64_t channels = dims[0], blocks_per_group = 1;
  bool has_groups = false;
  if (is_conv || is_row) {
    channels = dims[1];
    has_groups = is_conv;
    if (is_conv) blocks_per_group = std::max<std::int64_t>(1, dims[0] / node_->int_attribute("group", 1));
  } else if (!node_->is("ConvTranspose")) {
    channels = dims[dims.size() - 2];
  }
  std::int64_t run = weight_.size() / (is_conv || is_row ? dims[0] * channels : channels);
  if (node_->is("MatMul")) run = dims.back();
  const std::int64_t blocks = weight_.size() / (channels * run);
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::int64_t first_channel = has_groups ? block / blocks_per_group * channels : 0;
    for (std::int64_t c = 0; c < channels; ++c) visit(first_channel + c, (block * channels + c) * run, run);
  }
}

std::vector<double> LinearOperator::sums_over_inputs(const std::vector<double>& factors) const {
  std::vector<double> sums(static_cast<std::size_t>(output_channels()));
  const bool is_conv = node_->is("Conv");
  with_float_type(weight_.type(), [&]<typename T>() {
    const std::span<const T> elements = weight_.data<T>();
    if (!is_conv && (!node_->is("Gemm") || node_->int_attribute("transB", 0) == 0)) {
      for (std::size_t first = 0, i = 0; first < elements.size(); first += sums.size(), ++i) {
        for (std::size_t o = 0; o < sums.size(); ++o)
          sums[o] += detail::widen(elements[first + o]) * factors[i % factors.size()];
      }
      return;
    }
    // One row an output channel; the rows of a group see the same inputs, `run` elements each.
    const std::size_t row = elements.size() / sums.size();
    const auto inputs = static_cast<std::size_t>(weight_.dims()[1]);
    const std::size_t run = row / inputs, rows_of_a_group = sums.size() * inputs / factors.size();
    std::vector<double> of_row(row);
    for (std::size_t o = 0; o < sums.size(); ++o) {
      if (o % rows_of_a_group == 0) {
        const std::size_t first = o / rows_of_a_group * inputs;
        for (std::size_t i = 0; i < row; ++i) of_row[i] = factors[first + i / run];
      }
      const auto weights = elements.subspan(o * row, row);
      sums[o] = std::transform_reduce(weights.begin(), weights.end(), of_row.begin(), 0.0, std::plus<>(),
                                      [](T weight, double factor) { return detail::widen(weight) * factor; });
    }
  });
  return sums;
}

template <typename ForEachRun>
std::optional<Tensor> LinearOperator::scaled(const std::vector<double>& factors, ForEachRun&& for_each_run,
                                             std::string& reason) const {
  Tensor scaled = weight_;
  with_float_type(scaled.type(), [&]<typename T>() {
    T* elements = scaled.mutable_data<T>().data();
    for_each_run([&](std::int64_t channel, std::int64_t first, std::int64_t count) {
      const double factor = factors[static_cast<std::size_t>(channel)];
      for (std::int64_t i = first; i < first + count; ++i)
        elements[i] = detail::narrow<T>(detail::widen(elements[i]) * factor);
    });
  });
  if (is_finite(scaled)) return scaled;
  return decline(reason, "the scaled weight of {} is not finite in {}", node_->label(), name(scaled.type()));
}

std::size_t LinearOperator::trailing_axes() const {
  return node_->is("Gemm") || node_->is("MatMul") ? 0 : weight_.rank() - 2;
}

std::optional<std::vector<double>> LinearOperator::bias(std::string& reason) const {
  const int bias_input = traits(*node_).bias_input;
  const Value* value = bias_input >= 0 ? node_->input(position(bias_input)) : nullptr;
  std::vector<double> bias(position(static_cast<int>(output_channels())), 0.0);
  if (value == nullptr) return bias;
  const Tensor* tensor = value->constant();
  if (tensor == nullptr || !is_floating_point(tensor->type())) {
    return decline(reason, "the bias of {} is not a constant of floating-point numbers", node_->label());
  }
  const bool is_gemm = node_->is("Gemm");
  const bool is_row = tensor->rank() == 1 || (is_gemm && tensor->rank() == 2 && tensor->dims()[0] == 1);
  const bool is_one = is_gemm && tensor->size() == 1 && tensor->rank() <= 2;
  if (!is_one && !(is_row && tensor->size() == output_channels())) {
    return decline(reason, "the bias of {} is {}, but it has {} output channels", node_->label(),
                   to_string(tensor->dims()), output_channels());
  }
  const double beta = is_gemm ? node_->float_attribute("beta", 1.0F) : 1.0;
  for_each_float(*tensor,
                 [&](std::int64_t c, double element) { bias[static_cast<std::size_t>(c)] = beta * element; });
  if (is_one) std::ranges::fill(bias, bias.front());
  return bias;
}

/// A product of two matrices can have a bias as Gemm.
bool LinearOperator::can_have_bias(KnownTypes& types, std::string& reason) const {
  if (traits(*node_).bias_input >= 0) return true;
  const Value* input = node_->input(0);
  const Type* type = input != nullptr && !input->is_constant() ? types.type(input) : nullptr;
  const bool is_matrix = type != nullptr && type->shape.has_value() && type->shape->size() == 2;
  if (node_->is("MatMul") && is_matrix && weight_.rank() == 2) return true;
  decline(reason, "{} has no bias and is not known to multiply two matrices", node_->label());
  return false;
}

template <typename ForEachRun>
bool LinearOperator::fold(const Affine& affine, const std::vector<double>& new_bias,
                          ForEachRun&& for_each_run, KnownTypes& types, std::string& reason) {
  const bool has_bias = node_->input_count() > 2 && node_->input(2) != nullptr;
  const bool needs_bias = has_bias || !is_all(affine.shift, 0);
  if (needs_bias && !can_have_bias(types, reason)) return false;
  std::optional<Tensor> weight;  // none: as it is
  if (!is_all(affine.scale, 1)) {
    weight = scaled(affine.scale, for_each_run, reason);
    if (!weight.has_value()) return false;
  }
  return replace(std::move(weight), needs_bias ? new_bias : std::vector<double>(), reason);
}

bool LinearOperator::fold_behind(const Affine& affine, KnownTypes& types, std::string& reason) {
  auto old_bias = bias(reason);
  if (!old_bias.has_value()) return false;
  for (std::size_t c = 0; c < old_bias->size(); ++c)
    (*old_bias)[c] = (*old_bias)[c] * affine.scale[c] + affine.shift[c];
  return fold(
      affine, *old_bias, [this](auto&& visit) { for_each_output_run(visit); }, types, reason);
}

bool LinearOperator::fold_before(const Affine& affine, KnownTypes& types, std::string& reason) {
  const bool shifts = !is_all(affine.shift, 0);
  const bool is_convolution = node_->is("Conv") || node_->is("ConvTranspose");
  if (shifts && (node_->is("ConvTranspose") || (is_convolution && is_padded(*node_)))) {
    decline(reason, "the border of {} would not be shifted", node_->label());
    return false;
  }
  if (node_->is("Gemm") && node_->int_attribute("transA", 0) != 0) {
    decline(reason, "{} transposes its input", node_->label());
    return false;
  }
  auto new_bias = bias(reason);
  if (!new_bias.has_value()) return false;
  const double alpha = node_->is("Gemm") ? node_->float_attribute("alpha", 1.0F) : 1.0;
  if (shifts) {
    const std::vector<double> sums = sums_over_inputs(affine.shift);
    for (std::size_t o = 0; o < sums.size(); ++o) (*new_bias)[o] += alpha * sums[o];
  }
  return fold(
      affine, *new_bias, [this](auto&& visit) { for_each_input_run(visit); }, types, reason);
}

bool LinearOperator::replace(const std::vector<double>& weight, const std::vector<double>& bias,
                             std::string& reason) {
  std::optional<Tensor> new_weight;
  if (!weight.empty()) {
    new_weight = rounded(weight_.type(), weight_.dims(), weight,
                         fmt::format("the scaled weight of {}", node_->label()), reason);
    if (!new_weight.has_value()) return false;
  }
  return replace(std::move(new_weight), bias, reason);
}

bool LinearOperator::replace(std::optional<Tensor> new_weight, const std::vector<double>& bias,
                             std::string& reason) {
  std::optional<Tensor> new_bias;
  if (!bias.empty()) {
    new_bias = rounded(weight_.type(), {output_channels()}, bias,
                       fmt::format("the new bias of {}", node_->label()), reason);
    if (!new_bias.has_value()) return false;
  }
  // Where the weight stands there may be constants; a subgraph, before IR version 4, can have none.
  Graph& home = *node_->input(1)->graph();
  if (new_weight.has_value()) {
    set_constant_input(home, *node_, 1, *new_weight, {});
    weight_ = *std::move(new_weight);
  }
  if (!new_bias.has_value()) return true;
  if (node_->is("MatMul")) node_->set_op_type("Gemm");
  node_->remove_attribute("beta");
  set_constant_input(home, *node_, position(traits(*node_).bias_input), *std::move(new_bias),
                     fmt::format("{}.bias", selection_name(*node_)));
  return true;
}

std::optional<Affine> batch_normalization_affine(const Node& norm, std::int64_t channels,
                                                 std::string& reason) {
  const std::int64_t opset = norm.graph()->opset();
  if (opset < 7) return decline(reason, "operator set {} is older than 7", opset);
  if (norm.int_attribute("training_mode", 0) != 0) return decline(reason, "it is in training mode");
  if (norm.int_attribute("spatial", 1) != 1)
    return decline(reason, "its statistics are not per channel (spatial is 0)");
  for (std::size_t i = 1; i < norm.output_count(); ++i) {
    if (norm.output(i) != nullptr) return decline(reason, "it lists the outputs of its training form");
  }
  std::array<std::vector<double>, kParameters> parameters;
  for (std::size_t i = 0; i < kParameters; ++i) {
    const Tensor* tensor = constant_input(norm, i + 1);
    if (tensor == nullptr || !is_floating_point(tensor->type())) {
      return decline(reason, "its input {} is not a constant of floating-point numbers", i + 1);
    }
    if (tensor->rank() != 1 || tensor->size() != channels) {
      return decline(reason, "its input {} is {}, but there are {} channels", i + 1,
                     to_string(tensor->dims()), channels);
    }
    parameters[i].reserve(static_cast<std::size_t>(tensor->size()));
    for_each_float(*tensor, [&](std::int64_t, double element) { parameters[i].push_back(element); });
  }
  const auto& [gamma, beta, mean, variance] = parameters;
  const double epsilon = norm.float_attribute("epsilon", 1e-5F);
  Affine affine;
  for (std::size_t c = 0; c < gamma.size(); ++c) {
    const double scale = gamma[c] / std::sqrt(variance[c] + epsilon);
    const double shift = beta[c] - mean[c] * scale;
    if (!(variance[c] + epsilon > 0) || !std::isfinite(scale) || !std::isfinite(shift)) {
      return decline(
          reason,
          "channel {} has scale {}, bias {}, mean {} and variance {} with epsilon {}, which is no finite "
          "factor",
          c, gamma[c], beta[c], mean[c], variance[c], epsilon);
    }
    affine.scale.push_back(scale);
    affine.shift.push_back(shift);
  }
  return affine;
}

bool is_arithmetic(const Node& node) {
  return node.is("Mul") || node.is("Add") || node.is("Sub") || node.is("Div");
}

Value* variable_operand(const Node& node) {
  if (!is_arithmetic(node) || node.input(0) == nullptr || node.input(1) == nullptr) return nullptr;
  if (constant_input(node, 1) != nullptr && constant_input(node, 0) == nullptr) return node.input(0);
  if (constant_input(node, 0) != nullptr && constant_input(node, 1) == nullptr && !node.is("Div"))
    return node.input(1);
  return nullptr;
}

std::optional<ConstantOperation> constant_operation(const Node& node, std::int64_t channels,
                                                    std::size_t trailing) {
  Value* input = variable_operand(node);
  if (input == nullptr || channels < 1) return std::nullopt;
  const bool is_first = input == node.input(0);
  const Tensor& constant = *constant_input(node, is_first ? 1 : 0);
  if (!is_floating_point(constant.type())) return std::nullopt;
  if (constant.size() != 1) {
    if (constant.size() != channels || constant.rank() <= trailing) return std::nullopt;
    if (constant.dims()[constant.rank() - 1 - trailing] != channels) return std::nullopt;
  }
  std::vector<double> numbers;
  for_each_float(constant, [&](std::int64_t, double element) { numbers.push_back(element); });
  numbers.resize(static_cast<std::size_t>(channels), numbers.front());
  ConstantOperation operation{input, {}, constant.rank()};
  for (const double number : numbers) {
    double scale = 1, shift = 0;
    if (node.is("Mul")) scale = number;
    if (node.is("Div")) scale = 1 / number;
    if (node.is("Add")) shift = number;
    if (node.is("Sub")) shift = is_first ? -number : number;
    if (node.is("Sub") && !is_first) scale = -1;
    if (!std::isfinite(scale) || !std::isfinite(shift)) return std::nullopt;
    operation.affine.scale.push_back(scale);
    operation.affine.shift.push_back(shift);
  }
  return operation;
}

}  // namespace press
