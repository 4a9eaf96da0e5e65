// What a session executes: the steps of one graph (or subgraph) with their kernels, where each value lives,
// and after which step it is let go.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "press/ir/graph.h"
#include "press/ops/operator.h"
#include "press/runtime/session.h"
#include "press/support/result.h"
#include "runtime/buffer_pool.h"
#include "runtime/kernel.h"

namespace press {

/// Called with each node output as it is computed.
using ValueTap = std::function<void(const Value&, const Tensor&)>;

/// What all plans of one session share during a run.
struct ExecutionState {
  std::shared_ptr<BufferPool> pool;
  int threads = 1;
  bool profile = false;
  std::int64_t max_output_bytes = INT64_MAX;  // of one tensor
  const std::unordered_set<const Value*>* watched = nullptr;
  const ValueTap* tap = nullptr;
};

class GraphPlan {
 public:
  /// What the plan of a subgraph needs to know of the plan around it.
  struct Options {
    /// Constants of outer graphs as far as known there; null at the top.
    std::function<const Tensor*(const Value*)> outer_constant = {};
    int depth = 0;
    /// Facts of the values, where steps may be merged and activations turned; null: node by node.
    const ShapeTable* facts = nullptr;
    /// Values that must be computed as they are in the graph, because somebody watches them.
    const std::unordered_set<const Value*>* kept = nullptr;
    /// Those who watch do not mind activations with channels last.
    bool kept_in_any_order = false;
    /// Where packed weights are shared with other sessions of the graph; null: nowhere.
    SharedWeights* shared_weights = nullptr;
  };

  /// Picks kernels, computes what depends on constants only, numbers values and plans lifetimes.
  /// Errors: kUnsupported for operators without a kernel; kInput for values that are used before they are
  /// made.
  static Result<std::unique_ptr<GraphPlan>> create(const Graph& graph, const Options& options);

  /// A plan of one node whose inputs, in order, are the plan's inputs and whose outputs are the plan's
  /// outputs.
  static Result<std::unique_ptr<GraphPlan>> create(const Node& node);

  /// Runs all steps. `inputs` are as many as the plan has; `captured` are the values of captures(), in order.
  Result<std::vector<Tensor>> run(ExecutionState& state, std::span<const Tensor> inputs,
                                  std::span<const Tensor> captured);

  /// Values of outer graphs that the steps use and that are not constant there.
  const std::vector<const Value*>& captures() const { return captures_; }

  /// The steps with the time that they took while ExecutionState::profile was set.
  std::vector<StepTime> times() const;

  /// The tensor of a value that is the same in every run, or null.
  const Tensor* constant(const Value* value) const;

 private:
  friend class StepContext;
  friend class PlanOptimizer;
  friend class IntegerSteps;

  /// Where a value lives: among the constants of the plan or among the values of a run.
  struct Place {
    int index = -1;  // negative: omitted, or wanted by nobody
    bool constant = false;
    bool exists() const { return index >= 0; }
    friend bool operator==(Place, Place) = default;
  };

  /// A subgraph of a step's node, and where the values come from that it captures.
  struct Nested {
    const Graph* graph = nullptr;
    std::unique_ptr<GraphPlan> plan;
    std::vector<Place> captured;
  };

  struct Step {
    const Node* node = nullptr;
    std::unique_ptr<Kernel> kernel;
    std::int64_t opset = 0;
    std::vector<Place> inputs;
    std::vector<Place> outputs;
    std::vector<Nested> nested;
    std::vector<std::pair<const Value*, Place>> made;  // values of the graph that are ready after the step
    std::vector<int> last_uses;                        // what to let go after the step
    std::size_t own_inputs = SIZE_MAX;                 // those behind came with absorbed steps
    std::string operators;                             // see StepTime
    std::int64_t runs = 0;                             // counted while profiled
    std::int64_t nanoseconds = 0;
  };

  /// Who reads a value: how many inputs, the last one of the steps, and whether it must exist whoever reads
  /// it.
  struct Readers {
    std::size_t count = 0;
    std::size_t step = SIZE_MAX;
    bool pinned = false;
  };

  using Values = std::vector<Tensor>;

  explicit GraphPlan(const Options& options) : options_(options) {}
  static Step step_of(const Node& node);
  Status add_graph(const Graph& graph);
  Status add_node(const Node& node);
  Status add_call(const Function& function, const Node& call);
  Status add_nested(const Node& node, Step& step);
  Result<Place> place_of(const Value& value);
  Place new_value(const Value* value);
  Place new_constant(const Value* value, Tensor tensor);
  bool may_fold(const Step& step) const;
  bool is_postponed(const Step& step) const;
  Result<bool> fold(Step& step);
  Status fold_postponed();
  void drop_unread_constants();
  void share_weights();
  std::vector<Readers> find_readers() const;  // by place
  void plan_lifetimes();
  Status run_step(ExecutionState& state, Step& step, Values& values);
  const Tensor& tensor_at(Place place, const Values& values) const {
    return place.constant ? constants_[static_cast<std::size_t>(place.index)]
                          : values[static_cast<std::size_t>(place.index)];
  }

  Options options_;
  const Graph* graph_ = nullptr;
  std::vector<std::unique_ptr<Graph>> bodies_;  // of the functions that are called
  int call_depth_ = 0;                          // of calls in functions while the plan is made
  std::unordered_map<const Value*, Place> places_;
  std::vector<Tensor> constants_;
  bool postpones_ = false;
  std::vector<const Value*> captures_;
  std::vector<int> capture_places_;
  std::vector<int> inputs_;  // places of the plan's inputs
  std::vector<Place> outputs_;
  std::vector<Step> steps_;
  std::size_t value_count_ = 0;
};

}  // namespace press
