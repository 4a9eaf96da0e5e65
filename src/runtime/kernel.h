// What a kernel is: the code that executes one operator. Private to the runtime.
//
// A kernel is a function, or a factory of an object where state is kept between runs (packed weights,
// primitives per shape). ops.def names it; src/runtime/kernels/kernels.h declares it. Kernels compute the
// output dims from the actual inputs, check everything that the graph may get wrong, and ask for output
// memory before they compute.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "press/ir/graph.h"
#include "press/support/result.h"

namespace press {

namespace onednn {
class PackedWeights;
}

/// One execution of one node.
class KernelContext {
 public:
  virtual ~KernelContext() = default;

  virtual const Node& node() const = 0;
  /// The version of the operator set that the node's domain is imported with.
  virtual std::int64_t opset() const = 0;

  virtual std::size_t input_count() const = 0;
  /// Null for an omitted input.
  virtual const Tensor* input(std::size_t index) const = 0;
  /// True where the input is the same tensor in every run: what is derived from it may be kept.
  virtual bool input_is_constant(std::size_t index) const = 0;

  /// False for outputs that nobody asked for.
  virtual bool wants_output(std::size_t index) const = 0;
  /// Memory for an output, uninitialised; valid until the run ends. Errors: dims that make no sense, no
  /// memory.
  virtual Result<Tensor*> allocate_output(std::size_t index, DataType type, Dims dims) = 0;
  /// An output that shares the bytes of an existing tensor (Reshape, Identity).
  virtual void set_output(std::size_t index, Tensor tensor) = 0;
  /// An output that begins as the input: in its own memory where nobody reads that any more, else as a copy.
  /// To be written over; the input is no longer there. Errors: no memory.
  virtual Result<Tensor*> continue_input(std::size_t output, std::size_t input) = 0;
  /// Uninitialised memory that the kernel needs while it runs, from the same pool as the outputs.
  virtual Result<Tensor> allocate_scratch(DataType type, Dims dims) = 0;

  /// Threads that the kernel may use.
  virtual int threads() const = 0;

  /// Runs a subgraph of the node (If, Loop, Scan) with values for its inputs; returns its outputs.
  virtual Result<std::vector<Tensor>> run_subgraph(const Graph& graph, std::span<const Tensor> inputs) = 0;
};

class Kernel;

/// A node that is the only reader of a kernel's output, offered to that kernel to do its work on the way.
struct Follower {
  const Node& node;
  std::int64_t opset = 0;
  std::size_t position = 0;              // the follower's input where the kernel's output arrives
  std::vector<const Tensor*> constants;  // its inputs that are the same in every run; null for others
  bool same_shape = false;               // it has one other varying input, known to have the output's shape
  std::vector<const Tensor*> own;        // the kernel's own inputs that are the same in every run
  const Kernel* kernel = nullptr;        // the follower's
};

enum class Absorption {
  kNo,
  kYes,
  kWithInput,  // yes; the follower's other varying input comes as one more input, behind those of the node
};

/// What a kernel says of activations whose channels come last (N, spatial, C).
enum class ChannelsLast {
  kNo,
  kAccepts,   // works on them where they come that way
  kPrefers,   // so much faster on them that its input is turned
  kAnyOrder,  // elementwise: works in any order of axes that all its inputs share
};

/// A kernel with state of its own: packed weights, primitives per shape. One object a node, made when the
/// session is.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual Status run(KernelContext& context) = 0;

  /// Takes over the work of `follower`, whose output becomes the kernel's own.
  virtual Absorption absorb(const Follower& /*follower*/) { return Absorption::kNo; }

  /// What it keeps packed, to be shared with other sessions; null for nothing.
  virtual onednn::PackedWeights* packed_weights() { return nullptr; }

  virtual ChannelsLast channels_last() const { return ChannelsLast::kNo; }
  /// From now on its first input (of elementwise kernels: every input), absorbed inputs and its output have
  /// their channels last, in dims and in memory.
  virtual void use_channels_last() {}
};

using KernelFunction = Status (*)(KernelContext&);
using KernelFactory = Result<std::unique_ptr<Kernel>> (*)(const Node&);

/// A kernel that computes in float32 only. Inputs of type float16, bfloat16 or double reach it as float32
/// (constants are converted once); its float32 outputs are rounded to the type of the first such input.
class Float32Kernel : public Kernel {
 public:
  /// `double_too`: it computes in double as well, so that such inputs stay as they are.
  explicit Float32Kernel(bool double_too = false) : double_too_(double_too) {}
  Status run(KernelContext& context) final;

 protected:
  virtual Status run_float32(KernelContext& context) = 0;

 private:
  class Context;
  bool double_too_;
  std::vector<Tensor> constants_;  // float32 forms of constant inputs, by input position
};

/// Wraps a function as a kernel.
template <typename Base>
class FunctionKernel;

template <>
class FunctionKernel<Kernel> final : public Kernel {
 public:
  explicit FunctionKernel(KernelFunction function) : function_(function) {}
  Status run(KernelContext& context) override { return function_(context); }

 private:
  KernelFunction function_;
};

template <>
class FunctionKernel<Float32Kernel> final : public Float32Kernel {
 public:
  explicit FunctionKernel(KernelFunction function, bool double_too = false)
      : Float32Kernel(double_too), function_(function) {}

 protected:
  Status run_float32(KernelContext& context) override { return function_(context); }

 private:
  KernelFunction function_;
};

namespace kernels {
/// For ops.def: a function that computes in float32 only, as a factory; see Float32Kernel.
template <KernelFunction function>
Result<std::unique_ptr<Kernel>> in_float32(const Node& /*node*/) {
  return std::unique_ptr<Kernel>(std::make_unique<FunctionKernel<Float32Kernel>>(function));
}

/// The same for a function that computes in float32 and in double (and perhaps in integers).
template <KernelFunction function>
Result<std::unique_ptr<Kernel>> in_float(const Node& /*node*/) {
  return std::unique_ptr<Kernel>(std::make_unique<FunctionKernel<Float32Kernel>>(function, true));
}
}  // namespace kernels

}  // namespace press
