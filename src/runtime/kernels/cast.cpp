// Cast and CastLike between all types of numbers, and between numbers and text.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>

#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"
#include "runtime/narrow.h"

namespace press::kernels {
namespace {

/// The value in C++: half precision is widened.
template <typename From>
auto widened(From value) {
  if constexpr (std::is_same_v<From, Float16> || std::is_same_v<From, BFloat16>) {
    return to_float(value);
  } else {
    return value;
  }
}

/// Floats lose their fraction on the way to integers; what does not fit becomes the nearest end, NaN becomes
/// 0. Integers keep their low bits.
template <typename To, typename From>
To converted(From source) {
  const auto value = widened(source);
  using Value = decltype(value);
  if constexpr (std::is_same_v<To, Float16>) {
    return to_float16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return to_bfloat16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != 0;
  } else if constexpr (std::is_floating_point_v<std::remove_const_t<Value>> && std::is_integral_v<To>) {
    if (std::isnan(value)) return 0;
    // 2^digits is exact in both types, unlike the largest integer.
    const auto limit =
        std::ldexp(static_cast<std::remove_const_t<Value>>(1), std::numeric_limits<To>::digits);
    if (value >= limit) return std::numeric_limits<To>::max();
    if (value < static_cast<std::remove_const_t<Value>>(std::numeric_limits<To>::min()))
      return std::numeric_limits<To>::min();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

template <typename Body>
Status dispatch_all(const KernelContext& context, DataType type, const Body& body) {
  return dispatch<float, std::int64_t, std::int32_t, bool, double, Float16, BFloat16, std::uint8_t,
                  std::int8_t, std::uint16_t, std::int16_t, std::uint32_t, std::uint64_t>(context, type,
                                                                                          body);
}

Status from_strings(KernelContext& context, const Tensor& input, DataType to) {
  return dispatch_all(context, to, [&]<typename To>() -> Status {
    PRESS_ASSIGN(Tensor * output, context.allocate_output(0, to, input.dims()));
    const std::span<To> target = output->mutable_data<To>();
    for (std::size_t i = 0; i < target.size(); ++i) {
      std::string_view text = input.strings()[i];
      if (text.starts_with('+')) text.remove_prefix(1);
      const auto parse = [&](auto& value) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        return error == std::errc() && end == text.data() + text.size();
      };
      bool ok = false;
      if constexpr (std::is_integral_v<To> && !std::is_same_v<To, bool>) {
        ok = parse(target[i]);
      } else {
        double value = 0;
        ok = parse(value);
        target[i] = converted<To>(value);
      }
      if (!ok) return reject("'{}' is not a {}", text, name(to));
    }
    return {};
  });
}

Status to_strings(KernelContext& context, const Tensor& input) {
  std::vector<std::string> strings;
  strings.reserve(static_cast<std::size_t>(input.size()));
  PRESS_TRY(dispatch_all(context, input.type(), [&]<typename From>() -> Status {
    for (const From value : input.data<From>()) {
      // Floats in the shortest form that reads back the same.
      strings.push_back(fmt::format("{}", widened(value)));
    }
    return {};
  }));
  PRESS_ASSIGN(Tensor output, Tensor::from_strings(input.dims(), std::move(strings)));
  context.set_output(0, std::move(output));
  return {};
}

bool is_narrow(DataType type) {
  return is_small_float(type) || is_packed_integer(type);
}

/// From an integer of 2 or 4 bits or a small float: by way of float32, which holds them all.
Status from_narrow(KernelContext& context, const Tensor& input, DataType to) {
  std::vector<float> values(static_cast<std::size_t>(input.size()));
  std::ranges::transform(unpacked(input), values.begin(),
                         [&](std::uint8_t code) { return decode(input.type(), code); });
  return dispatch_all(context, to, [&]<typename To>() -> Status {
    PRESS_ASSIGN(Tensor * output, context.allocate_output(0, to, input.dims()));
    std::ranges::transform(values, output->mutable_data<To>().begin(), converted<To, float>);
    return {};
  });
}

/// To an integer of 2 or 4 bits, which keeps the low bits of the whole number, or to a small float.
Status to_narrow(KernelContext& context, const Tensor& input, DataType to) {
  const std::string rounding = context.node().string_attribute("round_mode", "up");
  const SmallFloatRounding how{.saturate = context.node().int_attribute("saturate", 1) != 0,
                               .rounding = rounding};
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(input.size()));
  const auto code_of = [&]<typename From>(From value) {
    return is_small_float(to) ? encode(to, converted<float>(value), how)
                              : static_cast<std::uint8_t>(converted<std::int32_t>(value));
  };
  if (is_narrow(input.type())) {
    std::ranges::transform(unpacked(input), codes.begin(),
                           [&](std::uint8_t code) { return code_of(decode(input.type(), code)); });
  } else {
    PRESS_TRY(dispatch_all(context, input.type(), [&]<typename From>() -> Status {
      std::ranges::transform(input.data<From>(), codes.begin(), code_of);
      return {};
    }));
  }
  PRESS_ASSIGN(Tensor * output, context.allocate_output(0, to, input.dims()));
  pack(codes, *output);
  return {};
}

Status cast_to(KernelContext& context, const Tensor& input, DataType to) {
  if (input.type() == to) {
    context.set_output(0, input);
    return {};
  }
  if (is_narrow(to)) return to_narrow(context, input, to);
  if (is_narrow(input.type())) return from_narrow(context, input, to);
  if (to == DataType::kString) return to_strings(context, input);
  if (input.type() == DataType::kString) return from_strings(context, input, to);
  return dispatch_all(context, input.type(), [&]<typename From>() -> Status {
    return dispatch_all(context, to, [&]<typename To>() -> Status {
      PRESS_ASSIGN(Tensor * output, context.allocate_output(0, to, input.dims()));
      const From* source = input.data<From>().data();
      To* target = output->mutable_data<To>().data();
      parallel_for(context.threads(), input.size(), kElementGrain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) target[i] = converted<To>(source[i]);
      });
      return {};
    });
  });
}
}  // namespace

Status cast(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  return cast_to(context, *input, static_cast<DataType>(context.node().int_attribute("to", 0)));
}

Status cast_like(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0));
  PRESS_ASSIGN(const Tensor* like, required(context, 1));
  return cast_to(context, *input, like->type());
}

}  // namespace press::kernels
