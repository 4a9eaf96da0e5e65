// Operators that compute each output element from one input element.
//
// Those on real numbers are written for float32; the runtime converts the other floating-point types (see
// Float32Kernel).
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <type_traits>

#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"
#include "runtime/vector_math.h"

namespace press::kernels {
namespace {

/// to[i] = op(from[i])
template <typename T, typename R, typename Op>
struct MapLoop {
  PRESS_VECTOR_LOOP void run(const T* from, R* to, std::int64_t count, const Op* op) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = (*op)(from[i]);
  }
};

template <typename T, typename R, typename Op>
Status map(KernelContext& context, const Tensor& input, const Op& op) {
  PRESS_ASSIGN(Tensor * output, context.allocate_output(0, data_type_of<R>(), input.dims()));
  const T* from = input.data<T>().data();
  R* to = output->mutable_data<R>().data();
  parallel_for(context.threads(), input.size(), kElementGrain, [&](std::int64_t begin, std::int64_t end) {
    run_vectorized<MapLoop<T, R, Op>>(from + begin, to + begin, end - begin, &op);
  });
  return {};
}

template <typename Op>
Status map_float(KernelContext& context, const Op& op) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  if (input->type() != DataType::kFloat) return unsupported_type(context, input->type());
  return map<float, float>(context, *input, op);
}

/// An operator on every numeric type; `op` is a template over it.
template <typename Op>
Status map_numbers(KernelContext& context, const Op& op) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  return dispatch_numbers(context, input->type(),
                          [&]<typename T>() { return map<T, T>(context, *input, op); });
}

float softplus_of(float x) {
  return std::max(x, 0.0F) + std::log1p(std::exp(-std::abs(x)));
}

/// x Φ(x), Φ the normal distribution.
PRESS_VECTOR_INLINE float gelu_of(float x) {
  return 0.5F * x * (1.0F + error_function(x / std::numbers::sqrt2_v<float>));
}
/// The approximation 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel, 2016).
PRESS_VECTOR_INLINE float gelu_tanh_of(float x) {
  return 0.5F * x * (1.0F + hyperbolic_tangent(0.7978845608F * (x + 0.044715F * x * x * x)));
}

/// The bound that an input (opset 11 and later) or an attribute gives.
template <typename T>
Result<T> clip_bound(const KernelContext& context, std::size_t input, const char* attribute, T fallback) {
  if (context.opset() < 11) {
    if constexpr (std::is_same_v<T, float>) return context.node().float_attribute(attribute, fallback);
    return fallback;
  }
  const Tensor* bound = input < context.input_count() ? context.input(input) : nullptr;
  if (bound == nullptr) return fallback;
  if (bound->type() != data_type_of<T>() || bound->size() != 1) {
    return reject("bound {} is {} of {} elements, expected one {}", attribute, name(bound->type()),
                  bound->size(), name(data_type_of<T>()));
  }
  return bound->template data<T>()[0];
}
}  // namespace

Status abs(KernelContext& context) {
  return map_numbers(context, []<typename T>(T x) -> T {
    if constexpr (std::is_floating_point_v<T>) return std::abs(x);
    if constexpr (std::is_unsigned_v<T>) return x;
    // The smallest number has no positive counterpart and stays.
    using U = std::make_unsigned_t<std::conditional_t<std::is_floating_point_v<T>, int, T>>;
    return x < 0 ? static_cast<T>(U{0} - static_cast<U>(x)) : x;
  });
}

Status neg(KernelContext& context) {
  return map_numbers(context, []<typename T>(T x) -> T {
    if constexpr (std::is_floating_point_v<T>) return -x;
    using U = std::make_unsigned_t<std::conditional_t<std::is_floating_point_v<T>, int, T>>;
    return static_cast<T>(U{0} - static_cast<U>(x));
  });
}

Status sign(KernelContext& context) {
  return map_numbers(context, []<typename T>(T x) -> T { return static_cast<T>((x > T{0}) - (x < T{0})); });
}

Status relu(KernelContext& context) {
  return map_numbers(context, []<typename T>(T x) -> T { return x < T{0} ? T{0} : x; });
}

Status clip(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  return dispatch_numbers(context, input->type(), [&]<typename T>() -> Status {
    PRESS_ASSIGN(const T low, clip_bound<T>(context, 1, "min", std::numeric_limits<T>::lowest()));
    PRESS_ASSIGN(const T high, clip_bound<T>(context, 2, "max", std::numeric_limits<T>::max()));
    return map<T, T>(context, *input, [low, high](T x) {
      const T raised = x < low ? low : x;
      return high < raised ? high : raised;
    });
  });
}

Status ceil(KernelContext& context) {
  return map_float(context, [](float x) { return std::ceil(x); });
}
Status floor(KernelContext& context) {
  return map_float(context, [](float x) { return std::floor(x); });
}
Status round(KernelContext& context) {
  return map_float(context, [](float x) { return std::nearbyint(x); });  // half to even
}
Status sqrt(KernelContext& context) {
  return map_float(context, [](float x) { return std::sqrt(x); });
}
Status reciprocal(KernelContext& context) {
  return map_float(context, [](float x) { return 1.0F / x; });
}
Status exp(KernelContext& context) {
  return map_float(context, [](float x) { return exponential(x); });
}
Status log(KernelContext& context) {
  return map_float(context, [](float x) { return std::log(x); });
}
Status erf(KernelContext& context) {
  return map_float(context, [](float x) { return error_function(x); });
}
Status sin(KernelContext& context) {
  return map_float(context, [](float x) { return std::sin(x); });
}
Status cos(KernelContext& context) {
  return map_float(context, [](float x) { return std::cos(x); });
}
Status tan(KernelContext& context) {
  return map_float(context, [](float x) { return std::tan(x); });
}
Status asin(KernelContext& context) {
  return map_float(context, [](float x) { return std::asin(x); });
}
Status acos(KernelContext& context) {
  return map_float(context, [](float x) { return std::acos(x); });
}
Status atan(KernelContext& context) {
  return map_float(context, [](float x) { return std::atan(x); });
}
Status sinh(KernelContext& context) {
  return map_float(context, [](float x) { return std::sinh(x); });
}
Status cosh(KernelContext& context) {
  return map_float(context, [](float x) { return std::cosh(x); });
}
Status asinh(KernelContext& context) {
  return map_float(context, [](float x) { return std::asinh(x); });
}
Status acosh(KernelContext& context) {
  return map_float(context, [](float x) { return std::acosh(x); });
}
Status atanh(KernelContext& context) {
  return map_float(context, [](float x) { return std::atanh(x); });
}
Status tanh(KernelContext& context) {
  return map_float(context, [](float x) { return hyperbolic_tangent(x); });
}
Status sigmoid(KernelContext& context) {
  return map_float(context, [](float x) { return logistic(x); });
}
Status softplus(KernelContext& context) {
  return map_float(context, softplus_of);
}
Status softsign(KernelContext& context) {
  return map_float(context, [](float x) { return x / (1.0F + std::abs(x)); });
}
Status mish(KernelContext& context) {
  return map_float(context, [](float x) { return x * hyperbolic_tangent(softplus_of(x)); });
}

Status leaky_relu(KernelContext& context) {
  const float alpha = context.node().float_attribute("alpha", 0.01F);
  return map_float(context, [alpha](float x) { return x < 0.0F ? alpha * x : x; });
}
Status elu(KernelContext& context) {
  const float alpha = context.node().float_attribute("alpha", 1.0F);
  return map_float(context, [alpha](float x) { return x < 0.0F ? alpha * std::expm1(x) : x; });
}
Status selu(KernelContext& context) {
  const float alpha = context.node().float_attribute("alpha", 1.67326319217681884765625F);
  const float gamma = context.node().float_attribute("gamma", 1.05070102214813232421875F);
  return map_float(context, [=](float x) { return gamma * (x <= 0.0F ? alpha * std::expm1(x) : x); });
}
Status celu(KernelContext& context) {
  const float alpha = context.node().float_attribute("alpha", 1.0F);
  return map_float(context, [alpha](float x) {
    return std::max(x, 0.0F) + std::min(alpha * std::expm1(std::min(x, 0.0F) / alpha), 0.0F);
  });
}
Status thresholded_relu(KernelContext& context) {
  const float alpha = context.node().float_attribute("alpha", 1.0F);
  return map_float(context, [alpha](float x) { return x > alpha ? x : 0.0F; });
}
Status hard_sigmoid(KernelContext& context) {
  const float alpha = context.node().float_attribute("alpha", 0.2F);
  const float beta = context.node().float_attribute("beta", 0.5F);
  return map_float(context, [=](float x) { return std::max(0.0F, std::min(1.0F, alpha * x + beta)); });
}
Status hard_swish(KernelContext& context) {
  return map_float(context, [](float x) { return x * std::max(0.0F, std::min(1.0F, x / 6.0F + 0.5F)); });
}
Status shrink(KernelContext& context) {
  const float lambda = context.node().float_attribute("lambd", 0.5F);
  const float bias = context.node().float_attribute("bias", 0.0F);
  return map_float(context, [=](float x) { return x < -lambda ? x + bias : x > lambda ? x - bias : 0.0F; });
}
Status swish(KernelContext& context) {
  const float alpha = context.node().float_attribute("alpha", 1.0F);
  return map_float(context, [alpha](float x) { return x * logistic(alpha * x); });
}
Status quick_gelu(KernelContext& context) {
  const float alpha = context.node().float_attribute("alpha", 1.702F);
  return map_float(context, [alpha](float x) { return x * logistic(alpha * x); });
}
Status gelu(KernelContext& context) {
  const bool approximate = context.node().string_attribute("approximate", "none") == "tanh";
  return approximate ? map_float(context, [](float x) { return gelu_tanh_of(x); })
                     : map_float(context, [](float x) { return gelu_of(x); });
}

/// ImageScaler (experimental, before opset 7): scale x + bias of the channel.
Status image_scaler(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  if (input->type() != DataType::kFloat) return unsupported_type(context, input->type());
  const float scale = context.node().float_attribute("scale", 1.0F);
  const std::vector<float> bias = context.node().floats_attribute("bias");
  if (input->rank() != 4 || static_cast<std::int64_t>(bias.size()) != input->dims()[1]) {
    return reject("the input is {}, attribute bias has {} entries", to_string(input->dims()), bias.size());
  }
  PRESS_ASSIGN(Tensor * output, context.allocate_output(0, DataType::kFloat, input->dims()));
  const float* from = input->data<float>().data();
  float* to = output->mutable_data<float>().data();
  const std::int64_t plane = input->dims()[2] * input->dims()[3];
  const auto channels = static_cast<std::int64_t>(bias.size());
  for (std::int64_t i = 0; i < input->dims()[0] * channels; ++i) {
    const float offset = bias[static_cast<std::size_t>(i % channels)];
    for (std::int64_t k = i * plane; k < (i + 1) * plane; ++k) to[k] = scale * from[k] + offset;
  }
  return {};
}

/// Affine (experimental, before opset 7): alpha x + beta.
Status affine(KernelContext& context) {
  const float alpha = context.node().float_attribute("alpha", 1.0F);
  const float beta = context.node().float_attribute("beta", 0.0F);
  return map_float(context, [=](float x) { return alpha * x + beta; });
}

Status is_nan(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  if (input->type() != DataType::kFloat) return unsupported_type(context, input->type());
  return map<float, bool>(context, *input, [](float x) { return x != x; });
}

Status is_inf(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  if (input->type() != DataType::kFloat) return unsupported_type(context, input->type());
  const bool positive = context.node().int_attribute("detect_positive", 1) != 0;
  const bool negative = context.node().int_attribute("detect_negative", 1) != 0;
  return map<float, bool>(context, *input, [=](float x) {
    return std::isinf(x) && ((positive && x > 0) || (negative && x < 0));
  });
}

Status logical_not(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  if (input->type() != DataType::kBool) return unsupported_type(context, input->type());
  return map<bool, bool>(context, *input, [](bool x) { return !x; });
}

Status bitwise_not(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  return dispatch_integers(context, input->type(), [&]<typename T>() {
    return map<T, T>(context, *input, [](T x) { return static_cast<T>(~x); });
  });
}

}  // namespace press::kernels
