// What a kernel is: the code that executes one operator. Private to the runtime.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "press/ir/graph.h"
#include "press/support/result.h"

namespace press {

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
  virtual bool input_is_constant(std::size_t index) const = 0;

  /// False for outputs that nobody asked for.
  virtual bool wants_output(std::size_t index) const = 0;
  /// Memory for an output, uninitialised; valid until the run ends. Errors: dims that make no sense, no
  /// memory.
  virtual Result<Tensor*> allocate_output(std::size_t index, DataType type, Dims dims) = 0;
  /// An output that shares the bytes of an existing tensor (Reshape, Identity).
  virtual void set_output(std::size_t index, Tensor tensor) = 0;

  /// Threads that the kernel may use.
  virtual int threads() const = 0;

  /// Runs a subgraph of the node (If, Loop, Scan) with values for its inputs; returns its outputs.
  virtual Result<std::vector<Tensor>> run_subgraph(const Graph& graph, std::span<const Tensor> inputs) = 0;
};

/// A kernel with state of its own: packed weights, primitives per shape. One object a node, made when the
/// session is.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual Status run(KernelContext& context) = 0;
};

using KernelFunction = Status (*)(KernelContext&);
using KernelFactory = Result<std::unique_ptr<Kernel>> (*)(const Node&);

}  // namespace press
