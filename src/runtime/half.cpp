#include "runtime/half.h"

#include <algorithm>
#include <cstddef>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace press {

namespace {

void convert_rest(std::span<const Float16> from, std::span<float> to) {
  std::ranges::transform(from, to.begin(), [](Float16 value) { return to_float(value); });
}

void convert_rest(std::span<const float> from, std::span<Float16> to) {
  std::ranges::transform(from, to.begin(), to_float16);
}

#if defined(__x86_64__)
constexpr std::size_t kLanes = 8;

bool has_f16c() {
  static const bool has = __builtin_cpu_supports("avx2") != 0;  // no CPU has AVX2 without F16C
  return has;
}

/// Converts as many elements as fill whole registers; returns how many.
__attribute__((target("avx,f16c"))) std::size_t convert_lanes(std::span<const Float16> from,
                                                              std::span<float> to) {
  const std::size_t count = from.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < count; i += kLanes) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from.data() + i));
    _mm256_storeu_ps(to.data() + i, _mm256_cvtph_ps(half));
  }
  return count;
}

__attribute__((target("avx,f16c"))) std::size_t convert_lanes(std::span<const float> from,
                                                              std::span<Float16> to) {
  const std::size_t count = from.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < count; i += kLanes) {
    const __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(from.data() + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to.data() + i), half);
  }
  return count;
}

template <typename From, typename To>
void convert_all(std::span<const From> from, std::span<To> to) {
  const std::size_t done = has_f16c() ? convert_lanes(from, to) : 0;
  convert_rest(from.subspan(done), to.subspan(done));
}
#else
template <typename From, typename To>
void convert_all(std::span<const From> from, std::span<To> to) {
  convert_rest(from, to);
}
#endif

}  // namespace

void convert(std::span<const Float16> from, std::span<float> to) {
  convert_all(from, to);
}

void convert(std::span<const float> from, std::span<Float16> to) {
  convert_all(from, to);
}

}  // namespace press
