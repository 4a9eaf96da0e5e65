// Conv and ConvTranspose over oneDNN.
#include <algorithm>

#include "ops/shapes.h"
#include "runtime/kernels/arguments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/onednn.h"
#include "runtime/shape_cache.h"

namespace press::kernels {

namespace {

/// oneDNN counts in 32 bits inside of its kernels.
constexpr std::int64_t kLargestDim = INT32_MAX;

class ConvolutionKernel final : public Float32Kernel {
 public:
  explicit ConvolutionKernel(bool transposed) : transposed_(transposed) {}

 protected:
  Status run_float32(KernelContext& context) override {
    PRESS_ASSIGN(const Tensor* source, required(context, 0, DataType::kFloat));
    PRESS_ASSIGN(const Tensor* weights, required(context, 1, DataType::kFloat));
    PRESS_ASSIGN(onednn::ConvolutionSpec spec, describe(context, *source, *weights));
    const Tensor* bias = nullptr;
    if (context.input(2) != nullptr) {
      PRESS_ASSIGN(bias, per_channel(context, 2, spec.target[1]));
    }
    spec.bias = bias != nullptr;
    PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, spec.target));
    if (target->size() == 0) return {};
    const float* bias_data = bias != nullptr ? bias->data<float>().data() : nullptr;
    if (source->size() == 0 || weights->size() == 0) return fill(*target, bias_data);
    PRESS_ASSIGN(onednn::Convolution * convolution, primitives_.find(spec, onednn::Convolution::create));
    return convolution->run(context, source->data<float>().data(), weights->data<float>().data(),
                            context.input_is_constant(1) ? &packed_ : nullptr, bias_data,
                            target->mutable_data<float>().data());
  }

 private:
  Result<onednn::ConvolutionSpec> describe(const KernelContext& context, const Tensor& source,
                                           const Tensor& weights) const {
    const Node& node = context.node();
    const Dims& x = source.dims();
    const Dims& w = weights.dims();
    if (x.size() < 3 || w.size() != x.size()) {
      return Error(ErrorCode::kInput,
                   fmt::format("input {} and weight {} should both have a batch or output dim, a "
                               "channel dim and the same spatial dims",
                               to_string(x), to_string(w)));
    }
    if (x.size() > 5) {
      return Error(
          ErrorCode::kUnsupported,
          fmt::format("only 1 to 3 spatial dims can be executed, but the input is {}", to_string(x)));
    }
    onednn::ConvolutionSpec spec;
    spec.transposed = transposed_;
    spec.groups = node.int_attribute("group", 1);
    const std::int64_t inputs = transposed_ ? w[0] : w[1] * std::max<std::int64_t>(spec.groups, 1);
    if (spec.groups < 1 || w[0] % spec.groups != 0 || x[1] != inputs) {
      return Error(ErrorCode::kInput,
                   fmt::format("{} input channels, weight {} and {} groups do not fit together", x[1],
                               to_string(w), spec.groups));
    }
    PRESS_ASSIGN(const Window window, read_window(node, Dims(w.begin() + 2, w.end())));
    spec.source = x;
    spec.weights = w;
    spec.target = {x[0], w[0]};
    if (transposed_) {
      PRESS_ASSIGN(spec.target[1], checked_multiply(w[1], spec.groups));
    }
    for (std::size_t axis = 0; axis < window.rank(); ++axis) {
      WindowExtent extent;
      if (transposed_) {
        PRESS_ASSIGN(extent, transposed_window_extent(node, window, axis, x[axis + 2]));
        // oneDNN derives the output from the pads; whatever output_padding adds is a smaller end pad.
        const std::int64_t full =
            (x[axis + 2] - 1) * window.strides[axis] + (window.kernel[axis] - 1) * window.dilations[axis] + 1;
        extent.pad_end = full - extent.pad_begin - extent.output;
      } else {
        PRESS_ASSIGN(extent, window_extent(window, axis, x[axis + 2]));
      }
      spec.target.push_back(extent.output);
      spec.pads_begin.push_back(extent.pad_begin);
      spec.pads_end.push_back(extent.pad_end);
    }
    spec.strides = window.strides;
    spec.dilations = window.dilations;
    for (const Dims* dims : {&spec.source, &spec.target, &spec.weights, &spec.pads_begin, &spec.pads_end,
                             &spec.strides, &spec.dilations}) {
      if (std::ranges::any_of(*dims, [](std::int64_t dim) { return dim > kLargestDim; })) {
        return Error(ErrorCode::kUnsupported,
                     fmt::format("dims {} are too large for a convolution", to_string(*dims)));
      }
    }
    return spec;
  }

  /// The result where there is nothing to sum up.
  static Status fill(Tensor& target, const float* bias) {
    const Dims& dims = target.dims();
    const std::int64_t plane = product(dims, 2);
    float* out = target.mutable_data<float>().data();
    for (std::int64_t i = 0; i < dims[0] * dims[1]; ++i) {
      std::fill_n(out + i * plane, plane, bias != nullptr ? bias[i % dims[1]] : 0.0F);
    }
    return {};
  }

  bool transposed_;
  ShapeCache<onednn::ConvolutionSpec, onednn::Convolution> primitives_;
  onednn::PackedWeights packed_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> conv(const Node& /*node*/) {
  return std::unique_ptr<Kernel>(std::make_unique<ConvolutionKernel>(false));
}

Result<std::unique_ptr<Kernel>> conv_transpose(const Node& /*node*/) {
  return std::unique_ptr<Kernel>(std::make_unique<ConvolutionKernel>(true));
}

}  // namespace press::kernels
