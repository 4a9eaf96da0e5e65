// Elementwise operators and means of quantized tensors.
#include <algorithm>
#include <cmath>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "runtime/kernels/arguments.h"
#include "runtime/kernels/integer_binary.h"
#include "runtime/kernels/integer_kernels.h"
#include "runtime/kernels/support.h"
#include "runtime/layout.h"
#include "runtime/vector_math.h"

namespace press::kernels {

namespace {

/// y = clamp(round(x), low, high) + zero for x already in steps of y.
struct Requantization {
  float low = 0;  // relative to the zero point
  float high = 0;
  std::int32_t zero = 0;

  PRESS_VECTOR_INLINE std::int32_t operator()(float steps) const {
    const float above = steps > low ? steps : low;
    return static_cast<std::int32_t>(round_small(above < high ? above : high)) + zero;
  }
};

/// What one row of an operator on two tensors needs; `step_b` 0: one element of b for the whole row.
template <typename A, typename B, typename Y>
struct BinaryRow {
  const A* a;
  const B* b;
  Y* y;
  std::int64_t count;
};

struct BinaryFactors {
  std::int32_t zero_a = 0;
  std::int32_t zero_b = 0;
  float a = 1;  // sum: steps of y in a step of a; product: the factor of the product of both
  float b = 1;
  Requantization requantization;
};

template <typename A, typename B, typename Y, bool product, bool repeat_b>
struct BinaryLoop {
  PRESS_VECTOR_LOOP void run(const BinaryRow<A, B, Y>* row, const BinaryFactors* by) {
    const BinaryFactors factors = *by;
    const A* a = row->a;
    const B* b = row->b;
    Y* y = row->y;
    const std::int64_t count = row->count;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int32_t left = a[i] - factors.zero_a;
      const std::int32_t right = b[repeat_b ? 0 : i] - factors.zero_b;
      const float steps = product
                              ? static_cast<float>(left * right) * factors.a
                              : static_cast<float>(left) * factors.a + static_cast<float>(right) * factors.b;
      y[i] = static_cast<Y>(factors.requantization(steps));
    }
  }
};

template <typename Body>
void by_type(DataType type, const Body& body) {
  type == DataType::kInt8 ? body(std::int8_t{}) : body(std::uint8_t{});
}

class IntegerBinaryKernel final : public Kernel {
 public:
  explicit IntegerBinaryKernel(const IntegerBinary& binary) : binary_(binary) {
    const QuantParams& y = binary.target;
    factors_.zero_a = binary.a.zero_point;
    factors_.zero_b = binary.b.zero_point;
    factors_.a = binary.product ? binary.a.scale * binary.b.scale / y.scale : binary.a.scale / y.scale;
    factors_.b = binary.b.scale / y.scale;
    factors_.requantization = {static_cast<float>(binary.low - y.zero_point),
                               static_cast<float>(binary.high - y.zero_point), y.zero_point};
  }

  const IntegerBinary& binary() const { return binary_; }

  ChannelsLast channels_last() const override { return ChannelsLast::kAnyOrder; }

  Status run(KernelContext& context) override {
    PRESS_ASSIGN(const Tensor* a, required(context, 0, binary_.a.type));
    PRESS_ASSIGN(const Tensor* b, required(context, 1, binary_.b.type));
    PRESS_ASSIGN(const BroadcastLoop loop, BroadcastLoop::plan({&a->dims(), &b->dims()}));
    PRESS_ASSIGN(Tensor * target, context.allocate_output(0, binary_.target.type, loop.dims()));
    if (target->size() == 0) return {};
    by_type(binary_.a.type, [&]<typename A>(A /*tag*/) {
      by_type(binary_.b.type, [&]<typename B>(B /*tag*/) {
        by_type(binary_.target.type, [&]<typename Y>(Y /*tag*/) {
          const auto run = [&]<bool product>() {
            combine_rows<A, B, Y, product>(context.threads(), loop, raw<A>(*a), raw<B>(*b), raw<Y>(*target));
          };
          binary_.product ? run.template operator()<true>() : run.template operator()<false>();
        });
      });
    });
    return {};
  }

 private:
  template <typename A, typename B, typename Y, bool product>
  void combine_rows(int threads, const BroadcastLoop& loop, const A* a, const B* b, Y* y) const {
    const bool repeat_a = loop.repeats(0);
    const bool repeat_b = loop.repeats(1);
    loop.run<2>(threads,
                [&](std::int64_t position, const std::array<std::int64_t, 2>& from, std::int64_t count) {
                  if (repeat_a && !repeat_b) {
                    BinaryFactors turned = factors_;
                    std::swap(turned.zero_a, turned.zero_b);
                    if (!product) std::swap(turned.a, turned.b);
                    const BinaryRow<B, A, Y> row{b + from[1], a + from[0], y + position, count};
                    run_vectorized<BinaryLoop<B, A, Y, product, true>>(&row, &turned);
                    return;
                  }
                  const BinaryRow<A, B, Y> row{a + from[0], b + from[1], y + position, repeat_a ? 1 : count};
                  if (repeat_b) {
                    run_vectorized<BinaryLoop<A, B, Y, product, true>>(&row, &factors_);
                  } else {
                    run_vectorized<BinaryLoop<A, B, Y, product, false>>(&row, &factors_);
                  }
                  if (repeat_a) std::fill_n(y + position + 1, count - 1, y[position]);
                });
  }

  IntegerBinary binary_;
  BinaryFactors factors_;
};

#if defined(__x86_64__)
/// Looks up as many bytes as fill whole registers; returns how many. The table fits four registers.
__attribute__((target("avx512f,avx512bw,avx512vbmi"))) std::int64_t look_up_wide(const std::uint8_t* table,
                                                                                 const std::uint8_t* in,
                                                                                 std::uint8_t* out,
                                                                                 std::int64_t count) {
  constexpr std::int64_t kLanes = 64;
  const __m512i a = _mm512_loadu_si512(table);
  const __m512i b = _mm512_loadu_si512(table + 64);
  const __m512i c = _mm512_loadu_si512(table + 128);
  const __m512i d = _mm512_loadu_si512(table + 192);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const __m512i index = _mm512_loadu_si512(in + i);
    const __m512i low = _mm512_permutex2var_epi8(a, index, b);  // by the lowest 7 bits
    const __m512i high = _mm512_permutex2var_epi8(c, index, d);
    _mm512_storeu_si512(out + i, _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), low, high));
  }
  return i;
}
#endif

std::int64_t look_up_lanes([[maybe_unused]] const std::uint8_t* table,
                           [[maybe_unused]] const std::uint8_t* in, [[maybe_unused]] std::uint8_t* out,
                           [[maybe_unused]] std::int64_t count) {
#if defined(__x86_64__)
  static const bool wide =
      __builtin_cpu_supports("avx512vbmi") != 0 && __builtin_cpu_supports("avx512bw") != 0;
  if (wide) return look_up_wide(table, in, out, count);
#endif
  return 0;
}

class IntegerTableKernel final : public Kernel {
 public:
  explicit IntegerTableKernel(const IntegerTable& table) : table_(table) {}

  ChannelsLast channels_last() const override { return ChannelsLast::kAnyOrder; }

  Status run(KernelContext& context) override {
    PRESS_ASSIGN(const Tensor* source, required(context, 0, table_.source));
    PRESS_ASSIGN(Tensor * target, context.allocate_output(0, table_.target, source->dims()));
    const auto* in = raw<std::uint8_t>(*source);
    auto* out = raw<std::uint8_t>(*target);
    parallel_for(context.threads(), source->size(), kElementGrain, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t done = look_up_lanes(table_.bytes.data(), in + begin, out + begin, end - begin);
      for (std::int64_t i = begin + done; i < end; ++i) out[i] = table_.bytes[in[i]];
    });
    return {};
  }

 private:
  IntegerTable table_;
};

/// y = clamp(round(a + b[i])) for a vector b that is the same in every row, in steps of y.
template <typename A, typename Y>
struct AddVectorLoop {
  PRESS_VECTOR_LOOP void run(const A* a, const float* b, Y* y, std::int64_t count, std::int32_t zero,
                             float factor, const Requantization* by) {
    const Requantization requantization = *by;
    for (std::int64_t i = 0; i < count; ++i) {
      y[i] = static_cast<Y>(requantization(static_cast<float>(a[i] - zero) * factor + b[i]));
    }
  }
};

class IntegerAddVector final : public Kernel {
 public:
  IntegerAddVector(const QuantParams& source, const QuantParams& target, std::vector<float> vector)
      : source_(source), target_(target), vector_(std::move(vector)) {
    for (float& value : vector_) value /= target.scale;
  }

  Status run(KernelContext& context) override {
    PRESS_ASSIGN(const Tensor* source, required(context, 0, source_.type));
    const auto width = static_cast<std::int64_t>(vector_.size());
    if (source->rank() == 0 || source->dims().back() != width) {
      return Error(ErrorCode::kInput, fmt::format("a vector of {} elements cannot be added to a tensor of {}",
                                                  width, to_string(source->dims())));
    }
    PRESS_ASSIGN(Tensor * target, context.allocate_output(0, target_.type, source->dims()));
    const IntegerLimits limits = integer_limits(target_.type);
    const Requantization requantization{static_cast<float>(limits.lo - target_.zero_point),
                                        static_cast<float>(limits.hi - target_.zero_point),
                                        target_.zero_point};
    const float factor = source_.scale / target_.scale;
    by_type(source_.type, [&]<typename A>(A /*tag*/) {
      by_type(target_.type, [&]<typename Y>(Y /*tag*/) {
        const A* in = raw<A>(*source);
        Y* out = raw<Y>(*target);
        parallel_for(
            context.threads(), source->size() / width, std::max<std::int64_t>(kElementGrain / width, 1),
            [&](std::int64_t begin, std::int64_t end) {
              for (std::int64_t row = begin; row < end; ++row) {
                run_vectorized<AddVectorLoop<A, Y>>(in + row * width, vector_.data(), out + row * width,
                                                    width, source_.zero_point, factor, &requantization);
              }
            });
      });
    });
    return {};
  }

 private:
  QuantParams source_;
  QuantParams target_;
  std::vector<float> vector_;  // in steps of the target
};

/// sums[c] += row[c]
template <typename T>
struct AddRow {
  PRESS_VECTOR_LOOP void run(const T* row, std::int32_t* sums, std::int64_t count) {
    for (std::int64_t c = 0; c < count; ++c) sums[c] += row[c];
  }
};

class IntegerGlobalAverage final : public Kernel {
 public:
  IntegerGlobalAverage(const QuantParams& source, const QuantParams& target)
      : source_(source), target_(target) {}

  ChannelsLast channels_last() const override { return ChannelsLast::kAccepts; }
  void use_channels_last() override { last_ = true; }

  Status run(KernelContext& context) override {
    PRESS_ASSIGN(const Tensor* source, required(context, 0, source_.type));
    if (source->rank() < 3) {
      return Error(ErrorCode::kInput,
                   fmt::format("the input should have a batch, a channel and spatial dims, but is {}",
                               to_string(source->dims())));
    }
    const Dims dims = last_ ? from_channels_last(source->dims()) : source->dims();
    Dims result(dims.size(), 1);
    result[0] = dims[0];
    result[1] = dims[1];
    const std::int64_t plane = product(dims, 2);
    if (plane == 0 || plane > INT32_MAX / 512) {
      return Error(ErrorCode::kUnsupported,
                   fmt::format("the mean of {} elements cannot be executed in integers", plane));
    }
    PRESS_ASSIGN(Tensor * target,
                 context.allocate_output(0, target_.type, last_ ? to_channels_last(result) : result));
    if (source_.type == DataType::kInt8) {
      average(context.threads(), raw<std::int8_t>(*source), *target, dims, plane);
    } else {
      average(context.threads(), raw<std::uint8_t>(*source), *target, dims, plane);
    }
    return {};
  }

 private:
  template <typename T>
  void average(int threads, const T* in, Tensor& target, const Dims& dims, std::int64_t plane) const {
    auto* out = raw<std::uint8_t>(target);
    const std::int64_t channels = dims[1];
    const float factor = source_.scale / target_.scale / static_cast<float>(plane);
    const IntegerLimits limits = integer_limits(target_.type);
    const Requantization requantization{static_cast<float>(limits.lo - target_.zero_point),
                                        static_cast<float>(limits.hi - target_.zero_point),
                                        target_.zero_point};
    parallel_for(threads, dims[0], 1, [&](std::int64_t begin, std::int64_t end) {
      std::vector<std::int32_t> sums(static_cast<std::size_t>(channels));
      for (std::int64_t sample = begin; sample < end; ++sample) {
        const T* data = in + sample * plane * channels;
        std::ranges::fill(sums, 0);
        if (last_) {
          for (std::int64_t i = 0; i < plane; ++i) {
            run_vectorized<AddRow<T>>(data + i * channels, sums.data(), channels);
          }
        } else {
          for (std::int64_t c = 0; c < channels; ++c) {
            for (std::int64_t i = 0; i < plane; ++i) sums[static_cast<std::size_t>(c)] += data[c * plane + i];
          }
        }
        for (std::int64_t c = 0; c < channels; ++c) {
          const std::int64_t sum = sums[static_cast<std::size_t>(c)] - plane * source_.zero_point;
          out[sample * channels + c] =
              static_cast<std::uint8_t>(requantization(static_cast<float>(sum) * factor));
        }
      }
    });
  }

  QuantParams source_;
  QuantParams target_;
  bool last_ = false;
};

}  // namespace

const IntegerBinary* integer_binary(const Kernel* kernel) {
  const auto* binary = dynamic_cast<const IntegerBinaryKernel*>(kernel);
  return binary != nullptr ? &binary->binary() : nullptr;
}

std::unique_ptr<Kernel> make_integer_binary(const IntegerBinary& binary) {
  return std::make_unique<IntegerBinaryKernel>(binary);
}

std::unique_ptr<Kernel> make_integer_add_vector(const QuantParams& source, const QuantParams& target,
                                                std::vector<float> vector) {
  return std::make_unique<IntegerAddVector>(source, target, std::move(vector));
}

std::unique_ptr<Kernel> make_integer_table(const IntegerTable& table) {
  return std::make_unique<IntegerTableKernel>(table);
}

std::unique_ptr<Kernel> make_integer_global_average(const QuantParams& source, const QuantParams& target) {
  return std::make_unique<IntegerGlobalAverage>(source, target);
}

}  // namespace press::kernels
