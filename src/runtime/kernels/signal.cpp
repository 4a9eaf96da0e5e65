// Signals: DFT, STFT, the windows and MelWeightMatrix. Complex numbers are pairs in the last dim.
#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include "ops/shapes.h"
#include "runtime/kernels/arguments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/support.h"

namespace press::kernels {

namespace {

using Complex = std::complex<double>;

constexpr std::int64_t kLongest = std::int64_t{1} << 24;  // of a transform

/// X[k] = sum of x[n] · exp(sign · 2πi · k n / N) for N = count samples that are `stride` apart (Cooley and
/// Tukey, 1965: halves while the length is even).
void transform(const Complex* x, std::int64_t stride, std::int64_t count, double sign, Complex* out) {
  const double turn = sign * 2 * std::numbers::pi / static_cast<double>(count);
  if (count > 1 && count % 2 == 0) {
    const std::int64_t half = count / 2;
    transform(x, 2 * stride, half, sign, out);
    transform(x + stride, 2 * stride, half, sign, out + half);
    for (std::int64_t k = 0; k < half; ++k) {
      const Complex even = out[k];
      const Complex odd = out[k + half] * std::polar(1.0, turn * static_cast<double>(k));
      out[k] = even + odd;
      out[k + half] = even - odd;
    }
    return;
  }
  for (std::int64_t k = 0; k < count; ++k) {
    Complex sum = 0;
    for (std::int64_t n = 0; n < count; ++n)
      sum += x[n * stride] * std::polar(1.0, turn * static_cast<double>(k * n % count));
    out[k] = sum;
  }
}

std::vector<Complex> transformed(const std::vector<Complex>& x, bool inverse) {
  std::vector<Complex> out(x.size());
  const auto count = static_cast<std::int64_t>(x.size());
  transform(x.data(), 1, count, inverse ? 1 : -1, out.data());
  if (inverse) {
    for (Complex& value : out) value /= static_cast<double>(count);
  }
  return out;
}

/// Sample `index` of a signal whose elements have one part (real) or two.
Complex sample(const float* data, std::int64_t index, std::int64_t parts) {
  return {data[index * parts], parts == 2 ? data[index * parts + 1] : 0.0F};
}

Result<std::int64_t> transform_length(const KernelContext& context, std::size_t input,
                                      std::int64_t fallback) {
  std::int64_t length = fallback;
  if (const Tensor* given = context.input(input); given != nullptr) {
    PRESS_ASSIGN(length, single_integer(*given));
  }
  if (length < 1 || length > kLongest) return reject("a transform of {} elements makes no sense", length);
  return length;
}

}  // namespace

Status dft(KernelContext& context) {
  const Node& node = context.node();
  PRESS_ASSIGN(const Tensor* input, required(context, 0, DataType::kFloat));
  const Dims& dims = input->dims();
  if (dims.size() < 2 || dims.back() < 1 || dims.back() > 2)
    return reject("the input is {}, expected a last dim of 1 (real) or 2 (complex)", to_string(dims));
  std::int64_t asked = context.opset() < 20 ? node.int_attribute("axis", 1) : -2;
  if (const Tensor* given = context.input(2); context.opset() >= 20 && given != nullptr) {
    PRESS_ASSIGN(asked, single_integer(*given));
  }
  PRESS_ASSIGN(const std::size_t axis, normalize_axis(asked, dims.size()));
  if (axis + 1 == dims.size()) return reject("axis {} is that of the complex parts", asked);
  const bool inverse = node.int_attribute("inverse", 0) != 0;
  const bool onesided = node.int_attribute("onesided", 0) != 0;
  const bool to_real = inverse && onesided;  // from half a spectrum back to a real signal
  PRESS_ASSIGN(const std::int64_t length,
               transform_length(context, 1, to_real ? 2 * (dims[axis] - 1) : dims[axis]));
  Dims made = dims;
  made[axis] = onesided && !inverse ? length / 2 + 1 : length;
  made.back() = to_real ? 1 : 2;
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, made));
  const std::int64_t parts = dims.back(), out_parts = made.back();
  const std::int64_t inner = product(dims, axis + 1) / parts;
  const float* in = input->data<float>().data();
  float* out = target->mutable_data<float>().data();
  parallel_for(context.threads(), product(dims, 0, axis) * inner, 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t line = begin; line < end; ++line) {
                   const std::int64_t from = line / inner * dims[axis] * inner + line % inner;
                   const std::int64_t to = line / inner * made[axis] * inner + line % inner;
                   std::vector<Complex> x(static_cast<std::size_t>(length));
                   for (std::int64_t i = 0; i < std::min(length, dims[axis]); ++i) {
                     x[static_cast<std::size_t>(i)] = sample(in, from + i * inner, parts);
                     // The other half of the spectrum of a real signal is the conjugate of the first.
                     if (to_real && i > 0)
                       x[static_cast<std::size_t>(length - i)] = std::conj(x[static_cast<std::size_t>(i)]);
                   }
                   const std::vector<Complex> y = transformed(x, inverse);
                   for (std::int64_t i = 0; i < made[axis]; ++i) {
                     float* value = out + (to + i * inner) * out_parts;
                     value[0] = static_cast<float>(y[static_cast<std::size_t>(i)].real());
                     if (out_parts == 2) value[1] = static_cast<float>(y[static_cast<std::size_t>(i)].imag());
                   }
                 }
               });
  return {};
}

/// Transforms of frames of a signal [batch, samples(, parts)], each weighted by a window: [batch, frames,
/// frequencies, 2].
Status stft(KernelContext& context) {
  PRESS_ASSIGN(const Tensor* input, required(context, 0, DataType::kFloat));
  PRESS_ASSIGN(const Tensor* step_input, required(context, 1));
  PRESS_ASSIGN(const Tensor* window, optional(context, 2, DataType::kFloat));
  PRESS_ASSIGN(const std::int64_t step, single_integer(*step_input));
  const Dims& dims = input->dims();
  const std::int64_t parts = dims.size() == 3 ? dims[2] : 1;
  if (dims.size() < 2 || dims.size() > 3 || parts < 1 || parts > 2)
    return reject("the signal is {}, expected batch, samples and 1 or 2 parts", to_string(dims));
  PRESS_ASSIGN(const std::int64_t length,
               transform_length(context, 3, window != nullptr ? window->size() : dims[1]));
  if (step < 1 || length > dims[1] || (window != nullptr && window->size() > length))
    return reject("frames of {} samples every {} do not fit a signal of {}", length, step, dims[1]);
  const std::int64_t frames = 1 + (dims[1] - length) / step;
  const std::int64_t bins = context.node().int_attribute("onesided", 1) != 0 ? length / 2 + 1 : length;
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, {dims[0], frames, bins, 2}));
  // A window that is shorter than the frames stands in their middle.
  const std::int64_t lead = window != nullptr ? (length - window->size()) / 2 : 0;
  const float* in = input->data<float>().data();
  float* out = target->mutable_data<float>().data();
  parallel_for(context.threads(), dims[0] * frames, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t frame = begin; frame < end; ++frame) {
      const std::int64_t from = frame / frames * dims[1] + frame % frames * step;
      std::vector<Complex> x(static_cast<std::size_t>(length));
      for (std::int64_t i = 0; i < length; ++i) {
        double weight = 1;
        if (window != nullptr) {
          const std::int64_t at = i - lead;
          weight =
              at >= 0 && at < window->size() ? window->data<float>()[static_cast<std::size_t>(at)] : 0.0F;
        }
        x[static_cast<std::size_t>(i)] = sample(in, from + i, parts) * weight;
      }
      const std::vector<Complex> y = transformed(x, false);
      for (std::int64_t i = 0; i < bins; ++i) {
        float* value = out + (frame * bins + i) * 2;
        value[0] = static_cast<float>(y[static_cast<std::size_t>(i)].real());
        value[1] = static_cast<float>(y[static_cast<std::size_t>(i)].imag());
      }
    }
  });
  return {};
}

namespace {

/// Values computed in double, as the element type that the attribute output_datatype names.
Status write_numbers(KernelContext& context, const Dims& dims, const std::vector<double>& values) {
  const auto type = static_cast<DataType>(context.node().int_attribute("output_datatype", 1));
  if (type == DataType::kFloat16 || type == DataType::kBFloat16) {
    PRESS_ASSIGN(Tensor * output, context.allocate_output(0, type, dims));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto value = static_cast<float>(values[i]);
      if (type == DataType::kFloat16) output->mutable_data<Float16>()[i] = to_float16(value);
      if (type == DataType::kBFloat16) output->mutable_data<BFloat16>()[i] = to_bfloat16(value);
    }
    return {};
  }
  return dispatch_numbers(context, type, [&]<typename T>() -> Status {
    PRESS_ASSIGN(Tensor * output, context.allocate_output(0, type, dims));
    std::ranges::transform(values, output->mutable_data<T>().begin(),
                           [](double value) { return static_cast<T>(value); });
    return {};
  });
}

/// Window `w(phase)`, phase from 0 to 2π over the window.
template <typename Window>
Status make_window(KernelContext& context, const Window& window) {
  PRESS_ASSIGN(const Tensor* size, required(context, 0));
  PRESS_ASSIGN(const std::int64_t count, single_integer(*size));
  if (count < 0 || count > kLongest) return reject("a window of {} elements makes no sense", count);
  const bool periodic = context.node().int_attribute("periodic", 1) != 0;
  const auto period = static_cast<double>(periodic ? count : count - 1);
  std::vector<double> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = window(period > 0 ? 2 * std::numbers::pi * static_cast<double>(i) / period : 0.0);
  return write_numbers(context, {count}, values);
}

}  // namespace

Status hann_window(KernelContext& context) {
  return make_window(context, [](double phase) { return 0.5 - 0.5 * std::cos(phase); });
}

Status hamming_window(KernelContext& context) {
  return make_window(context, [](double phase) { return (25.0 - 21.0 * std::cos(phase)) / 46.0; });
}

Status blackman_window(KernelContext& context) {
  return make_window(context,
                     [](double phase) { return 0.42 - 0.5 * std::cos(phase) + 0.08 * std::cos(2 * phase); });
}

/// Weights that gather the bins of a spectrum into bands of the mel scale (2595 log10(1 + f / 700)):
/// triangles between the edges of neighbouring bands.
Status mel_weight_matrix(KernelContext& context) {
  std::array<double, 5> given{};
  for (std::size_t i = 0; i < given.size(); ++i) {
    PRESS_ASSIGN(const Tensor* input, required(context, i));
    PRESS_ASSIGN(given[i], single_number(*input));
    if (!(given[i] >= 0 && given[i] < static_cast<double>(kLongest)))
      return reject("input {} is {}", i, given[i]);
  }
  const auto [band_count, length, rate, low, high] = given;
  if (rate < 1 || low >= high)
    return reject("bands from {} to {} Hz at {} samples a second", low, high, rate);
  const auto bands = static_cast<std::int64_t>(band_count);
  const std::int64_t bins = static_cast<std::int64_t>(length) / 2 + 1;
  PRESS_ASSIGN(const std::int64_t count, checked_multiply(bins, bands));
  if (count > kLongest) return reject("{} x {} weights make no sense", bins, bands);
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double step = (mel(high) - mel(low)) / static_cast<double>(bands + 2);
  std::vector<std::int64_t> edges;
  for (std::int64_t i = 0; i < bands + 2; ++i) {
    const double hertz = 700 * (std::pow(10, (mel(low) + step * static_cast<double>(i)) / 2595) - 1);
    edges.push_back(static_cast<std::int64_t>(std::floor((std::floor(length) + 1) * hertz / rate)));
    if (edges.back() >= bins) return reject("{} Hz is above the spectrum", hertz);
  }
  std::vector<double> weights(static_cast<std::size_t>(count), 0);
  for (std::size_t band = 0; band < static_cast<std::size_t>(bands); ++band) {
    const std::int64_t left = edges[band], center = edges[band + 1], right = edges[band + 2];
    const auto weight = [&](std::int64_t bin) -> double& {
      return weights[static_cast<std::size_t>(bin * bands) + band];
    };
    for (std::int64_t bin = left; bin <= center; ++bin) {
      weight(bin) = center > left ? static_cast<double>(bin - left) / static_cast<double>(center - left) : 1;
    }
    for (std::int64_t bin = center; bin < right; ++bin)
      weight(bin) = static_cast<double>(right - bin) / static_cast<double>(right - center);
  }
  return write_numbers(context, {bins, bands}, weights);
}

}  // namespace press::kernels
