#include "press/runtime/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <unordered_set>

#include "press/ops/operator.h"
#include "runtime/kernel_registry.h"
#include "runtime/parallel.h"
#include "runtime/plan.h"
#include "runtime/shared_weights.h"

namespace press {

namespace {

/// `body()`, with the exceptions that containers throw turned into an Error.
template <typename Body>
auto guarded(const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return Error(ErrorCode::kUnsupported, "not enough memory");
  } catch (const std::length_error&) {
    return Error(ErrorCode::kUnsupported, "not enough memory");
  }
}

Status check_input(const Value& input, const Tensor& tensor) {
  const Type& type = input.type();
  if (!tensor.defined()) {
    return Error(ErrorCode::kInput,
                 fmt::format("input '{}' has no default and no tensor is given", input.name()));
  }
  const auto mismatch = [&] {
    return Error(ErrorCode::kInput,
                 fmt::format("input '{}' should be {}, but is {} {}", input.name(), to_string(type),
                             name(tensor.type()), to_string(tensor.dims())));
  };
  if (!type.is_tensor()) {
    return Error(
        ErrorCode::kUnsupported,
        fmt::format("input '{}' is a sequence, map or optional; only tensors can be executed", input.name()));
  }
  if (type.element != DataType::kUndefined && type.element != tensor.type()) return mismatch();
  if (!type.shape) return {};
  if (type.shape->size() != tensor.rank()) return mismatch();
  for (std::size_t i = 0; i < tensor.rank(); ++i) {
    const Dim& dim = (*type.shape)[i];
    if (dim.known() && dim.value() != tensor.dims()[i]) return mismatch();
  }
  return {};
}

}  // namespace

class Session::Plan {
 public:
  static Result<std::unique_ptr<Plan>> create(const Graph& graph, const SessionOptions& options) {
    auto plan = std::make_unique<Plan>();
    plan->graph_ = &graph;
    plan->reference_ = options.reference;
    plan->tap_in_any_order_ = options.tap_in_any_order;
    plan->shared_weights_ = options.shared_weights;
    plan->state_.pool = BufferPool::create();
    plan->state_.threads = std::max(options.threads, 1);
    plan->state_.profile = options.profile;
    const ThreadScope scope(plan->state_.threads);
    PRESS_ASSIGN(plan->steps_, plan->make_steps(nullptr));
    return plan;
  }

  Result<std::vector<Tensor>> run(std::span<const Tensor> given, std::span<const Value* const> watched,
                                  const Tap& tap) {
    const ThreadScope scope(state_.threads);
    PRESS_ASSIGN(const std::vector<Tensor> inputs, checked_inputs(given));
    state_.pool->reset_peak();
    if (watched.empty()) return steps_->run(state_, inputs, {});

    std::unordered_set<const Value*> wanted(watched.begin(), watched.end());
    if (watching_steps_ == nullptr || wanted != watched_) {
      watched_ = std::move(wanted);
      PRESS_ASSIGN(watching_steps_, make_steps(&watched_));
    }
    ExecutionState state = state_;
    state.watched = &watched_;
    state.tap = &tap;
    tap_inputs_and_constants(inputs, watched, tap);
    return watching_steps_->run(state, inputs, {});
  }

  std::int64_t peak_bytes() const { return state_.pool->peak_bytes(); }
  std::vector<StepTime> profile() const { return state_.profile ? steps_->times() : std::vector<StepTime>(); }

 private:
  /// Steps that compute the values of `kept` as they are in the graph.
  Result<std::unique_ptr<GraphPlan>> make_steps(const std::unordered_set<const Value*>* kept) const {
    GraphPlan::Options options;
    // Shapes only help to optimize: what is wrong with them shows when the graph is run.
    const Result<ShapeTable> facts = reference_ ? Result<ShapeTable>(ShapeTable()) : infer_shapes(*graph_);
    if (!reference_ && facts.ok()) options.facts = &*facts;
    options.kept = kept;
    options.kept_in_any_order = tap_in_any_order_;
    options.shared_weights = shared_weights_.get();
    return GraphPlan::create(*graph_, options);
  }

  Result<std::vector<Tensor>> checked_inputs(std::span<const Tensor> given) const {
    const std::vector<Value*>& wanted = graph_->inputs();
    if (given.size() != wanted.size()) {
      return Error(ErrorCode::kInput,
                   fmt::format("the network takes {} inputs, but {} are given", wanted.size(), given.size()));
    }
    std::vector<Tensor> inputs(given.begin(), given.end());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i].defined() && wanted[i]->tensor() != nullptr) inputs[i] = *wanted[i]->tensor();
      PRESS_TRY(check_input(*wanted[i], inputs[i]));
    }
    return inputs;
  }

  void tap_inputs_and_constants(std::span<const Tensor> inputs, std::span<const Value* const> watched,
                                const Tap& tap) const {
    for (const Value* value : watched) {
      if (value->is_graph_input() && value->graph() == graph_) {
        const auto position = std::ranges::find(graph_->inputs(), value) - graph_->inputs().begin();
        tap(*value, inputs[static_cast<std::size_t>(position)]);
      } else if (const Tensor* constant = watching_steps_->constant(value); constant != nullptr) {
        tap(*value, *constant);
      }
    }
  }

  const Graph* graph_ = nullptr;
  ExecutionState state_;
  bool reference_ = false;
  bool tap_in_any_order_ = false;
  std::shared_ptr<SharedWeights> shared_weights_;
  std::unique_ptr<GraphPlan> steps_;
  std::unordered_set<const Value*> watched_;
  std::unique_ptr<GraphPlan> watching_steps_;  // nothing merged that is watched
};

std::shared_ptr<SharedWeights> make_shared_weights() {
  return std::make_shared<SharedWeights>();
}

Session::Session(std::unique_ptr<Plan> plan) : plan_(std::move(plan)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::create(const Graph& graph, const SessionOptions& options) {
  return guarded([&]() -> Result<Session> {
    PRESS_ASSIGN(std::unique_ptr<Plan> plan, Plan::create(graph, options));
    return Session(std::move(plan));
  });
}

Result<std::vector<Tensor>> Session::run(std::span<const Tensor> inputs) {
  return run(inputs, {}, {});
}

Result<std::vector<Tensor>> Session::run(std::span<const Tensor> inputs,
                                         std::span<const Value* const> watched, const Tap& tap) {
  return guarded([&] { return plan_->run(inputs, watched, tap); });
}

std::int64_t Session::peak_bytes() const {
  return plan_->peak_bytes();
}

std::vector<StepTime> Session::profile() const {
  return plan_->profile();
}

bool can_execute(const Node& node) {
  return has_kernel(node) || node.graph()->called_function(node) != nullptr;
}

Result<std::vector<Tensor>> evaluate_node(const Node& node, std::span<const Tensor* const> inputs,
                                          std::int64_t max_output_bytes) {
  return guarded([&]() -> Result<std::vector<Tensor>> {
    const ThreadScope scope(1);
    PRESS_ASSIGN(const std::unique_ptr<GraphPlan> plan, GraphPlan::create(node));
    ExecutionState state;
    state.pool = BufferPool::create();
    state.max_output_bytes = max_output_bytes;
    std::vector<Tensor> given;
    given.reserve(inputs.size());
    for (const Tensor* input : inputs) given.push_back(input != nullptr ? *input : Tensor());
    return plan->run(state, given, {});
  });
}

}  // namespace press
