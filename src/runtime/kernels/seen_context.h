// A kernel run with other inputs than those of its node.
#pragma once

#include <utility>
#include <vector>

#include "runtime/kernel.h"

namespace press::kernels {

/// What a node's operator means in terms of another kernel: that kernel sees `inputs` in place of the node's
/// (an undefined tensor is an omitted input) and leaves its first output in result().
class SeenContext final : public KernelContext {
 public:
  /// `opset`: the version of ONNX's operators that the kernel follows.
  SeenContext(KernelContext& real, std::vector<Tensor> inputs, std::vector<bool> constant = {},
              std::int64_t opset = 17)
      : real_(real), inputs_(std::move(inputs)), constant_(std::move(constant)), opset_(opset) {}

  Tensor& result() { return result_; }

  const Node& node() const override { return real_.node(); }
  std::int64_t opset() const override { return opset_; }
  std::size_t input_count() const override { return inputs_.size(); }
  const Tensor* input(std::size_t index) const override {
    return index < inputs_.size() && inputs_[index].defined() ? &inputs_[index] : nullptr;
  }
  bool input_is_constant(std::size_t index) const override {
    return index < constant_.size() && constant_[index];
  }
  bool wants_output(std::size_t index) const override { return index == 0; }
  Result<Tensor*> allocate_output(std::size_t /*index*/, DataType type, Dims dims) override {
    PRESS_ASSIGN(result_, real_.allocate_scratch(type, std::move(dims)));
    return &result_;
  }
  void set_output(std::size_t /*index*/, Tensor tensor) override { result_ = std::move(tensor); }
  Result<Tensor*> continue_input(std::size_t /*output*/, std::size_t input) override {
    result_ = std::exchange(inputs_[input], Tensor());
    return &result_;
  }
  Result<Tensor> allocate_scratch(DataType type, Dims dims) override {
    return real_.allocate_scratch(type, std::move(dims));
  }
  int threads() const override { return real_.threads(); }
  Result<std::vector<Tensor>> run_subgraph(const Graph& graph, std::span<const Tensor> inputs) override {
    return real_.run_subgraph(graph, inputs);
  }

 private:
  KernelContext& real_;
  std::vector<Tensor> inputs_;
  std::vector<bool> constant_;
  std::int64_t opset_;
  Tensor result_;
};

/// The real values of the quantized input `data`: (q - zero point) · scale. Scale and zero point (which may
/// be omitted) have one element, or one for each index along `axis`.
Result<Tensor> dequantized(KernelContext& context, std::size_t data, std::size_t scale,
                           std::size_t zero_point, std::size_t axis = SIZE_MAX);

}  // namespace press::kernels
