// Matrix products of com.microsoft, by way of MatMul on real numbers: FusedMatMul, MatMulNBits,
// DynamicQuantizeMatMul, MatMulIntegerToFloat.
#include <algorithm>
#include <cmath>

#include "ops/shapes.h"
#include "runtime/kernels/arguments.h"
#include "runtime/kernels/contributed.h"
#include "runtime/kernels/seen_context.h"
#include "runtime/kernels/support.h"

namespace press::kernels {

namespace {

/// The tensor with its last two axes exchanged.
Result<Tensor> transposed(KernelContext& context, const Tensor& tensor) {
  if (tensor.rank() < 2) return tensor;
  const std::size_t rank = tensor.rank();
  Dims dims = tensor.dims(), from = strides_of(tensor.dims());
  std::swap(dims[rank - 1], dims[rank - 2]);
  std::swap(from[rank - 1], from[rank - 2]);
  PRESS_ASSIGN(Tensor result, context.allocate_scratch(tensor.type(), dims));
  PRESS_ASSIGN(const std::size_t width, element_width(context, tensor.type()));
  copy_strided({.extents = dims, .from = from, .to = strides_of(dims)}, tensor.aligned_bytes(),
               result.mutable_bytes().data(), width, context.threads());
  return result;
}

/// A matrix product whose operands and result are prepared and finished in float32.
class ProductKernel : public Float32Kernel {
 public:
  explicit ProductKernel(std::unique_ptr<Kernel> product) : product_(std::move(product)) {}

 protected:
  /// factor · A B + bias (one a column, or null) to output 0.
  Status multiply(KernelContext& context, Tensor a, Tensor b, bool b_is_constant, float factor,
                  const Tensor* bias) {
    SeenContext seen(context, {std::move(a), std::move(b)}, {false, b_is_constant});
    PRESS_TRY(product_->run(seen));
    Tensor& result = seen.result();
    const std::int64_t columns = result.rank() > 0 ? result.dims().back() : 1;
    if (bias != nullptr && bias->size() != columns)
      return reject("the bias is {}, the product has {} columns", to_string(bias->dims()), columns);
    if (factor != 1.0F || bias != nullptr) {
      const std::span<float> values = result.mutable_data<float>();
      for (std::size_t i = 0; i < values.size(); ++i) {
        const float summand =
            bias != nullptr ? bias->data<float>()[i % static_cast<std::size_t>(columns)] : 0.0F;
        values[i] = values[i] * factor + summand;
      }
    }
    context.set_output(0, std::move(result));
    return {};
  }

 private:
  std::unique_ptr<Kernel> product_;
};

/// alpha · op(A) op(B)
class FusedMatMul final : public ProductKernel {
 public:
  using ProductKernel::ProductKernel;

 protected:
  Status run_float32(KernelContext& context) override {
    const Node& node = context.node();
    if (node.int_attribute("transBatchA", 0) != 0 || node.int_attribute("transBatchB", 0) != 0)
      return Error(ErrorCode::kUnsupported, "a product of transposed batches cannot be executed");
    std::array<Tensor, 2> operands;
    for (std::size_t i = 0; i < 2; ++i) {
      PRESS_ASSIGN(const Tensor* operand, required(context, i, DataType::kFloat));
      operands[i] = *operand;
      if (node.int_attribute(i == 0 ? "transA" : "transB", 0) == 0) continue;
      PRESS_ASSIGN(operands[i], transposed(context, *operand));
    }
    return multiply(context, std::move(operands[0]), std::move(operands[1]), false,
                    node.float_attribute("alpha", 1.0F), nullptr);
  }
};

/// A times a matrix of N columns whose K weights are packed in blocks of 2, 4 or 8 bits with a scale each: B
/// is [N, blocks, bytes], the scales [N · blocks], the zero points packed like the weights (default: the
/// middle).
class MatMulNBits final : public ProductKernel {
 public:
  using ProductKernel::ProductKernel;

 protected:
  Status run_float32(KernelContext& context) override {
    PRESS_ASSIGN(const Tensor* a, required(context, 0, DataType::kFloat));
    bool constant = true;
    for (std::size_t i = 1; i < std::min<std::size_t>(context.input_count(), 5); ++i)
      constant = constant && (context.input(i) == nullptr || context.input_is_constant(i));
    Tensor weights = weights_;
    if (!weights.defined()) {
      PRESS_ASSIGN(weights, unpack_weights(context));
      if (constant) weights_ = weights;
    }
    PRESS_ASSIGN(const Tensor* bias, optional(context, 5, DataType::kFloat));
    return multiply(context, *a, std::move(weights), constant, 1.0F, bias);
  }

 private:
  static Result<Tensor> unpack_weights(KernelContext& context) {
    const Node& node = context.node();
    PRESS_ASSIGN(const Tensor* packed, required(context, 1, DataType::kUint8));
    PRESS_ASSIGN(const Tensor* scales, required(context, 2, DataType::kFloat));
    const std::int64_t k = node.int_attribute("K", 0), n = node.int_attribute("N", 0);
    const std::int64_t bits = node.int_attribute("bits", 4), block = node.int_attribute("block_size", 0);
    constexpr std::int64_t kLargest = std::int64_t{1} << 31;
    if (k < 1 || n < 1 || k > kLargest || n > kLargest || (bits != 2 && bits != 4 && bits != 8) ||
        block < 8 || block > kLargest) {
      return reject("K {}, N {}, bits {} and block_size {} do not fit together", k, n, bits, block);
    }
    const std::int64_t blocks = (k + block - 1) / block, each = 8 / bits, bytes = block / each;
    const std::int64_t zero_bytes = (blocks + each - 1) / each;  // of a column
    PRESS_ASSIGN(const Tensor* zeros, optional(context, 3, DataType::kUint8));
    if (packed->size() != n * blocks * bytes || scales->size() != n * blocks ||
        (zeros != nullptr && zeros->size() != n * zero_bytes)) {
      return reject("the weights {}, scales {} or zero points do not fit {} columns of {} blocks",
                    to_string(packed->dims()), to_string(scales->dims()), n, blocks);
    }
    std::vector<std::int64_t> groups;  // of each row, where they are not in order
    if (const Tensor* given = context.input(4); given != nullptr) {
      PRESS_ASSIGN(groups, integers(*given));
      bool fits = static_cast<std::int64_t>(groups.size()) >= k;
      for (const std::int64_t group : groups) fits = fits && group >= 0 && group < blocks;
      if (!fits) return reject("the group indices do not fit {} rows of {} blocks", k, blocks);
    }
    PRESS_ASSIGN(Tensor weights, Tensor::allocate(DataType::kFloat, {k, n}));
    float* out = weights.mutable_data<float>().data();
    const std::uint8_t* codes = packed->data<std::uint8_t>().data();
    const auto code_at = [&](const std::uint8_t* from, std::int64_t index) {
      return (from[index / each] >> (index % each * bits)) & ((1 << bits) - 1);
    };
    for (std::int64_t column = 0; column < n; ++column) {
      for (std::int64_t row = 0; row < k; ++row) {
        const std::int64_t group = groups.empty() ? row / block : groups[static_cast<std::size_t>(row)];
        const std::uint8_t* from = codes + (column * blocks + row / block) * bytes;
        const int zero = zeros != nullptr
                             ? code_at(zeros->data<std::uint8_t>().data() + column * zero_bytes, group)
                             : 1 << (bits - 1);
        const float scale = scales->data<float>()[static_cast<std::size_t>(column * blocks + group)];
        out[row * n + column] = static_cast<float>(code_at(from, row % block) - zero) * scale;
      }
    }
    return weights;
  }

  Tensor weights_;  // as [K, N], where they are the same in every run
};

/// A rounded to uint8 over the range it has at hand, times B of 8-bit integers.
class DynamicQuantizeMatMul final : public ProductKernel {
 public:
  using ProductKernel::ProductKernel;

 protected:
  Status run_float32(KernelContext& context) override {
    PRESS_ASSIGN(const Tensor* a, required(context, 0, DataType::kFloat));
    PRESS_ASSIGN(const Tensor* packed, required(context, 1));
    PRESS_ASSIGN(Tensor b, dequantized(context, 1, 2, 3, packed->rank() - 1));
    PRESS_ASSIGN(const Tensor* bias, optional(context, 4, DataType::kFloat));
    PRESS_ASSIGN(Tensor rounded, context.allocate_scratch(DataType::kFloat, a->dims()));
    float low = 0, high = 0;
    for (const float value : a->data<float>()) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
    const float scale = high == low ? 1.0F : (high - low) / 255.0F;
    const float zero = std::nearbyint(std::clamp(-low / scale, 0.0F, 255.0F));
    std::ranges::transform(a->data<float>(), rounded.mutable_data<float>().begin(), [&](float value) {
      return (std::clamp(std::nearbyint(value / scale) + zero, 0.0F, 255.0F) - zero) * scale;
    });
    return multiply(context, std::move(rounded), std::move(b), false, 1.0F, bias);
  }
};

/// A and B of 8-bit integers, as real numbers.
class MatMulIntegerToFloat final : public ProductKernel {
 public:
  using ProductKernel::ProductKernel;

 protected:
  Status run_float32(KernelContext& context) override {
    PRESS_ASSIGN(const Tensor* left, required(context, 0));
    PRESS_ASSIGN(const Tensor* right, required(context, 1));
    PRESS_ASSIGN(Tensor a, dequantized(context, 0, 2, 4, left->rank() >= 2 ? left->rank() - 2 : SIZE_MAX));
    PRESS_ASSIGN(Tensor b, dequantized(context, 1, 3, 5, right->rank() - 1));
    PRESS_ASSIGN(const Tensor* bias, optional(context, 6, DataType::kFloat));
    return multiply(context, std::move(a), std::move(b), false, 1.0F, bias);
  }
};

template <typename Product>
Result<std::unique_ptr<Kernel>> make_product(const Node& node) {
  PRESS_ASSIGN(std::unique_ptr<Kernel> product, mat_mul(node));
  return std::unique_ptr<Kernel>(std::make_unique<Product>(std::move(product)));
}

}  // namespace

Result<std::unique_ptr<Kernel>> fused_mat_mul(const Node& node) {
  return make_product<FusedMatMul>(node);
}

Result<std::unique_ptr<Kernel>> mat_mul_n_bits(const Node& node) {
  return make_product<MatMulNBits>(node);
}

Result<std::unique_ptr<Kernel>> dynamic_quantize_mat_mul(const Node& node) {
  return make_product<DynamicQuantizeMatMul>(node);
}

Result<std::unique_ptr<Kernel>> mat_mul_integer_to_float(const Node& node) {
  return make_product<MatMulIntegerToFloat>(node);
}

}  // namespace press::kernels
