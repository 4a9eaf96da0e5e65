// Kernels that compute in float32 only, for the other floating-point types.
#include <algorithm>

#include "runtime/half.h"
#include "runtime/kernel.h"

namespace press {

namespace {

bool needs_widening(DataType type, bool double_too) {
  return is_floating_point(type) && type != DataType::kFloat && !(double_too && type == DataType::kDouble);
}

void widen(const Tensor& from, Tensor& to) {
  const std::span<float> target = to.mutable_data<float>();
  if (from.type() == DataType::kFloat16) {
    convert(from.data<Float16>(), target);
  } else if (from.type() == DataType::kBFloat16) {
    std::ranges::transform(from.data<BFloat16>(), target.begin(),
                           [](BFloat16 value) { return to_float(value); });
  } else {
    std::ranges::transform(from.data<double>(), target.begin(),
                           [](double value) { return static_cast<float>(value); });
  }
}

void narrow(const Tensor& from, Tensor& to) {
  const std::span<const float> source = from.data<float>();
  if (to.type() == DataType::kFloat16) {
    convert(source, to.mutable_data<Float16>());
  } else if (to.type() == DataType::kBFloat16) {
    std::ranges::transform(source, to.mutable_data<BFloat16>().begin(), to_bfloat16);
  } else {
    std::ranges::copy(source, to.mutable_data<double>().begin());
  }
}

}  // namespace

/// Stands between the kernel and the real context of a node whose tensors are not float32.
class Float32Kernel::Context final : public KernelContext {
 public:
  Context(KernelContext& real, bool double_too, std::vector<Tensor>& constants)
      : real_(real), double_too_(double_too), constants_(constants) {}

  /// Makes the float32 forms of the inputs. False where there is nothing to convert.
  Result<bool> widen_inputs() {
    const std::size_t count = real_.input_count();
    for (std::size_t i = 0; i < count; ++i) {
      const Tensor* input = real_.input(i);
      if (input == nullptr || !needs_widening(input->type(), double_too_)) continue;
      if (result_type_ == DataType::kUndefined) result_type_ = input->type();
      inputs_.resize(count);
      const bool keep = real_.input_is_constant(i);
      constants_.resize(count);
      if (keep && constants_[i].defined()) {
        inputs_[i] = constants_[i];
        continue;
      }
      PRESS_ASSIGN(Tensor wide, keep ? Tensor::allocate(DataType::kFloat, input->dims())
                                     : real_.allocate_scratch(DataType::kFloat, input->dims()));
      widen(*input, wide);
      if (keep) constants_[i] = wide;
      inputs_[i] = std::move(wide);
    }
    return result_type_ != DataType::kUndefined;
  }

  Status narrow_outputs() {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      if (!outputs_[i].defined()) continue;
      PRESS_ASSIGN(Tensor * target, real_.allocate_output(i, result_type_, outputs_[i].dims()));
      narrow(outputs_[i], *target);
    }
    return {};
  }

  const Node& node() const override { return real_.node(); }
  std::int64_t opset() const override { return real_.opset(); }
  std::size_t input_count() const override { return real_.input_count(); }
  const Tensor* input(std::size_t index) const override {
    return index < inputs_.size() && inputs_[index].defined() ? &inputs_[index] : real_.input(index);
  }
  bool input_is_constant(std::size_t index) const override { return real_.input_is_constant(index); }
  bool wants_output(std::size_t index) const override { return real_.wants_output(index); }
  Result<Tensor*> allocate_output(std::size_t index, DataType type, Dims dims) override {
    if (type != DataType::kFloat) return real_.allocate_output(index, type, std::move(dims));
    outputs_.resize(std::max(index + 1, real_.node().output_count()));
    PRESS_ASSIGN(outputs_[index], real_.allocate_scratch(type, std::move(dims)));
    return &outputs_[index];
  }
  void set_output(std::size_t index, Tensor tensor) override {
    if (tensor.type() != DataType::kFloat) return real_.set_output(index, std::move(tensor));
    outputs_.resize(std::max(index + 1, real_.node().output_count()));
    outputs_[index] = std::move(tensor);
  }
  Result<Tensor*> continue_input(std::size_t output, std::size_t input) override {
    if (input >= inputs_.size() || !inputs_[input].defined()) return real_.continue_input(output, input);
    outputs_.resize(std::max(output + 1, real_.node().output_count()));
    const bool shared = real_.input_is_constant(input);  // with the float32 forms that are kept
    PRESS_ASSIGN(outputs_[output],
                 shared ? copy_of(inputs_[input]) : Result<Tensor>(std::move(inputs_[input])));
    return &outputs_[output];
  }
  Result<Tensor> allocate_scratch(DataType type, Dims dims) override {
    return real_.allocate_scratch(type, std::move(dims));
  }
  int threads() const override { return real_.threads(); }
  Result<std::vector<Tensor>> run_subgraph(const Graph& graph, std::span<const Tensor> inputs) override {
    return real_.run_subgraph(graph, inputs);
  }

 private:
  Result<Tensor> copy_of(const Tensor& tensor) {
    PRESS_ASSIGN(Tensor copy, real_.allocate_scratch(tensor.type(), tensor.dims()));
    std::ranges::copy(tensor.bytes(), copy.mutable_bytes().begin());
    return copy;
  }

  KernelContext& real_;
  bool double_too_;
  std::vector<Tensor>& constants_;
  std::vector<Tensor> inputs_;  // defined where converted
  std::vector<Tensor> outputs_;
  DataType result_type_ = DataType::kUndefined;
};

Status Float32Kernel::run(KernelContext& context) {
  Context wrapped(context, double_too_, constants_);
  PRESS_ASSIGN(const bool converted, wrapped.widen_inputs());
  if (!converted) return run_float32(context);
  PRESS_TRY(run_float32(wrapped));
  return wrapped.narrow_outputs();
}

}  // namespace press
