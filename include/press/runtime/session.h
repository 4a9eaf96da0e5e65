// Executes a graph on the CPU.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "press/ir/graph.h"
#include "press/support/result.h"

namespace press {

/// Packed weights that sessions of one graph keep once between them.
class SharedWeights;
std::shared_ptr<SharedWeights> make_shared_weights();

struct SessionOptions {
  /// Threads within one run(). Callers that have many batches do better with several sessions of one thread
  /// each; the results of a session of one thread do not depend on how many others run beside it.
  int threads = 1;
  /// Executes node by node, as the operators are defined: nothing fused, integers emulated in float32.
  /// Slower; for comparison.
  bool reference = false;
  /// A tap may see the elements of a tensor in another order than the graph's (with channels last; the first
  /// dim stays): faster, for those who only count them.
  bool tap_in_any_order = false;
  /// Measures how long each step takes, for Session::profile().
  bool profile = false;
  /// Given to all sessions of a graph, they need memory for their weights but once. Not to outlive the graph.
  std::shared_ptr<SharedWeights> shared_weights = nullptr;
};

/// What a session executes at once, and how long it took in all runs so far. Times of subgraphs are part of
/// the step that runs them.
struct StepTime {
  const Node* node = nullptr;  // the node that the step began with; borrowed from the graph
  std::string operators;       // what is done in one go: "Conv+Add+Relu"; "Reorder" where a layout changes
  std::int64_t runs = 0;
  std::int64_t nanoseconds = 0;
};

/// Sees an intermediate tensor while a run goes on; the tensor's memory may be reused when the call returns.
using Tap = std::function<void(const Value& value, const Tensor& tensor)>;

/// A graph made ready to run: kernels chosen, weights packed, lifetimes planned. Not for use by two threads
/// at once; several sessions may share one graph, which they only read and which must outlive them.
class Session {
 public:
  /// Errors: kUnsupported names operator, node and opset of what we cannot execute; kInput for attributes
  /// that make no sense.
  static Result<Session> create(const Graph& graph, const SessionOptions& options = {});

  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// Inputs in the order of graph.inputs() (those with a default may be undefined tensors), any batch size;
  /// outputs in the order of graph.outputs(). Errors: kInput where tensors do not fit the graph, naming input
  /// or node.
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs);

  /// The same; `tap` is called for each value of `watched` as it is computed, in execution order (graph
  /// inputs and what depends on constants only come first). Values of subgraphs may be watched; they come as
  /// often as they are computed.
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs, std::span<const Value* const> watched,
                                  const Tap& tap);

  /// Bytes of intermediate tensors and results at the peak of the last run.
  std::int64_t peak_bytes() const;

  /// The steps of runs without a tap, in execution order; empty unless options.profile was set.
  std::vector<StepTime> profile() const;

 private:
  class Plan;
  explicit Session(std::unique_ptr<Plan> plan);
  std::unique_ptr<Plan> plan_;
};

/// True where the runtime has a kernel for the node's operator, or the model a function.
bool can_execute(const Node& node);

/// Executes one node on given inputs (null: omitted). Outputs behind the first that nobody uses are
/// undefined. Errors: as Session; kUnsupported where an output would need more than `max_output_bytes`.
Result<std::vector<Tensor>> evaluate_node(const Node& node, std::span<const Tensor* const> inputs,
                                          std::int64_t max_output_bytes);

}  // namespace press
