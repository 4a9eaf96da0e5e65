// Operators on two or more operands that broadcast against each other.
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {
namespace {

struct Operands {
  Tensor a, b;
};

/// The first two inputs, of one type. Before opset 7 the second one is placed at an axis of the first: [C] at
/// axis 1 becomes [C,1,1].
Result<Operands> operands(const KernelContext& context) {
  PRESS_ASSIGN(const Tensor* a, required(context, 0));
  PRESS_ASSIGN(const Tensor* b, required(context, 1));
  Operands result{*a, *b};
  const std::int64_t axis = context.node().int_attribute("axis", -1);
  if (context.opset() < 7 && context.node().domain().empty() && axis >= 0) {
    const std::size_t used = static_cast<std::size_t>(axis) + b->rank();
    if (axis > static_cast<std::int64_t>(a->rank()) || used > a->rank()) {
      return reject("an operand of {} does not fit at axis {} of {}", to_string(b->dims()), axis,
                    to_string(a->dims()));
    }
    Dims dims = b->dims();
    dims.resize(dims.size() + a->rank() - used, 1);
    result.b = b->reshaped(std::move(dims));
  }
  return result;
}

/// out = op(a, b) with elements of A and B read, R written.
template <typename A, typename B, typename R, typename Op>
Status binary(KernelContext& context, const Tensor& a, const Tensor& b, const Op& op) {
  PRESS_ASSIGN(const BroadcastLoop loop, BroadcastLoop::plan({&a.dims(), &b.dims()}));
  PRESS_ASSIGN(Tensor * output, context.allocate_output(0, data_type_of<R>(), loop.dims()));
  combine(loop, a.data<A>().data(), b.data<B>().data(), output->mutable_data<R>().data(), context.threads(),
          op);
  return {};
}

template <typename Op>
Status arithmetic(KernelContext& context, const Op& op) {
  PRESS_ASSIGN(const Operands given, operands(context));
  PRESS_TRY(same_type(given.a, given.b));
  return dispatch_numbers(context, given.a.type(),
                          [&]<typename T>() { return binary<T, T, T>(context, given.a, given.b, op); });
}

template <typename Op>
Status comparison(KernelContext& context, const Op& op) {
  PRESS_ASSIGN(const Operands given, operands(context));
  PRESS_TRY(same_type(given.a, given.b));
  if (given.a.type() == DataType::kBool) return binary<bool, bool, bool>(context, given.a, given.b, op);
  return dispatch_numbers(context, given.a.type(),
                          [&]<typename T>() { return binary<T, T, bool>(context, given.a, given.b, op); });
}

template <typename Op>
Status logical(KernelContext& context, const Op& op) {
  PRESS_ASSIGN(const Operands given, operands(context));
  if (given.a.type() != DataType::kBool) return unsupported_type(context, given.a.type());
  PRESS_TRY(same_type(given.a, given.b));
  return binary<bool, bool, bool>(context, given.a, given.b, op);
}

template <typename Op>
Status bitwise(KernelContext& context, const Op& op) {
  PRESS_ASSIGN(const Operands given, operands(context));
  PRESS_TRY(same_type(given.a, given.b));
  return dispatch_integers(context, given.a.type(),
                           [&]<typename T>() { return binary<T, T, T>(context, given.a, given.b, op); });
}

/// Integers wrap around as two's complement; the detour through unsigned keeps that defined.
template <typename T, typename Op>
T wrapped(T a, T b, const Op& op) {
  if constexpr (std::is_floating_point_v<T>) {
    return op(a, b);
  } else {
    return static_cast<T>(op(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b)));
  }
}

template <typename T>
bool has_zero(const Tensor& tensor) {
  return std::ranges::find(tensor.data<T>(), T{0}) != tensor.data<T>().end();
}

/// A quotient whose divisor is not 0; the smallest number by -1 wraps around to itself.
template <typename T>
T quotient(T a, T b) {
  if constexpr (std::is_signed_v<T> && std::is_integral_v<T>) {
    if (b == -1) return wrapped(T{0}, a, [](auto x, auto y) { return x - y; });
  }
  return static_cast<T>(a / b);
}

/// The remainder with the divisor's sign (fmod 0) or with the dividend's (fmod 1).
template <typename T>
T remainder(T a, T b, bool like_c) {
  if constexpr (std::is_floating_point_v<T>) {
    const T rest = std::fmod(a, b);
    return !like_c && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  } else {
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return 0;
    }
    const T rest = static_cast<T>(a % b);
    return !like_c && rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
  }
}

/// The nearest T; what T cannot hold becomes its end, NaN becomes 0.
template <typename T>
T saturated(double value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    if (!(value == value)) return 0;
    if (value <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
    if (value >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    return static_cast<T>(value);
  }
}

/// base^exponent for integers by squaring; wraps around. A negative exponent leaves 0 but for the bases 1 and
/// -1.
template <typename T>
T integer_power(T base, std::int64_t exponent) {
  if (exponent < 0) {
    if (base == T{1}) return 1;
    if constexpr (std::is_signed_v<T>) {
      if (base == T{-1}) return exponent % 2 == 0 ? T{1} : T{-1};
    }
    return 0;
  }
  auto result = std::uint64_t{1}, factor = static_cast<std::uint64_t>(base);
  for (; exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result *= factor;
    factor *= factor;
  }
  return static_cast<T>(result);
}

template <typename A, typename B>
A power(A base, B exponent) {
  if constexpr (std::is_integral_v<A> && std::is_integral_v<B>) {
    return integer_power(base, static_cast<std::int64_t>(exponent));
  } else {
    return saturated<A>(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
}

Status float_power(KernelContext& context, const Tensor& a, const Tensor& b) {
  if (b.size() == 1) {
    // The exponents of everyday networks without a call for each element.
    const float exponent = b.data<float>()[0];
    if (exponent == 2.0F)
      return binary<float, float, float>(context, a, b, [](float x, float) { return x * x; });
    if (exponent == 3.0F)
      return binary<float, float, float>(context, a, b, [](float x, float) { return x * x * x; });
  }
  return binary<float, float, float>(context, a, b, [](float x, float y) { return std::pow(x, y); });
}

/// Folds the inputs pairwise: out = op(… op(op(in0, in1), in2) …).
template <typename Op, typename Finish>
Status fold(KernelContext& context, const Op& op, const Finish& finish) {
  PRESS_ASSIGN(const Tensor* first, required(context, 0));
  return dispatch_numbers(context, first->type(), [&]<typename T>() -> Status {
    Tensor sum = *first;
    for (std::size_t i = 1; i < context.input_count(); ++i) {
      PRESS_ASSIGN(const Tensor* next, required(context, i));
      PRESS_TRY(same_type(sum, *next));
      PRESS_ASSIGN(const BroadcastLoop loop, BroadcastLoop::plan({&sum.dims(), &next->dims()}));
      PRESS_ASSIGN(Tensor partial, context.allocate_scratch(first->type(), loop.dims()));
      combine(loop, sum.data<T>().data(), next->data<T>().data(), partial.mutable_data<T>().data(),
              context.threads(), op);
      sum = std::move(partial);
    }
    finish.template operator()<T>(sum);
    context.set_output(0, std::move(sum));
    return {};
  });
}

template <typename Op>
Status fold(KernelContext& context, const Op& op) {
  return fold(context, op, []<typename T>(Tensor&) {});
}
}  // namespace

Status add(KernelContext& context) {
  return arithmetic(context,
                    []<typename T>(T a, T b) { return wrapped(a, b, [](auto x, auto y) { return x + y; }); });
}
Status sub(KernelContext& context) {
  return arithmetic(context,
                    []<typename T>(T a, T b) { return wrapped(a, b, [](auto x, auto y) { return x - y; }); });
}
Status mul(KernelContext& context) {
  return arithmetic(context,
                    []<typename T>(T a, T b) { return wrapped(a, b, [](auto x, auto y) { return x * y; }); });
}

Status div(KernelContext& context) {
  PRESS_ASSIGN(const Operands given, operands(context));
  PRESS_TRY(same_type(given.a, given.b));
  return dispatch_numbers(context, given.a.type(), [&]<typename T>() -> Status {
    if (std::is_integral_v<T> && has_zero<T>(given.b)) return reject("integer division by 0");
    return binary<T, T, T>(context, given.a, given.b, [](T a, T b) { return quotient(a, b); });
  });
}

Status mod(KernelContext& context) {
  PRESS_ASSIGN(const Operands given, operands(context));
  PRESS_TRY(same_type(given.a, given.b));
  const bool like_c = context.node().int_attribute("fmod", 0) != 0;
  return dispatch_numbers(context, given.a.type(), [&]<typename T>() -> Status {
    if (std::is_integral_v<T> && has_zero<T>(given.b)) return reject("integer remainder of a division by 0");
    return binary<T, T, T>(context, given.a, given.b, [like_c](T a, T b) { return remainder(a, b, like_c); });
  });
}

Status pow(KernelContext& context) {
  PRESS_ASSIGN(const Operands given, operands(context));
  const Tensor &a = given.a, &b = given.b;
  if (a.type() == DataType::kFloat && b.type() == DataType::kFloat) return float_power(context, a, b);
  return dispatch<float, double, std::int32_t, std::int64_t>(context, a.type(), [&]<typename A>() -> Status {
    return dispatch_numbers(context, b.type(), [&]<typename B>() -> Status {
      return binary<A, B, A>(context, a, b, power<A, B>);
    });
  });
}

Status bit_shift(KernelContext& context) {
  const std::string direction = context.node().string_attribute("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") {
    return reject("attribute direction is '{}', expected LEFT or RIGHT", direction);
  }
  const bool left = direction == "LEFT";
  return bitwise(context, [left]<typename T>(T value, T by) -> T {
    using U = std::make_unsigned_t<T>;
    const bool all = static_cast<U>(by) >= std::numeric_limits<U>::digits;  // everything is shifted out
    if (left) return all ? T{0} : static_cast<T>(static_cast<std::uint64_t>(static_cast<U>(value)) << by);
    if (all) return static_cast<T>(value < T{0} ? -1 : 0);
    return static_cast<T>(value >> by);  // the sign stays
  });
}
Status bitwise_and(KernelContext& context) {
  return bitwise(context, []<typename T>(T a, T b) { return static_cast<T>(a & b); });
}
Status bitwise_or(KernelContext& context) {
  return bitwise(context, []<typename T>(T a, T b) { return static_cast<T>(a | b); });
}
Status bitwise_xor(KernelContext& context) {
  return bitwise(context, []<typename T>(T a, T b) { return static_cast<T>(a ^ b); });
}

Status logical_and(KernelContext& context) {
  return logical(context, [](bool a, bool b) { return a && b; });
}
Status logical_or(KernelContext& context) {
  return logical(context, [](bool a, bool b) { return a || b; });
}
Status logical_xor(KernelContext& context) {
  return logical(context, [](bool a, bool b) { return a != b; });
}

Status equal(KernelContext& context) {
  return comparison(context, []<typename T>(T a, T b) { return a == b; });
}
Status greater(KernelContext& context) {
  return comparison(context, []<typename T>(T a, T b) { return a > b; });
}
Status less(KernelContext& context) {
  return comparison(context, []<typename T>(T a, T b) { return a < b; });
}
Status greater_or_equal(KernelContext& context) {
  return comparison(context, []<typename T>(T a, T b) { return a >= b; });
}
Status less_or_equal(KernelContext& context) {
  return comparison(context, []<typename T>(T a, T b) { return a <= b; });
}

// A NaN on either side wins.
Status min(KernelContext& context) {
  return fold(context, []<typename T>(T a, T b) { return not_a_number(a) || a < b ? a : b; });
}
Status max(KernelContext& context) {
  return fold(context, []<typename T>(T a, T b) { return not_a_number(a) || a > b ? a : b; });
}
Status sum(KernelContext& context) {
  return fold(context,
              []<typename T>(T a, T b) { return wrapped(a, b, [](auto x, auto y) { return x + y; }); });
}
Status mean(KernelContext& context) {
  const std::size_t count = context.input_count();
  return fold(
      context, []<typename T>(T a, T b) { return wrapped(a, b, [](auto x, auto y) { return x + y; }); },
      [count]<typename T>(Tensor& sum) {
        for (T& value : sum.mutable_data<T>()) value = static_cast<T>(value / static_cast<T>(count));
      });
}

Status prelu(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(const Tensor* given, required(context, 1));
  PRESS_TRY(same_type(*input, *given));
  Tensor slope = *given;
  if (context.opset() < 7 && slope.rank() == 1 && input->rank() > 1 && slope.size() == input->dims()[1]) {
    Dims per_channel(input->rank() - 1, 1);
    per_channel[0] = slope.size();
    slope = slope.reshaped(std::move(per_channel));
  }
  PRESS_ASSIGN(const BroadcastLoop loop, BroadcastLoop::plan({&input->dims(), &slope.dims()}));
  if (loop.dims() != input->dims()) {
    return reject("slope {} does not broadcast to the input {}", to_string(slope.dims()),
                  to_string(input->dims()));
  }
  return dispatch<float, double, std::int32_t, std::int64_t>(context, input->type(), [&]<typename T>() {
    return binary<T, T, T>(context, *input, slope, [](T x, T s) {
      return x < T{0} ? wrapped(x, s, [](auto a, auto b) { return a * b; }) : x;
    });
  });
}

/// com.microsoft.BiasGelu and FastGelu: Gelu of input + bias; FastGelu by the tanh formula, and its bias may
/// be omitted.
namespace {
template <typename Op>
Status biased(KernelContext& context, const Op& op) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  const Tensor zero = Tensor::scalar(0.0F);
  const Tensor* bias = context.input_count() > 1 && context.input(1) != nullptr ? context.input(1) : &zero;
  if (input->type() != DataType::kFloat) return unsupported_type(context, input->type());
  PRESS_TRY(same_type(*input, *bias));
  return binary<float, float, float>(context, *input, *bias, op);
}
}  // namespace

Status bias_gelu(KernelContext& context) {
  return biased(context, [](float x, float bias) {
    const float v = x + bias;
    return 0.5F * v * (1.0F + std::erf(v * 0.70710678118F));
  });
}
Status fast_gelu(KernelContext& context) {
  return biased(context, [](float x, float bias) {
    const float v = x + bias;
    return 0.5F * v * (1.0F + std::tanh(0.7978845608F * (v + 0.044715F * v * v * v)));
  });
}

Status where(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* condition, required(context, 0));
  PRESS_ASSIGN(const Tensor* yes, required(context, 1));
  PRESS_ASSIGN(const Tensor* no, required(context, 2));
  if (condition->type() != DataType::kBool)
    return reject("the condition is {}, expected bool", name(condition->type()));
  PRESS_TRY(same_type(*yes, *no));
  PRESS_ASSIGN(const BroadcastLoop loop,
               BroadcastLoop::plan({&condition->dims(), &yes->dims(), &no->dims()}));
  return dispatch_width(context, yes->type(), [&]<typename T>() -> Status {
    PRESS_ASSIGN(Tensor * output, context.allocate_output(0, yes->type(), loop.dims()));
    const bool* choice = condition->data<bool>().data();
    const T *a = raw<T>(*yes), *b = raw<T>(*no);
    T* out = raw<T>(*output);
    const std::int64_t step_c = loop.repeats(0) ? 0 : 1, step_a = loop.repeats(1) ? 0 : 1,
                       step_b = loop.repeats(2) ? 0 : 1;
    loop.run<3>(context.threads(), [&](std::int64_t position, const std::array<std::int64_t, 3>& from,
                                       std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) {
        out[position + i] = choice[from[0] + i * step_c] ? a[from[1] + i * step_a] : b[from[2] + i * step_b];
      }
    });
    return {};
  });
}

}  // namespace press::kernels
