#include "runtime/onednn.h"

#include <fmt/format.h>

#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "press/support/mapped_file.h"
#include "runtime/huge_pages.h"

namespace press::onednn {

namespace {

using DnnlDims = dnnl::memory::dims;
using DnnlType = dnnl::memory::data_type;

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

/// `body()`, with the library's exceptions turned into an Error.
template <typename Body>
auto guarded(const char* doing, const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const dnnl::error& error) {
    const ErrorCode code = error.status == dnnl_unimplemented || error.status == dnnl_out_of_memory ||
                                   error.status == dnnl_invalid_arguments
                               ? ErrorCode::kUnsupported
                               : ErrorCode::kInternal;
    return Error(code, fmt::format("oneDNN cannot {}: {}", doing, error.what()));
  }
}

DnnlDims dense_strides(const DnnlDims& dims) {
  DnnlDims strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;)
    strides[i - 1] = strides[i] * std::max<std::int64_t>(dims[i], 1);
  return strides;
}

dnnl::memory::desc plain(const DnnlDims& dims, DnnlType type) {
  return {dims, type, dense_strides(dims)};
}

dnnl::memory::desc activation(const DnnlDims& dims, DnnlType type, Layout layout) {
  if (layout == Layout::kPlain) return plain(dims, type);
  DnnlDims physical = {dims[0]};
  physical.insert(physical.end(), dims.begin() + 2, dims.end());
  physical.push_back(dims[1]);
  const DnnlDims strides = dense_strides(physical);
  DnnlDims logical = {strides.front(), strides.back()};
  logical.insert(logical.end(), strides.begin() + 1, strides.end() - 1);
  return {dims, type, logical};
}

dnnl::memory::desc any_layout(const DnnlDims& dims, DnnlType type) {
  return {dims, type, dnnl::memory::format_tag::any};
}

/// ONNX's weights as oneDNN sees them: [groups,] O, I, spatial, with the strides of the file's order.
struct FileWeights {
  DnnlDims dims;
  DnnlDims strides;
};

FileWeights file_weights(const ConvolutionSpec& spec) {
  const Dims& w = spec.weights;
  FileWeights result;
  result.dims = {spec.groups, w[0] / spec.groups, w[1]};
  result.dims.insert(result.dims.end(), w.begin() + 2, w.end());
  result.strides = dense_strides(result.dims);
  if (spec.transposed) {
    std::swap(result.dims[1], result.dims[2]);
    std::swap(result.strides[1], result.strides[2]);
  }
  if (spec.groups == 1) {
    result.dims.erase(result.dims.begin());
    result.strides.erase(result.strides.begin());
  }
  return result;
}

DnnlDims minus_one(const Dims& dims) {
  DnnlDims result(dims.begin(), dims.end());
  for (std::int64_t& dim : result) --dim;
  return result;
}

void append_eltwise(dnnl::post_ops& operations, dnnl::algorithm algorithm, float alpha, float beta) {
#if DNNL_VERSION_MAJOR >= 3
  operations.append_eltwise(algorithm, alpha, beta);
#else
  operations.append_eltwise(1.0F, algorithm, alpha, beta);
#endif
}

void append(dnnl::post_ops& operations, const Activation& activation) {
  switch (activation.kind) {
    case Activation::Kind::kNone:
      return;
    case Activation::Kind::kRelu:
      return append_eltwise(operations, dnnl::algorithm::eltwise_relu, activation.alpha, 0);
    case Activation::Kind::kClip:
      return append_eltwise(operations, dnnl::algorithm::eltwise_clip, activation.alpha, activation.beta);
    case Activation::Kind::kSigmoid:
      return append_eltwise(operations, dnnl::algorithm::eltwise_logistic, 0, 0);
    case Activation::Kind::kTanh:
      return append_eltwise(operations, dnnl::algorithm::eltwise_tanh, 0, 0);
    case Activation::Kind::kHardSwish:  // version 3 takes the slope and offset that version 2 has built in
      return append_eltwise(operations, dnnl::algorithm::eltwise_hardswish, 1.0F / 6.0F, 0.5F);
  }
}

/// Scratchpads are handed in at each execution: a session may move between threads.
dnnl::primitive_attr attributes_with(const dnnl::post_ops& operations) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_post_ops(operations);
  return attributes;
}

/// Element types and attributes of a primitive on float32, or on integers.
struct Arithmetic {
  DnnlType source = DnnlType::f32;
  DnnlType weights = DnnlType::f32;
  DnnlType target = DnnlType::f32;
  dnnl::primitive_attr attributes;
};

DnnlType library_type(DataType type) {
  switch (type) {
    case DataType::kUint8:
      return DnnlType::u8;
    case DataType::kInt8:
      return DnnlType::s8;
    case DataType::kInt32:
      return DnnlType::s32;
    default:
      return DnnlType::f32;
  }
}

Arithmetic float_arithmetic(const Activation& activation, bool residual) {
  dnnl::post_ops operations;
  if (residual) operations.append_sum(1.0F);
  append(operations, activation);
  return {DnnlType::f32, DnnlType::f32, DnnlType::f32, attributes_with(operations)};
}

Arithmetic integer_arithmetic(const IntegerArithmetic& integers, [[maybe_unused]] int channel_mask) {
  dnnl::post_ops operations;
  bool clips = false;
  for (const IntegerOperation& operation : integers.operations) {
    switch (operation.kind) {
      case IntegerOperation::Kind::kActivate:
        if (operation.activation.kind == Activation::Kind::kClip && clips) {
          // Some kernels of version 2 give a second clip the bounds of the first; its twin has its own.
          append_eltwise(operations, dnnl::algorithm::eltwise_clip_v2, operation.activation.alpha,
                         operation.activation.beta);
        } else {
          append(operations, operation.activation);
        }
        clips = clips || operation.activation.kind == Activation::Kind::kClip;
        break;
      case IntegerOperation::Kind::kScale:
        append_eltwise(operations, dnnl::algorithm::eltwise_linear, operation.scale, 0);
        break;
      case IntegerOperation::Kind::kRound:
        append_eltwise(operations, dnnl::algorithm::eltwise_round, 0, 0);
        break;
      case IntegerOperation::Kind::kAddTarget:
        operations.append_sum(operation.scale, operation.zero_point, library_type(integers.target));
        break;
    }
  }
  Arithmetic result{library_type(integers.source), DnnlType::s8, library_type(integers.target),
                    attributes_with(operations)};
  const int mask = integers.scales.size() > 1 ? channel_mask : 0;
#if DNNL_VERSION_MAJOR >= 3
  result.attributes.set_scales_mask(DNNL_ARG_WEIGHTS, mask);
  if (integers.source_zero_point != 0) result.attributes.set_zero_points_mask(DNNL_ARG_SRC, 0);
  if (integers.target_zero_point != 0) result.attributes.set_zero_points_mask(DNNL_ARG_DST, 0);
#else
  result.attributes.set_output_scales(mask, integers.scales);
  if (integers.source_zero_point != 0)
    result.attributes.set_zero_points(DNNL_ARG_SRC, 0, {integers.source_zero_point});
  if (integers.target_zero_point != 0)
    result.attributes.set_zero_points(DNNL_ARG_DST, 0, {integers.target_zero_point});
#endif
  return result;
}

template <typename Primitive, dnnl::algorithm algorithm>
typename Primitive::primitive_desc describe(const ConvolutionSpec& spec, const Arithmetic& arithmetic) {
  const dnnl::memory::desc source = activation(spec.source, arithmetic.source, spec.layout);
  const dnnl::memory::desc target = activation(spec.target, arithmetic.target, spec.layout);
  const dnnl::memory::desc weights = any_layout(file_weights(spec).dims, arithmetic.weights);
  const dnnl::memory::desc bias = spec.bias ? plain({spec.target[1]}, DnnlType::f32) : dnnl::memory::desc();
  const DnnlDims dilations = minus_one(spec.dilations);
#if DNNL_VERSION_MAJOR >= 3
  return {engine(),      dnnl::prop_kind::forward_inference,
          algorithm,     source,
          weights,       bias,
          target,        spec.strides,
          dilations,     spec.pads_begin,
          spec.pads_end, arithmetic.attributes};
#else
  const typename Primitive::desc operation(dnnl::prop_kind::forward_inference, algorithm, source, weights,
                                           bias, target, spec.strides, dilations, spec.pads_begin,
                                           spec.pads_end);
  return {operation, arithmetic.attributes, engine()};
#endif
}

/// Which dims of what carries the scales have a scale of their own: version 2 scales the output (channels are
/// dim 1), version 3 the weights (groups and outputs).
int scales_mask([[maybe_unused]] const ConvolutionSpec& spec) {
#if DNNL_VERSION_MAJOR >= 3
  return spec.groups > 1 ? 3 : 1;
#else
  return 1 << 1;
#endif
}

/// A memory object over the caller's bytes; oneDNN only writes where the primitive's direction says so.
dnnl::memory over(const dnnl::memory::desc& description, const void* bytes) {
  return {description, engine(), const_cast<void*>(bytes)};
}

}  // namespace

struct PackedWeights::Entries {
  std::mutex mutex;
  std::vector<std::pair<dnnl::memory::desc, Tensor>> list;
};

PackedWeights::PackedWeights() : entries_(std::make_shared<Entries>()) {}

/// From the file's order of weights to a primitive's.
struct Packing {
  dnnl::memory::desc from, to;
  std::optional<dnnl::reorder> reorder;  // none where the file's order serves as it is

  Packing() = default;
  Packing(const dnnl::memory::desc& from_, const dnnl::memory::desc& to_) : from(from_), to(to_) {
    if (from != to) reorder = dnnl::reorder(dnnl::reorder::primitive_desc(engine(), from, engine(), to));
  }

  /// The weights as the primitive takes them.
  Result<Tensor> run(KernelContext& context, dnnl::stream& stream, const WeightsSource& weights,
                     PackedWeights* kept) const {
    if (kept == nullptr) {
      PRESS_ASSIGN(Tensor source, weights());
      return reorder ? reordered(context, stream, source, false) : source;
    }
    const std::scoped_lock lock(kept->entries_->mutex);
    for (const auto& [description, tensor] : kept->entries_->list) {
      if (description == to) return tensor;
    }
    PRESS_ASSIGN(const Tensor given, weights());
    Tensor packed = given;
    if (reinterpret_cast<std::uintptr_t>(packed.bytes().data()) % alignof(std::max_align_t) != 0) {
      packed.mutable_bytes();  // a copy, which aligned_bytes() would keep beside the tensor for good
    }
    if (reorder) {
      PRESS_ASSIGN(packed, reordered(context, stream, packed, true));
    }
    if (packed.bytes().data() != given.bytes().data()) MappedFile::release(given.bytes());
    kept->entries_->list.emplace_back(to, packed);
    return packed;
  }

 private:
  Result<Tensor> reordered(KernelContext& context, dnnl::stream& stream, const Tensor& weights,
                           bool keep) const {
    const Dims size = {static_cast<std::int64_t>(to.get_size())};
    PRESS_ASSIGN(Tensor packed, keep ? Tensor::allocate(DataType::kUint8, size)
                                     : context.allocate_scratch(DataType::kUint8, size));
    prefer_huge_pages(packed.mutable_bytes().data(), packed.bytes().size());
    dnnl::memory source = over(from, weights.aligned_bytes());
    dnnl::memory target = over(to, packed.mutable_bytes().data());
    dnnl::reorder(*reorder).execute(stream, source, target);
    stream.wait();
    return packed;
  }
};

namespace {

/// A primitive with weights: what convolutions and matrix products have in common.
struct WeightedPrimitive {
  dnnl::primitive primitive;
  dnnl::memory::desc scratchpad;
  std::string implementation;  // its name, as the library says it
  dnnl::stream stream{engine()};
  Packing packing;
  Tensor packed;                                    // the weights, between runs those that are kept
  std::unordered_map<int, dnnl::memory> arguments;  // whose bytes are set at each run
  std::vector<float> scales;                        // what version 3 takes as arguments
  std::int32_t source_zero_point = 0;
  std::int32_t target_zero_point = 0;
  std::vector<float> scaled_bias;

  template <typename Primitive>
  void take(const typename Primitive::primitive_desc& description, const dnnl::memory::desc& from_file) {
    scratchpad = description.scratchpad_desc();
    implementation = description.impl_info_str();
    packing = Packing(from_file, description.weights_desc());
    primitive = Primitive(description);
    arguments = {{DNNL_ARG_SRC, over(description.src_desc(), nullptr)},
                 {DNNL_ARG_DST, over(description.dst_desc(), nullptr)},
                 {DNNL_ARG_WEIGHTS, over(packing.to, nullptr)},
                 {DNNL_ARG_SCRATCHPAD, over(scratchpad, nullptr)}};
    if (const dnnl::memory::desc bias = description.bias_desc(); bias.get_size() > 0) {
      arguments.insert({DNNL_ARG_BIAS, over(bias, nullptr)});
    }
  }

  /// The numbers that version 3 takes at each run instead of keeping them in the primitive.
  void take_numbers([[maybe_unused]] const IntegerArithmetic& integers) {
#if DNNL_VERSION_MAJOR >= 3
    scales = integers.scales;
    source_zero_point = integers.source_zero_point;
    target_zero_point = integers.target_zero_point;
    const auto count = static_cast<std::int64_t>(scales.size());
    arguments.insert(
        {DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, over(plain({count}, DnnlType::f32), scales.data())});
    if (source_zero_point != 0) {
      arguments.insert(
          {DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC, over(plain({1}, DnnlType::s32), &source_zero_point)});
    }
    if (target_zero_point != 0) {
      arguments.insert(
          {DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_DST, over(plain({1}, DnnlType::s32), &target_zero_point)});
    }
#endif
  }

  void set(int argument, const void* bytes) {
    arguments.at(argument).set_data_handle(const_cast<void*>(bytes));
  }

  void set_bias(const void* bias, [[maybe_unused]] std::int64_t channels) {
    if (bias == nullptr) return;
#if DNNL_VERSION_MAJOR >= 3
    if (!scales.empty()) {  // version 3 adds the bias behind the scales
      const auto* values = static_cast<const float*>(bias);
      scaled_bias.resize(static_cast<std::size_t>(channels));
      for (std::size_t i = 0; i < scaled_bias.size(); ++i) {
        scaled_bias[i] = values[i] * scales[scales.size() > 1 ? i : 0];
      }
      bias = scaled_bias.data();
    }
#endif
    set(DNNL_ARG_BIAS, bias);
  }

  Status pack(KernelContext& context, const WeightsSource& weights, PackedWeights* kept) {
    if (kept != nullptr && packed.defined()) return {};
    PRESS_ASSIGN(packed, packing.run(context, stream, weights, kept));
    return {};
  }

  /// After all arguments but weights and scratchpad are set.
  Status run(KernelContext& context, const WeightsSource& weights, PackedWeights* kept) {
    PRESS_TRY(pack(context, weights, kept));
    set(DNNL_ARG_WEIGHTS, packed.aligned_bytes());
    Tensor memory;
    if (const std::size_t size = scratchpad.get_size(); size > 0) {
      PRESS_ASSIGN(memory, context.allocate_scratch(DataType::kUint8, {static_cast<std::int64_t>(size)}));
      set(DNNL_ARG_SCRATCHPAD, memory.mutable_bytes().data());
    }
    primitive.execute(stream, arguments);
    stream.wait();
    if (kept == nullptr) packed = Tensor();
    return {};
  }
};

}  // namespace

struct Convolution::Impl : WeightedPrimitive {
  std::int64_t channels = 0;

  Impl(const ConvolutionSpec& spec, const Arithmetic& arithmetic) : channels(spec.target[1]) {
    const FileWeights weights = file_weights(spec);
    const dnnl::memory::desc from_file(weights.dims, arithmetic.weights, weights.strides);
    if (spec.transposed) {
      using Primitive = dnnl::deconvolution_forward;
      take<Primitive>(describe<Primitive, dnnl::algorithm::deconvolution_direct>(spec, arithmetic),
                      from_file);
    } else {
      using Primitive = dnnl::convolution_forward;
      take<Primitive>(describe<Primitive, dnnl::algorithm::convolution_direct>(spec, arithmetic), from_file);
    }
  }
};

Convolution::Convolution(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Convolution::Convolution(Convolution&&) noexcept = default;
Convolution& Convolution::operator=(Convolution&&) noexcept = default;
Convolution::~Convolution() = default;

Result<Convolution> Convolution::create(const ConvolutionSpec& spec) {
  return guarded("make this convolution", [&]() -> Result<Convolution> {
    auto impl = std::make_unique<Impl>(spec, float_arithmetic(spec.activation, spec.residual));
    const bool merged = spec.residual || spec.activation.kind != Activation::Kind::kNone;
    if (merged && impl->implementation.starts_with("ref")) {
      return Error(ErrorCode::kUnsupported, "oneDNN has only its slow reference for this convolution");
    }
    return Convolution(std::move(impl));
  });
}

Result<Convolution> Convolution::create_integer(const ConvolutionSpec& spec,
                                                const IntegerArithmetic& integers) {
  return guarded("make this integer convolution", [&]() -> Result<Convolution> {
    auto impl = std::make_unique<Impl>(spec, integer_arithmetic(integers, scales_mask(spec)));
    impl->take_numbers(integers);
    return Convolution(std::move(impl));
  });
}

Status Convolution::pack(KernelContext& context, const WeightsSource& weights, PackedWeights& kept) {
  return guarded("pack these weights", [&] { return impl_->pack(context, weights, &kept); });
}

Status Convolution::run(KernelContext& context, const ConvolutionData& data, const WeightsSource& weights,
                        PackedWeights* kept) {
  return guarded("run this convolution", [&]() -> Status {
    impl_->set(DNNL_ARG_SRC, data.source);
    impl_->set(DNNL_ARG_DST, data.target);
    impl_->set_bias(data.bias, impl_->channels);
    return impl_->run(context, weights, kept);
  });
}

struct MatrixProduct::Impl : WeightedPrimitive {
  std::int64_t columns = 0;

  Impl(const MatrixProductSpec& spec, const Arithmetic& arithmetic) : columns(spec.n) {
    const auto matrices = [&](std::int64_t rows, std::int64_t width) {
      return spec.count > 1 ? DnnlDims{spec.count, rows, width} : DnnlDims{rows, width};
    };
    const DnnlDims weights = matrices(spec.k, spec.n);
    DnnlDims strides = dense_strides(weights);
    if (spec.transpose_b) strides.end()[-2] = 1, strides.end()[-1] = spec.k;
    const dnnl::memory::desc from_file(weights, arithmetic.weights, strides);
    const dnnl::memory::desc a = plain(matrices(spec.m, spec.k), arithmetic.source);
    const dnnl::memory::desc b = any_layout(weights, arithmetic.weights);
    const dnnl::memory::desc bias = spec.bias ? plain({1, spec.n}, DnnlType::f32) : dnnl::memory::desc();
    const dnnl::memory::desc c = plain(matrices(spec.m, spec.n), arithmetic.target);
#if DNNL_VERSION_MAJOR >= 3
    take<dnnl::matmul>({engine(), a, b, bias, c, arithmetic.attributes}, from_file);
#else
    take<dnnl::matmul>({{a, b, bias, c}, arithmetic.attributes, engine()}, from_file);
#endif
  }
};

MatrixProduct::MatrixProduct(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MatrixProduct::MatrixProduct(MatrixProduct&&) noexcept = default;
MatrixProduct& MatrixProduct::operator=(MatrixProduct&&) noexcept = default;
MatrixProduct::~MatrixProduct() = default;

Result<MatrixProduct> MatrixProduct::create(const MatrixProductSpec& spec) {
  return guarded("make this matrix product", [&]() -> Result<MatrixProduct> {
    return MatrixProduct(std::make_unique<Impl>(spec, float_arithmetic(spec.activation, spec.residual)));
  });
}

Result<MatrixProduct> MatrixProduct::create_integer(const MatrixProductSpec& spec,
                                                    const IntegerArithmetic& integers) {
  return guarded("make this integer matrix product", [&]() -> Result<MatrixProduct> {
    auto impl = std::make_unique<Impl>(spec, integer_arithmetic(integers, 1 << 1));
    impl->take_numbers(integers);
    return MatrixProduct(std::move(impl));
  });
}

Status MatrixProduct::pack(KernelContext& context, const WeightsSource& b, PackedWeights& kept) {
  return guarded("pack this matrix", [&] { return impl_->pack(context, b, &kept); });
}

Status MatrixProduct::run(KernelContext& context, const void* a, const WeightsSource& b, PackedWeights* kept,
                          const void* bias, void* c) {
  return guarded("run this matrix product", [&]() -> Status {
    impl_->set(DNNL_ARG_SRC, a);
    impl_->set(DNNL_ARG_DST, c);
    impl_->set_bias(bias, impl_->columns);
    return impl_->run(context, b, kept);
  });
}

Status sgemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
             const float* a, std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c,
             std::int64_t ldc) {
  const dnnl_status_t status = dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, alpha, a,
                                          lda, b, ldb, beta, c, ldc);
  if (status == dnnl_success) return {};
  return Error(ErrorCode::kUnsupported,
               fmt::format("oneDNN cannot multiply matrices of {}x{} and {}x{}", m, k, k, n));
}

}  // namespace press::onednn
