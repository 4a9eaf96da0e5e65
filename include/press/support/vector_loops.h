// Loops that the compiler vectorizes for the CPU at hand: one source, compiled for the baseline, for AVX2 and
// for AVX-512; chosen once.
#pragma once

#include <utility>

namespace press {

#if defined(__x86_64__)

enum class VectorUnit { kBaseline, kAvx2, kAvx512 };

inline VectorUnit vector_unit() {
  static const VectorUnit unit = [] {
    if (__builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
        __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0) {
      return VectorUnit::kAvx512;
    }
    return __builtin_cpu_supports("avx2") != 0 ? VectorUnit::kAvx2 : VectorUnit::kBaseline;
  }();
  return unit;
}

/// Calls Loop::run(arguments...), a static function that is marked PRESS_VECTOR_LOOP, as compiled for the
/// CPU.
#define PRESS_VECTOR_LOOP __attribute__((always_inline)) static inline
/// Marks functions that such loops call.
#define PRESS_VECTOR_INLINE __attribute__((always_inline)) inline

template <typename Loop, typename... Arguments>
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))) void run_avx512(Arguments... arguments) {
  Loop::run(arguments...);
}
template <typename Loop, typename... Arguments>
__attribute__((target("avx2"))) void run_avx2(Arguments... arguments) {
  Loop::run(arguments...);
}

template <typename Loop, typename... Arguments>
void run_vectorized(Arguments... arguments) {
  switch (vector_unit()) {
    case VectorUnit::kAvx512:
      return run_avx512<Loop>(arguments...);
    case VectorUnit::kAvx2:
      return run_avx2<Loop>(arguments...);
    case VectorUnit::kBaseline:
      break;
  }
  Loop::run(arguments...);
}

#else

#define PRESS_VECTOR_LOOP static inline
#define PRESS_VECTOR_INLINE inline

template <typename Loop, typename... Arguments>
void run_vectorized(Arguments... arguments) {
  Loop::run(arguments...);
}

#endif

}  // namespace press
