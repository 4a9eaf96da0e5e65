#include "runtime/kernels/winograd.h"

#include <algorithm>
#include <array>
#include <limits>

#include "press/support/mapped_file.h"
#include "press/support/vector_loops.h"
#include "runtime/parallel.h"

namespace press::kernels {

namespace {

using onednn::Activation;

constexpr std::int64_t kIn = 6;                // a tile's inputs along an axis
constexpr std::int64_t kOut = 4;               // its results
constexpr std::int64_t kProducts = kIn * kIn;  // for each channel of a tile
constexpr std::int64_t kLanes = 64;            // channels that are transformed at once
constexpr std::int64_t kChunk = 32;            // tiles
constexpr std::int64_t kFewestTiles = 16;      // of an image: the choice must not depend on the batch
constexpr std::int64_t kFewestChannels = 32;   // below, the transforms cost what the products save
constexpr std::int64_t kLargestWeights = std::int64_t{4} << 20;  // transformed; in elements

constexpr float kA = 0.625F;  // the points ±a and ±b
constexpr float kB = 1.5F;
constexpr float kAA = kA * kA;
constexpr float kBB = kB * kB;

/// B^T x for `count` columns of 6; the results are `step` elements apart.
struct TransformInput {
  PRESS_VECTOR_LOOP void run(const std::array<const float*, kIn>* in, float* out, std::int64_t step,
                             std::int64_t count) {
    const float* x0 = (*in)[0];
    const float* x1 = (*in)[1];
    const float* x2 = (*in)[2];
    const float* x3 = (*in)[3];
    const float* x4 = (*in)[4];
    const float* x5 = (*in)[5];
    float* y0 = out;
    float* y1 = out + step;
    float* y2 = out + 2 * step;
    float* y3 = out + 3 * step;
    float* y4 = out + 4 * step;
    float* y5 = out + 5 * step;
#pragma omp simd
    for (std::int64_t c = 0; c < count; ++c) {
      const float even_a = x4[c] - kBB * x2[c];
      const float odd_a = kA * (x3[c] - kBB * x1[c]);
      const float even_b = x4[c] - kAA * x2[c];
      const float odd_b = kB * (x3[c] - kAA * x1[c]);
      y0[c] = (kAA * kBB) * x0[c] - (kAA + kBB) * x2[c] + x4[c];
      y1[c] = even_a + odd_a;
      y2[c] = even_a - odd_a;
      y3[c] = even_b + odd_b;
      y4[c] = even_b - odd_b;
      y5[c] = (kAA * kBB) * x1[c] - (kAA + kBB) * x3[c] + x5[c];
    }
  }
};

/// A^T x for `count` columns of 6, `step_in` elements apart; the 4 results are `step` apart.
struct TransformOutput {
  PRESS_VECTOR_LOOP void run(const float* in, std::int64_t step_in, float* out, std::int64_t step,
                             std::int64_t count) {
    const float* x0 = in;
    const float* x1 = in + step_in;
    const float* x2 = in + 2 * step_in;
    const float* x3 = in + 3 * step_in;
    const float* x4 = in + 4 * step_in;
    const float* x5 = in + 5 * step_in;
    float* y0 = out;
    float* y1 = out + step;
    float* y2 = out + 2 * step;
    float* y3 = out + 3 * step;
#pragma omp simd
    for (std::int64_t c = 0; c < count; ++c) {
      const float sum_a = x1[c] + x2[c];
      const float difference_a = x1[c] - x2[c];
      const float sum_b = x3[c] + x4[c];
      const float difference_b = x3[c] - x4[c];
      y0[c] = x0[c] + sum_a + sum_b;
      y1[c] = kA * difference_a + kB * difference_b;
      y2[c] = kAA * sum_a + kBB * sum_b;
      y3[c] = (kA * kAA) * difference_a + (kB * kBB) * difference_b + x5[c];
    }
  }
};

/// target = activation(sums + bias [+ target])
template <bool residual>
struct Finish {
  PRESS_VECTOR_LOOP void run(const float* sums, const float* bias, float* target, std::int64_t count,
                             float slope, float low, float high) {
#pragma omp simd
    for (std::int64_t c = 0; c < count; ++c) {
      float y = sums[c] + bias[c];
      if (residual) y += target[c];
      y = y < 0 ? slope * y : y;
      y = y < low ? low : y;
      target[c] = y > high ? high : y;
    }
  }
};

bool is_ones(const Dims& dims) {
  return std::ranges::all_of(dims, [](std::int64_t dim) { return dim == 1; });
}

/// G g G^T for the weights (O, I, 3, 3), as 36 matrices I x O.
Result<Tensor> transformed(const Tensor& weights) {
  constexpr double kScaleA = 2.0 * kAA * (kAA - kBB);
  constexpr double kScaleB = 2.0 * kBB * (kBB - kAA);
  constexpr double kG[kIn][3] = {{1.0 / (kAA * kBB), 0, 0},
                                 {1 / kScaleA, kA / kScaleA, kAA / kScaleA},
                                 {1 / kScaleA, -kA / kScaleA, kAA / kScaleA},
                                 {1 / kScaleB, kB / kScaleB, kBB / kScaleB},
                                 {1 / kScaleB, -kB / kScaleB, kBB / kScaleB},
                                 {0, 0, 1}};
  const std::int64_t outputs = weights.dims()[0];
  const std::int64_t inputs = weights.dims()[1];
  Tensor copy = weights;
  const float* from = copy.mutable_data<float>().data();  // of aligned bytes that go when this is done
  MappedFile::release(weights.bytes());
  PRESS_ASSIGN(Tensor result, Tensor::allocate(DataType::kFloat, {kProducts, inputs, outputs}));
  float* to = result.mutable_data<float>().data();
  for (std::int64_t i = 0; i < inputs; ++i) {
    for (std::int64_t o = 0; o < outputs; ++o) {
      const float* g = from + (o * inputs + i) * 9;
      for (std::int64_t row = 0; row < kIn; ++row) {
        double half[3];
        for (std::int64_t k = 0; k < 3; ++k) {
          half[k] = kG[row][0] * g[k] + kG[row][1] * g[3 + k] + kG[row][2] * g[6 + k];
        }
        for (std::int64_t column = 0; column < kIn; ++column) {
          const double* by = kG[column];
          to[((row * kIn + column) * inputs + i) * outputs + o] =
              static_cast<float>(by[0] * half[0] + by[1] * half[1] + by[2] * half[2]);
        }
      }
    }
  }
  return result;
}

}  // namespace

bool Winograd::pays(const onednn::ConvolutionSpec& spec) {
  const Dims& weights = spec.weights;
  const Activation::Kind kind = spec.activation.kind;
  return !spec.transposed && spec.groups == 1 && spec.layout == onednn::Layout::kChannelsLast &&
         weights.size() == 4 && weights[2] == 3 && weights[3] == 3 && is_ones(spec.strides) &&
         is_ones(spec.dilations) &&
         (kind == Activation::Kind::kNone || kind == Activation::Kind::kRelu ||
          kind == Activation::Kind::kClip) &&
         std::min(weights[0], weights[1]) >= kFewestChannels &&
         kProducts * weights[0] * weights[1] <= kLargestWeights &&
         (spec.target[2] + kOut - 1) / kOut * ((spec.target[3] + kOut - 1) / kOut) >= kFewestTiles;
}

Winograd::Winograd(const onednn::ConvolutionSpec& spec)
    : spec_(spec),
      rows_((spec.target[2] + kOut - 1) / kOut),
      columns_((spec.target[3] + kOut - 1) / kOut),
      tiles_(spec.target[0] * rows_ * columns_) {
  const std::int64_t chunks = (tiles_ + kChunk - 1) / kChunk;
  chunk_ = (tiles_ + chunks - 1) / chunks;
  if (!spec.bias) no_bias_.resize(static_cast<std::size_t>(spec.target[1]));
}

Result<Winograd> Winograd::create(const onednn::ConvolutionSpec& spec) {
  return Winograd(spec);
}

Status Winograd::prepare(KernelContext& context, const onednn::WeightsSource& weights,
                         onednn::PackedWeights& kept, std::size_t workers) {
  const auto make = [&]() -> Result<Tensor> {
    PRESS_ASSIGN(const Tensor given, weights());
    return transformed(given);
  };
  onednn::MatrixProductSpec product;
  product.count = kProducts;
  product.m = chunk_;
  product.n = spec_.target[1];
  product.k = spec_.source[1];
  const ThreadScope scope(1);
  while (products_.size() < workers) {
    PRESS_ASSIGN(onednn::MatrixProduct made, onednn::MatrixProduct::create(product));
    PRESS_TRY(made.pack(context, make, kept));
    products_.push_back(std::move(made));
  }
  return {};
}

Status Winograd::run(KernelContext& context, const onednn::ConvolutionData& data,
                     const onednn::WeightsSource& weights, onednn::PackedWeights& kept) {
  const std::int64_t chunks = (tiles_ + chunk_ - 1) / chunk_;
  const std::int64_t workers = std::min<std::int64_t>(context.threads(), chunks);
  PRESS_TRY(prepare(context, weights, kept, static_cast<std::size_t>(workers)));
  const std::int64_t size = kProducts * chunk_ * (spec_.source[1] + spec_.target[1]);
  PRESS_ASSIGN(Tensor memory, context.allocate_scratch(DataType::kFloat, {workers, size}));
  float* scratch = memory.mutable_data<float>().data();
  onednn::ConvolutionData biased = data;
  if (data.bias == nullptr) biased.bias = no_bias_.data();
  return run_parts(workers, chunks, [&](std::int64_t worker, std::int64_t chunk) {
    return run_chunk(context, biased, chunk, scratch + worker * size,
                     products_[static_cast<std::size_t>(worker)], kept);
  });
}

Status Winograd::run_chunk(KernelContext& context, const onednn::ConvolutionData& data, std::int64_t chunk,
                           float* memory, onednn::MatrixProduct& product, onednn::PackedWeights& kept) const {
  const std::int64_t first = chunk * chunk_;
  const std::int64_t count = std::min(chunk_, tiles_ - first);
  float* inputs = memory;
  float* sums = memory + kProducts * chunk_ * spec_.source[1];
  if (count < chunk_) std::fill(inputs, sums, 0.0F);
  gather(static_cast<const float*>(data.source), first, count, inputs);
  PRESS_TRY(product.run(context, inputs, {}, &kept, nullptr, sums));
  scatter(sums, first, count, static_cast<const float*>(data.bias), static_cast<float*>(data.target));
  return {};
}

/// The transformed inputs of tiles, as 36 matrices of chunk_ x channels.
void Winograd::gather(const float* source, std::int64_t first, std::int64_t count, float* transformed) const {
  static constexpr std::array<float, kLanes> kZeros{};
  const std::int64_t channels = spec_.source[1];
  const std::int64_t height = spec_.source[2];
  const std::int64_t width = spec_.source[3];
  alignas(64) std::array<float, kProducts * kLanes> half;
  for (std::int64_t tile = 0; tile < count; ++tile) {
    const std::int64_t image = (first + tile) / (rows_ * columns_);
    const std::int64_t top = (first + tile) / columns_ % rows_ * kOut - spec_.pads_begin[0];
    const std::int64_t left = (first + tile) % columns_ * kOut - spec_.pads_begin[1];
    for (std::int64_t c = 0; c < channels; c += kLanes) {
      const std::int64_t lanes = std::min(kLanes, channels - c);
      std::array<const float*, kIn> in;
      for (std::int64_t column = 0; column < kIn; ++column) {
        for (std::int64_t row = 0; row < kIn; ++row) {
          const std::int64_t y = top + row;
          const std::int64_t x = left + column;
          const bool inside = y >= 0 && y < height && x >= 0 && x < width;
          in[static_cast<std::size_t>(row)] =
              inside ? source + ((image * height + y) * width + x) * channels + c : kZeros.data();
        }
        run_vectorized<TransformInput>(&in, half.data() + column * kLanes, kIn * kLanes, lanes);
      }
      for (std::int64_t row = 0; row < kIn; ++row) {
        for (std::int64_t column = 0; column < kIn; ++column) {
          in[static_cast<std::size_t>(column)] = half.data() + (row * kIn + column) * kLanes;
        }
        run_vectorized<TransformInput>(&in, transformed + (row * kIn * chunk_ + tile) * channels + c,
                                       chunk_ * channels, lanes);
      }
    }
  }
}

/// The results of tiles, from their products in 36 matrices of chunk_ x channels.
void Winograd::scatter(const float* products, std::int64_t first, std::int64_t count, const float* bias,
                       float* target) const {
  const std::int64_t channels = spec_.target[1];
  const std::int64_t height = spec_.target[2];
  const std::int64_t width = spec_.target[3];
  const Activation& activation = spec_.activation;
  const bool clips = activation.kind == Activation::Kind::kClip;
  const float slope = activation.kind == Activation::Kind::kRelu ? activation.alpha : 1.0F;
  const float low = clips ? activation.alpha : std::numeric_limits<float>::lowest();
  const float high = clips ? activation.beta : std::numeric_limits<float>::max();
  alignas(64) std::array<float, kOut * kIn * kLanes> half;
  alignas(64) std::array<float, kOut * kLanes> sums;
  for (std::int64_t tile = 0; tile < count; ++tile) {
    const std::int64_t image = (first + tile) / (rows_ * columns_);
    const std::int64_t top = (first + tile) / columns_ % rows_ * kOut;
    const std::int64_t left = (first + tile) % columns_ * kOut;
    for (std::int64_t c = 0; c < channels; c += kLanes) {
      const std::int64_t lanes = std::min(kLanes, channels - c);
      const float* from = products + tile * channels + c;
      const std::int64_t matrix = chunk_ * channels;
      for (std::int64_t column = 0; column < kIn; ++column) {
        run_vectorized<TransformOutput>(from + column * matrix, kIn * matrix, half.data() + column * kLanes,
                                        kIn * kLanes, lanes);
      }
      for (std::int64_t row = 0; row < std::min(kOut, height - top); ++row) {
        run_vectorized<TransformOutput>(half.data() + row * kIn * kLanes, kLanes, sums.data(), kLanes, lanes);
        for (std::int64_t column = 0; column < std::min(kOut, width - left); ++column) {
          float* to = target + ((image * height + top + row) * width + left + column) * channels + c;
          const float* of = sums.data() + column * kLanes;
          if (spec_.residual) {
            run_vectorized<Finish<true>>(of, bias + c, to, lanes, slope, low, high);
          } else {
            run_vectorized<Finish<false>>(of, bias + c, to, lanes, slope, low, high);
          }
        }
      }
    }
  }
}

}  // namespace press::kernels
