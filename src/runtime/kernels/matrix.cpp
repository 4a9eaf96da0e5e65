// Gemm and MatMul. A constant right-hand matrix is packed once and multiplied by oneDNN's matrix product;
// everything else goes through its sgemm.
#include <algorithm>

#include "ops/shapes.h"
#include "runtime/kernels/arguments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/tail.h"
#include "runtime/onednn.h"
#include "runtime/parallel.h"
#include "runtime/shape_cache.h"

namespace press::kernels {

namespace {

using Products = ShapeCache<onednn::MatrixProductSpec, onednn::MatrixProduct>;

Absorption absorb_activation(const Follower& follower, Tail& tail) {
  if (tail.any()) return Absorption::kNo;
  tail.activation = activation_of(follower);
  return tail.any() ? Absorption::kYes : Absorption::kNo;
}

/// Writes C, broadcast to m x n and scaled by beta, into the output.
Status write_addend(const Tensor& addend, float beta, std::int64_t m, std::int64_t n, float* out) {
  const Dims& dims = addend.dims();
  const std::int64_t columns = dims.empty() ? 1 : dims.back();
  const std::int64_t rows = dims.size() == 2 ? dims[0] : 1;
  if (dims.size() > 2 || (columns != 1 && columns != n) || (rows != 1 && rows != m)) {
    return Error(ErrorCode::kInput,
                 fmt::format("input C is {}, which does not broadcast to {}x{}", to_string(dims), m, n));
  }
  const float* c = addend.data<float>().data();
  for (std::int64_t i = 0; i < m; ++i) {
    const float* row = c + (rows == 1 ? 0 : i * columns);
    for (std::int64_t j = 0; j < n; ++j) out[i * n + j] = beta * row[columns == 1 ? 0 : j];
  }
  return {};
}

class GemmKernel final : public Float32Kernel {
 public:
  Absorption absorb(const Follower& follower) override { return absorb_activation(follower, tail_); }
  onednn::PackedWeights* packed_weights() override { return &packed_; }

 protected:
  Status run_float32(KernelContext& context) override {
    const Node& node = context.node();
    const bool transpose_a = node.int_attribute("transA", 0) != 0;
    const bool transpose_b = node.int_attribute("transB", 0) != 0;
    const float alpha = node.float_attribute("alpha", 1.0F);
    const float beta = node.float_attribute("beta", 1.0F);
    PRESS_ASSIGN(const Tensor* a, required(context, 0, DataType::kFloat));
    PRESS_ASSIGN(const Tensor* b, required(context, 1, DataType::kFloat));
    PRESS_ASSIGN(const Tensor* c, optional(context, 2, DataType::kFloat));
    if (a->rank() != 2 || b->rank() != 2 ||
        a->dims()[transpose_a ? 0 : 1] != b->dims()[transpose_b ? 1 : 0]) {
      return Error(ErrorCode::kInput, fmt::format("matrices {}{} and {}{} cannot be multiplied",
                                                  to_string(a->dims()), transpose_a ? " (transposed)" : "",
                                                  to_string(b->dims()), transpose_b ? " (transposed)" : ""));
    }
    const std::int64_t m = a->dims()[transpose_a ? 1 : 0];
    const std::int64_t k = a->dims()[transpose_a ? 0 : 1];
    const std::int64_t n = b->dims()[transpose_b ? 0 : 1];
    PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, {m, n}));
    if (target->size() == 0) return {};
    float* out = target->mutable_data<float>().data();
    const bool bias = c != nullptr && beta == 1.0F && c->size() == n && (c->rank() == 1 || c->dims()[0] == 1);
    if (context.input_is_constant(1) && !transpose_a && alpha == 1.0F && k > 0 && (c == nullptr || bias)) {
      const onednn::MatrixProductSpec spec{m, n, k, transpose_b, bias, false, tail_.activation};
      PRESS_ASSIGN(onednn::MatrixProduct * product, products_.find(spec, onednn::MatrixProduct::create));
      return product->run(
          context, a->data<float>().data(), [b] { return Result<Tensor>(*b); }, &packed_,
          bias ? c->data<float>().data() : nullptr, out);
    }
    if (c != nullptr) {
      PRESS_TRY(write_addend(*c, beta, m, n, out));
    } else {
      std::fill_n(out, m * n, 0.0F);
    }
    if (k > 0) {
      PRESS_TRY(onednn::sgemm(transpose_a, transpose_b, m, n, k, alpha, a->data<float>().data(),
                              transpose_a ? m : k, b->data<float>().data(), transpose_b ? k : n, 1.0F, out,
                              n));
    }
    return tail_.apply(*target, nullptr);
  }

 private:
  Tail tail_;
  Products products_;
  onednn::PackedWeights packed_;
};

/// The shapes of one MatMul, with vectors seen as matrices.
struct MatMulShape {
  Dims target;   // what the operator returns
  Dims batch;    // the broadcast leading dims
  Dims batch_a;  // leading dims of A and B
  Dims batch_b;
  std::int64_t m = 1;
  std::int64_t k = 0;
  std::int64_t n = 1;
};

Result<MatMulShape> matmul_shape(const Dims& a, const Dims& b) {
  MatMulShape shape;
  const auto mismatch = [&] {
    return Error(ErrorCode::kInput,
                 fmt::format("matrices {} and {} cannot be multiplied", to_string(a), to_string(b)));
  };
  if (a.empty() || b.empty()) return mismatch();
  shape.k = a.back();
  if (a.size() > 1) {
    shape.m = a[a.size() - 2];
    shape.batch_a.assign(a.begin(), a.end() - 2);
  }
  if (b.size() > 1) {
    shape.n = b.back();
    shape.batch_b.assign(b.begin(), b.end() - 2);
  }
  if (shape.k != (b.size() > 1 ? b[b.size() - 2] : b[0])) return mismatch();
  PRESS_ASSIGN(shape.batch, broadcast_dims(shape.batch_a, shape.batch_b));
  shape.target = shape.batch;
  if (a.size() > 1) shape.target.push_back(shape.m);
  if (b.size() > 1) shape.target.push_back(shape.n);
  return shape;
}

template <typename T>
void multiply(const T* a, const T* b, T* c, std::int64_t m, std::int64_t n, std::int64_t k) {
  std::fill_n(c, m * n, T{0});
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t l = 0; l < k; ++l) {
      for (std::int64_t j = 0; j < n; ++j) c[i * n + j] += a[i * k + l] * b[l * n + j];
    }
  }
}

/// Integers wrap around, as the operator's reference does: T is unsigned.
template <typename T>
Status multiply_all(KernelContext& context, const MatMulShape& shape) {
  const Tensor& a = *context.input(0);
  const Tensor& b = *context.input(1);
  PRESS_ASSIGN(Tensor * target, context.allocate_output(0, a.type(), shape.target));
  const auto* a_data = reinterpret_cast<const T*>(a.aligned_bytes());
  const auto* b_data = reinterpret_cast<const T*>(b.aligned_bytes());
  auto* out = reinterpret_cast<T*>(target->mutable_bytes().data());
  if (target->size() == 0) return {};
  for (std::int64_t i = 0; i < product(shape.batch); ++i) {
    multiply<T>(a_data + batch_index(shape.batch, shape.batch_a, i) * shape.m * shape.k,
                b_data + batch_index(shape.batch, shape.batch_b, i) * shape.k * shape.n,
                out + i * shape.m * shape.n, shape.m, shape.n, shape.k);
  }
  return {};
}

Result<MatMulShape> matmul_shape(const KernelContext& context) {
  PRESS_ASSIGN(const Tensor* a, required(context, 0));
  PRESS_ASSIGN(const Tensor* b, required(context, 1, a->type()));
  return matmul_shape(a->dims(), b->dims());
}

class FloatMatMulKernel final : public Float32Kernel {
 public:
  onednn::PackedWeights* packed_weights() override { return &packed_; }

  /// Of a constant matrix B: an activation, the addition of a constant vector, of a tensor like the result.
  Absorption absorb(const Follower& follower) override {
    if (tail_.activation.kind != onednn::Activation::Kind::kNone) return Absorption::kNo;
    if (!follower.node.is("Add")) return absorb_activation(follower, tail_);
    const Tensor* b = follower.own[1];
    if (b->rank() != 2 || b->size() == 0 || b->type() != DataType::kFloat || tail_.residual) {
      return Absorption::kNo;
    }
    if (follower.same_shape) {
      tail_.residual = true;
      return Absorption::kWithInput;
    }
    const Tensor* vector = follower.constants[1 - follower.position];
    if (vector == nullptr || vector->type() != DataType::kFloat || vector->rank() != 1 ||
        vector->size() != b->dims()[1] || bias_.defined()) {
      return Absorption::kNo;
    }
    bias_ = *vector;
    return Absorption::kYes;
  }

 protected:
  Status run_float32(KernelContext& context) override {
    PRESS_ASSIGN(const MatMulShape shape, matmul_shape(context));
    PRESS_ASSIGN(const Tensor* a, required(context, 0, DataType::kFloat));
    PRESS_ASSIGN(const Tensor* b, required(context, 1, DataType::kFloat));
    if (bias_.defined() || tail_.residual) return multiply_and_add(context, shape, *a, *b);
    PRESS_ASSIGN(Tensor * target, context.allocate_output(0, DataType::kFloat, shape.target));
    if (target->size() == 0) return {};
    const float* a_data = a->data<float>().data();
    float* out = target->mutable_data<float>().data();
    if (shape.k == 0) {
      std::fill_n(out, target->size(), 0.0F);
      return tail_.apply(*target, nullptr);
    }
    if (b->rank() <= 2) {  // one right-hand matrix: all rows of A at once
      const std::int64_t rows = product(shape.batch) * shape.m;
      if (context.input_is_constant(1)) {
        const onednn::MatrixProductSpec spec{rows, shape.n, shape.k, false, false, false, tail_.activation};
        PRESS_ASSIGN(onednn::MatrixProduct * product, products_.find(spec, onednn::MatrixProduct::create));
        return product->run(
            context, a_data, [b] { return Result<Tensor>(*b); }, &packed_, nullptr, out);
      }
      const float* b_data = b->data<float>().data();
      PRESS_TRY(onednn::sgemm(false, false, rows, shape.n, shape.k, 1.0F, a_data, shape.k, b_data, shape.n,
                              0.0F, out, shape.n));
    } else {
      PRESS_TRY(multiply_batches(context, shape, a_data, b->data<float>().data(), out));
    }
    return tail_.apply(*target, nullptr);
  }

 private:
  /// With a constant matrix B, and what was absorbed.
  Status multiply_and_add(KernelContext& context, const MatMulShape& shape, const Tensor& a,
                          const Tensor& b) {
    const std::int64_t rows = product(shape.batch) * shape.m;
    Tensor* target = nullptr;
    bool in_place = false;
    if (tail_.residual) {
      PRESS_ASSIGN(const Tensor* residual, required(context, context.input_count() - 1, DataType::kFloat));
      in_place = residual->dims() == shape.target;
    }
    const float* a_data = a.data<float>().data();
    if (in_place) {
      PRESS_ASSIGN(target, context.continue_input(0, context.input_count() - 1));
    } else {
      PRESS_ASSIGN(target, context.allocate_output(0, DataType::kFloat, shape.target));
    }
    if (target->size() == 0) return {};
    float* out = target->mutable_data<float>().data();
    const onednn::MatrixProductSpec spec{
        rows,
        shape.n,
        shape.k,
        false,
        bias_.defined(),
        in_place,
        in_place || !tail_.residual ? tail_.activation : onednn::Activation{}};
    PRESS_ASSIGN(onednn::MatrixProduct * product, products_.find(spec, onednn::MatrixProduct::create));
    PRESS_TRY(product->run(
        context, a_data, [&b] { return Result<Tensor>(b); }, &packed_,
        bias_.defined() ? bias_.data<float>().data() : nullptr, out));
    if (in_place || !tail_.residual) return {};
    return tail_.apply(*target, context.input(context.input_count() - 1));
  }

  static Status multiply_batches(const KernelContext& context, const MatMulShape& shape, const float* a,
                                 const float* b, float* out) {
    const std::int64_t count = product(shape.batch);
    std::vector<std::optional<Error>> errors(static_cast<std::size_t>(count));
    parallel_for(context.threads(), count, 1, [&](std::int64_t begin, std::int64_t end) {
      const ThreadScope scope(context.threads() > 1 && count > 1 ? 1 : context.threads());
      for (std::int64_t i = begin; i < end; ++i) {
        const Status done =
            onednn::sgemm(false, false, shape.m, shape.n, shape.k, 1.0F,
                          a + batch_index(shape.batch, shape.batch_a, i) * shape.m * shape.k, shape.k,
                          b + batch_index(shape.batch, shape.batch_b, i) * shape.k * shape.n, shape.n, 0.0F,
                          out + i * shape.m * shape.n, shape.n);
        if (!done.ok()) errors[static_cast<std::size_t>(i)] = done.error();
      }
    });
    for (const std::optional<Error>& error : errors) {
      if (error) return *error;
    }
    return {};
  }

  Tail tail_;
  Tensor bias_;  // absorbed; undefined where there is none
  Products products_;
  onednn::PackedWeights packed_;
};

class MatMulKernel final : public Kernel {
 public:
  Absorption absorb(const Follower& follower) override {
    const bool floats =
        follower.own.size() > 1 && follower.own[1] != nullptr && is_floating_point(follower.own[1]->type());
    return floats ? floats_.absorb(follower) : Absorption::kNo;
  }

  onednn::PackedWeights* packed_weights() override { return floats_.packed_weights(); }

  Status run(KernelContext& context) override {
    PRESS_ASSIGN(const Tensor* a, required(context, 0));
    if (is_floating_point(a->type())) return floats_.run(context);
    PRESS_ASSIGN(const MatMulShape shape, matmul_shape(context));
    switch (a->type()) {
      case DataType::kInt32:
      case DataType::kUint32:
        return multiply_all<std::uint32_t>(context, shape);
      case DataType::kInt64:
      case DataType::kUint64:
        return multiply_all<std::uint64_t>(context, shape);
      default:
        return Error(ErrorCode::kUnsupported,
                     fmt::format("matrices of {} cannot be multiplied", name(a->type())));
    }
  }

 private:
  FloatMatMulKernel floats_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> gemm(const Node& /*node*/) {
  return std::unique_ptr<Kernel>(std::make_unique<GemmKernel>());
}

Result<std::unique_ptr<Kernel>> mat_mul(const Node& /*node*/) {
  return std::unique_ptr<Kernel>(std::make_unique<MatMulKernel>());
}

}  // namespace press::kernels
