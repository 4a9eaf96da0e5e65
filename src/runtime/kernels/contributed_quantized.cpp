// QLinear operators of com.microsoft: the operator of ONNX on the real values of quantized tensors, and its
// result quantized: saturate(round(y / scale) + zero point).
#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/kernels/arguments.h"
#include "runtime/kernels/contributed.h"
#include "runtime/kernels/seen_context.h"
#include "runtime/kernels/support.h"

namespace press::kernels {

namespace {

/// Positions of a tensor's data, scale and zero point among a node's inputs; without a scale the data is
/// taken as it is.
struct Quantized {
  std::size_t data = 0;
  std::optional<std::size_t> scale = std::nullopt;
};

Result<float> scale_at(const KernelContext& context, std::size_t index) {
  PRESS_ASSIGN(const Tensor* scale, required(context, index, DataType::kFloat));
  if (scale->size() != 1) return reject("the scale at input {} should have one element", index);
  return scale->data<float>()[0];
}

template <typename T>
Status write_quantized(KernelContext& context, const Tensor& real, float scale, const Tensor* zero_point) {
  const std::int32_t zero = zero_point != nullptr && zero_point->size() == 1 ? zero_point->data<T>()[0] : 0;
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, data_type_of<T>(), real.dims()));
  const float low = static_cast<float>(std::numeric_limits<T>::lowest() - zero);
  const float high = static_cast<float>(std::numeric_limits<T>::max() - zero);
  const float* in = real.data<float>().data();
  T* out = target->mutable_data<T>().data();
  parallel_for(context.threads(), real.size(), kElementGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float steps = std::isnan(in[i]) ? low : std::clamp(in[i] / scale, low, high);
      out[i] = static_cast<T>(static_cast<std::int32_t>(std::nearbyint(steps)) + zero);
    }
  });
  return {};
}

/// What a QLinear operator adds to the real one.
struct Form {
  std::vector<Quantized> inputs;
  std::size_t result_scale = 0;  // its zero point follows
};

/// Any QLinear operator: `real` is the kernel on real numbers.
class QLinearKernel final : public Kernel {
 public:
  QLinearKernel(Form form, std::unique_ptr<Kernel> real, std::int64_t opset)
      : form_(std::move(form)), real_(std::move(real)), opset_(opset) {}

  Status run(KernelContext& context) override {
    std::vector<Tensor> inputs;
    for (const Quantized& input : form_.inputs) {
      if (input.scale) {
        PRESS_ASSIGN(Tensor tensor, dequantized(context, input.data, *input.scale, *input.scale + 1));
        inputs.push_back(std::move(tensor));
      } else {
        PRESS_ASSIGN(const Tensor* tensor, required(context, input.data));
        inputs.push_back(*tensor);
      }
    }
    SeenContext seen(context, std::move(inputs), {}, opset_);
    PRESS_TRY(real_->run(seen));
    PRESS_ASSIGN(const float scale, scale_at(context, form_.result_scale));
    const Tensor* zero_point = context.input(form_.result_scale + 1);
    const Tensor* first = context.input(form_.inputs.back().data);
    const DataType type = zero_point != nullptr ? zero_point->type() : first->type();
    return dispatch<std::uint8_t, std::int8_t>(context, type, [&]<typename T>() -> Status {
      return write_quantized<T>(context, seen.result(), scale, zero_point);
    });
  }

 private:
  Form form_;
  std::unique_ptr<Kernel> real_;
  std::int64_t opset_;
};

constexpr std::int64_t kOpset = 17;  // whose operators the forms follow

Result<std::unique_ptr<Kernel>> qlinear(Form form, std::unique_ptr<Kernel> real,
                                        std::int64_t opset = kOpset) {
  return std::unique_ptr<Kernel>(std::make_unique<QLinearKernel>(std::move(form), std::move(real), opset));
}

Result<std::unique_ptr<Kernel>> qlinear(Form form, KernelFunction real) {
  return qlinear(std::move(form), std::make_unique<FunctionKernel<Kernel>>(real));
}

/// X and Y as most QLinear operators of one operand have them.
Form unary() {
  return {.inputs = {{.data = 0, .scale = 1}}, .result_scale = 3};
}

Form binary() {
  return {.inputs = {{.data = 0, .scale = 1}, {.data = 3, .scale = 4}}, .result_scale = 6};
}

/// A pooling on real numbers, in the order of axes that the node says.
Result<std::unique_ptr<Kernel>> qlinear_pool(const Node& node, KernelFactory factory) {
  PRESS_ASSIGN(std::unique_ptr<Kernel> real, factory(node));
  if (node.int_attribute("channels_last", 0) != 0) real->use_channels_last();
  return qlinear(unary(), std::move(real));
}

/// A kernel that ONNX has under another name, on the node's own inputs with channels last.
class ChannelsLastKernel final : public Kernel {
 public:
  explicit ChannelsLastKernel(std::unique_ptr<Kernel> kernel) : kernel_(std::move(kernel)) {
    kernel_->use_channels_last();
  }
  Status run(KernelContext& context) override {
    PRESS_ASSIGN(const Tensor* input, required(context, 0));
    SeenContext seen(context, {*input});
    PRESS_TRY(kernel_->run(seen));
    context.set_output(0, std::move(seen.result()));
    return {};
  }

 private:
  std::unique_ptr<Kernel> kernel_;
};

}  // namespace

Result<Tensor> dequantized(KernelContext& context, std::size_t data, std::size_t scale,
                           std::size_t zero_point, std::size_t axis) {
  PRESS_ASSIGN(const Tensor* tensor, required(context, data));
  PRESS_ASSIGN(const Tensor* scales, required(context, scale, DataType::kFloat));
  const Tensor* zeros = context.input(zero_point);
  if (zeros != nullptr && zeros->size() == 0) zeros = nullptr;
  const std::int64_t extent = axis < tensor->rank() ? tensor->dims()[axis] : 1;
  const std::int64_t inner = axis < tensor->rank() ? product(tensor->dims(), axis + 1) : 1;
  const auto fits = [&](const Tensor& parameter) {
    return parameter.size() == 1 || parameter.size() == extent;
  };
  if (!fits(*scales) || (zeros != nullptr && (!fits(*zeros) || zeros->type() != tensor->type()))) {
    return reject("the scale {} or the zero point of input {} does not fit {} {}", to_string(scales->dims()),
                  data, name(tensor->type()), to_string(tensor->dims()));
  }
  PRESS_ASSIGN(Tensor real, context.allocate_scratch(DataType::kFloat, tensor->dims()));
  const std::span<float> out = real.mutable_data<float>();
  const std::span<const float> factors = scales->data<float>();
  PRESS_TRY((
      dispatch<std::uint8_t, std::int8_t, std::int32_t>(context, tensor->type(), [&]<typename T>() -> Status {
        const std::span<const T> in = tensor->data<T>();
        for (std::size_t i = 0; i < in.size(); ++i) {
          const auto channel = static_cast<std::size_t>(static_cast<std::int64_t>(i) / inner % extent);
          const std::int64_t zero = zeros != nullptr ? zeros->data<T>()[zeros->size() == 1 ? 0 : channel] : 0;
          out[i] = static_cast<float>(static_cast<std::int64_t>(in[i]) - zero) *
                   factors[factors.size() == 1 ? 0 : channel];
        }
        return {};
      })));
  return real;
}

Result<std::unique_ptr<Kernel>> qlinear_add(const Node& /*node*/) {
  return qlinear(binary(), add);
}

Result<std::unique_ptr<Kernel>> qlinear_mul(const Node& /*node*/) {
  return qlinear(binary(), mul);
}

Result<std::unique_ptr<Kernel>> qlinear_where(const Node& /*node*/) {
  return qlinear(
      {.inputs = {{.data = 0}, {.data = 1, .scale = 2}, {.data = 4, .scale = 5}}, .result_scale = 7}, where);
}

Result<std::unique_ptr<Kernel>> qlinear_sigmoid(const Node& /*node*/) {
  return qlinear(unary(), sigmoid);
}

Result<std::unique_ptr<Kernel>> qlinear_leaky_relu(const Node& /*node*/) {
  return qlinear(unary(), leaky_relu);
}

/// The attribute opset says which Softmax of ONNX is meant: before 13 it normalizes all axes from `axis` on.
Result<std::unique_ptr<Kernel>> qlinear_softmax(const Node& node) {
  return qlinear(unary(), std::make_unique<FunctionKernel<Kernel>>(softmax),
                 node.int_attribute("opset", kOpset));
}

Result<std::unique_ptr<Kernel>> qlinear_concat(const Node& node) {
  Form form{.inputs = {}, .result_scale = 0};
  for (std::size_t i = 2; i + 2 < node.input_count(); i += 3)
    form.inputs.push_back({.data = i, .scale = i + 1});
  if (form.inputs.empty()) return reject("there is nothing to concatenate");
  return qlinear(std::move(form), concat);
}

Result<std::unique_ptr<Kernel>> qlinear_average_pool(const Node& node) {
  return qlinear_pool(node, average_pool);
}

Result<std::unique_ptr<Kernel>> qlinear_global_average_pool(const Node& node) {
  return qlinear_pool(node, global_average_pool);
}

Result<std::unique_ptr<Kernel>> nhwc_max_pool(const Node& node) {
  PRESS_ASSIGN(std::unique_ptr<Kernel> kernel, max_pool(node));
  return std::unique_ptr<Kernel>(std::make_unique<ChannelsLastKernel>(std::move(kernel)));
}

}  // namespace press::kernels
