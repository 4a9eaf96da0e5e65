#include "runtime/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "ops/computed_shapes.h"
#include "runtime/integer_steps.h"
#include "runtime/kernel_registry.h"
#include "runtime/plan_optimizer.h"
#include "runtime/shared_weights.h"

namespace press {

namespace {

constexpr int kMaxDepth = 64;  // of subgraphs in subgraphs, and of calls in functions

// What depends on constants only is computed once, unless it grows by more than this (in bytes).
constexpr std::int64_t kFoldGrowth = std::int64_t{1} << 20;

std::string step_name(const Node& node) {
  return "node " + node.label();
}

}  // namespace

/// The context of one execution of one step.
class StepContext final : public KernelContext {
 public:
  StepContext(ExecutionState& state, GraphPlan& plan, GraphPlan::Step& step, GraphPlan::Values& values)
      : state_(state), plan_(plan), step_(step), values_(values) {}

  const Node& node() const override { return *step_.node; }
  std::int64_t opset() const override { return step_.opset; }
  std::size_t input_count() const override { return step_.inputs.size(); }

  const Tensor* input(std::size_t index) const override {
    if (index >= step_.inputs.size() || !step_.inputs[index].exists()) return nullptr;
    const Tensor& tensor = plan_.tensor_at(step_.inputs[index], values_);
    return tensor.defined() ? &tensor : nullptr;
  }

  bool input_is_constant(std::size_t index) const override {
    return index < step_.inputs.size() && step_.inputs[index].constant;
  }

  bool wants_output(std::size_t index) const override {
    return index < step_.outputs.size() && step_.outputs[index].exists();
  }

  Result<Tensor*> allocate_output(std::size_t index, DataType type, Dims dims) override {
    PRESS_ASSIGN(Tensor tensor, allocate(type, std::move(dims)));
    Tensor& target = output_slot(index);
    target = std::move(tensor);
    return &target;
  }

  void set_output(std::size_t index, Tensor tensor) override { output_slot(index) = std::move(tensor); }

  Result<Tensor*> continue_input(std::size_t output, std::size_t input) override {
    const GraphPlan::Place place = step_.inputs[input];
    const Tensor& source = plan_.tensor_at(place, values_);
    const bool last = !place.constant &&
                      std::ranges::find(step_.last_uses, place.index) != step_.last_uses.end() &&
                      std::ranges::count(step_.inputs, place) == 1;
    Tensor& target = output_slot(output);
    if (last) {
      target = std::move(values_[static_cast<std::size_t>(place.index)]);
      target.mutable_bytes();  // a copy where others share it
    } else {
      PRESS_ASSIGN(Tensor copy, allocate(source.type(), source.dims()));
      std::ranges::copy(source.bytes(), copy.mutable_bytes().begin());
      target = std::move(copy);
    }
    return &target;
  }

  Result<Tensor> allocate_scratch(DataType type, Dims dims) override {
    return allocate(type, std::move(dims));
  }

  int threads() const override { return state_.threads; }

  Result<std::vector<Tensor>> run_subgraph(const Graph& graph, std::span<const Tensor> inputs) override {
    const auto nested = std::ranges::find_if(
        step_.nested, [&](const GraphPlan::Nested& item) { return item.graph == &graph; });
    if (nested == step_.nested.end())
      return Error(ErrorCode::kInternal, "a kernel asked for a foreign subgraph");
    std::vector<Tensor> captured;
    captured.reserve(nested->captured.size());
    for (const GraphPlan::Place place : nested->captured) captured.push_back(plan_.tensor_at(place, values_));
    return nested->plan->run(state_, inputs, captured);
  }

 private:
  Tensor& output_slot(std::size_t index) {
    if (wants_output(index)) return values_[static_cast<std::size_t>(step_.outputs[index].index)];
    if (index >= unwanted_.size()) unwanted_.resize(std::max(index + 1, step_.node->output_count()));
    return unwanted_[index];
  }

  Result<Tensor> allocate(DataType type, Dims dims) {
    if (state_.max_output_bytes != INT64_MAX && bit_width(type) != 0) {
      PRESS_ASSIGN(const std::int64_t count, element_count(dims));
      if (count > state_.max_output_bytes || byte_size(type, count) > state_.max_output_bytes) {
        return Error(ErrorCode::kUnsupported,
                     fmt::format("a result of {} {} elements is above the limit of {} bytes", to_string(dims),
                                 name(type), state_.max_output_bytes));
      }
    }
    return state_.pool->allocate(type, std::move(dims));
  }

  ExecutionState& state_;
  GraphPlan& plan_;
  GraphPlan::Step& step_;
  GraphPlan::Values& values_;
  std::vector<Tensor> unwanted_;  // outputs that a kernel writes although nobody reads them
};

// -- making a plan
// -----------------------------------------------------------------------------------------------

Result<std::unique_ptr<GraphPlan>> GraphPlan::create(const Graph& graph, const Options& options) {
  if (options.depth > kMaxDepth) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("subgraphs are nested more than {} levels deep", kMaxDepth));
  }
  std::unique_ptr<GraphPlan> plan(new GraphPlan(options));
  plan->postpones_ = options.facts != nullptr;
  PRESS_TRY(plan->add_graph(graph));
  // What calls of functions make of constants is known now, and what follows from it.
  Result<ShapeTable> facts = ShapeTable();
  if (options.facts != nullptr && options.depth == 0 && !plan->bodies_.empty()) {
    facts = infer_shapes_with(graph, [&](const Value* value) { return plan->constant(value); });
    if (facts.ok()) plan->options_.facts = &*facts;
  }
  if (options.facts != nullptr) {
    use_integers(*plan);
    PRESS_TRY(plan->fold_postponed());
    optimize(*plan);
  }
  plan->plan_lifetimes();
  plan->drop_unread_constants();
  plan->share_weights();
  plan->options_ = Options();
  return plan;
}

/// Bodies of functions are copied for each plan, so that their nodes say nothing to another one.
void GraphPlan::share_weights() {
  if (options_.shared_weights == nullptr) return;
  for (const Step& step : steps_) {
    onednn::PackedWeights* packed = step.kernel->packed_weights();
    if (packed != nullptr && step.node->graph() == graph_)
      options_.shared_weights->join(step.node, step.operators, *packed);
  }
}

Result<std::unique_ptr<GraphPlan>> GraphPlan::create(const Node& node) {
  std::unique_ptr<GraphPlan> plan(new GraphPlan(Options{}));
  Step step = step_of(node);
  for (std::size_t i = 0; i < node.input_count(); ++i) {
    // A value that is used twice gets two places: the caller passes a tensor for each input.
    const Place place = plan->new_value(nullptr);
    plan->inputs_.push_back(place.index);
    step.inputs.push_back(node.input(i) != nullptr ? place : Place{});
  }
  PRESS_TRY(plan->add_nested(node, step).with_context(step_name(node)));
  if (!plan->captures_.empty()) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("{}: its subgraphs use values of the graph around it", step_name(node)));
  }
  PRESS_ASSIGN(step.kernel, make_kernel(node).with_context(step_name(node)));
  for (std::size_t i = 0; i < node.output_count(); ++i) {
    const Value* output = node.output(i);
    const bool wanted = output != nullptr && (i == 0 || !output->uses().empty());
    step.outputs.push_back(wanted ? plan->new_value(nullptr) : Place{});
  }
  plan->outputs_ = step.outputs;
  plan->steps_.push_back(std::move(step));
  return plan;
}

GraphPlan::Step GraphPlan::step_of(const Node& node) {
  Step step;
  step.node = &node;
  step.opset = node.graph()->opset(node.domain());
  step.operators = node.op_type();
  return step;
}

Status GraphPlan::add_graph(const Graph& graph) {
  graph_ = &graph;
  for (const Value* input : graph.inputs()) inputs_.push_back(new_value(input).index);
  for (const Node* node : graph.nodes()) PRESS_TRY(add_node(*node).with_context(step_name(*node)));
  for (const GraphOutput& output : graph.outputs()) {
    if (output.value == nullptr) {
      return Error(ErrorCode::kInput, fmt::format("graph output '{}' is made by no node", output.name));
    }
    PRESS_ASSIGN(const Place place, place_of(*output.value));
    outputs_.push_back(place);
  }
  return {};
}

/// A call is planned as the nodes of the function's body.
Status GraphPlan::add_call(const Function& function, const Node& call) {
  if (call_depth_ == kMaxDepth) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("functions call each other more than {} levels deep", kMaxDepth));
  }
  PRESS_ASSIGN(std::unique_ptr<Graph> made, instantiate(function, call));
  const Graph& body = *bodies_.emplace_back(std::move(made));
  for (std::size_t i = 0; i < body.inputs().size(); ++i) {
    Place place;
    if (const Value* input = call.input(i); input != nullptr) {
      PRESS_ASSIGN(place, place_of(*input));
    }
    places_[body.inputs()[i]] = place;
  }
  ++call_depth_;
  for (const Node* node : body.nodes()) PRESS_TRY(add_node(*node).with_context(step_name(*node)));
  --call_depth_;
  for (std::size_t i = 0; i < call.output_count(); ++i) {
    const Value* output = call.output(i);
    if (output == nullptr) continue;
    PRESS_ASSIGN(const Place place, place_of(*body.outputs()[i].value));
    places_[output] = place;
    if (!place.constant && !steps_.empty()) steps_.back().made.emplace_back(output, place);
  }
  return {};
}

Status GraphPlan::add_node(const Node& node) {
  if (const Function* function = node.graph()->called_function(node); function != nullptr) {
    return add_call(*function, node);
  }
  Step step = step_of(node);
  for (const Value* input : node.inputs()) {
    Place place;
    if (input != nullptr) {
      PRESS_ASSIGN(place, place_of(*input));
    }
    step.inputs.push_back(place);
  }
  PRESS_TRY(add_nested(node, step));
  PRESS_ASSIGN(step.kernel, make_kernel(node));
  if (!is_postponed(step)) {
    PRESS_ASSIGN(const bool folded, fold(step));
    if (folded) return {};
  }
  for (const Value* output : node.outputs()) {
    const bool kept = options_.kept != nullptr && options_.kept->contains(output);
    const bool wanted = output != nullptr && (output == node.output(0) || kept || !output->uses().empty());
    step.outputs.push_back(wanted ? new_value(output) : Place{});
    if (wanted) step.made.emplace_back(output, step.outputs.back());
  }
  steps_.push_back(std::move(step));
  return {};
}

Status GraphPlan::add_nested(const Node& node, Step& step) {
  for (const Graph* graph : node.subgraphs()) {
    Nested nested;
    nested.graph = graph;
    Options options = options_;
    options.depth = options_.depth + 1;
    options.outer_constant = [this](const Value* value) { return constant(value); };
    PRESS_ASSIGN(nested.plan, create(*graph, options));
    for (const Value* value : nested.plan->captures()) {
      PRESS_ASSIGN(const Place place, place_of(*value));
      nested.captured.push_back(place);
    }
    step.nested.push_back(std::move(nested));
  }
  return {};
}

Result<GraphPlan::Place> GraphPlan::place_of(const Value& value) {
  const auto known = places_.find(&value);
  if (known != places_.end()) return known->second;
  if (const Tensor* tensor = value.constant(); tensor != nullptr) return new_constant(&value, *tensor);
  if (value.graph() == graph_ || options_.depth == 0) {
    if (graph_ ==
        nullptr) {  // the plan of one node: whatever comes from outside is a capture, which is refused
      captures_.push_back(&value);
      return new_value(&value);
    }
    return Error(ErrorCode::kInput, fmt::format("value '{}' is used before it is computed", value.name()));
  }
  if (options_.outer_constant) {
    if (const Tensor* tensor = options_.outer_constant(&value); tensor != nullptr) {
      return new_constant(&value, *tensor);
    }
  }
  const Place place = new_value(&value);
  captures_.push_back(&value);
  capture_places_.push_back(place.index);
  return place;
}

GraphPlan::Place GraphPlan::new_value(const Value* value) {
  const Place place{static_cast<int>(value_count_++), false};
  if (value != nullptr) places_[value] = place;
  return place;
}

GraphPlan::Place GraphPlan::new_constant(const Value* value, Tensor tensor) {
  const Place place{static_cast<int>(constants_.size()), true};
  constants_.push_back(std::move(tensor));
  places_[value] = place;
  return place;
}

const Tensor* GraphPlan::constant(const Value* value) const {
  if (value->constant() != nullptr) return value->constant();
  const auto known = places_.find(value);
  if (known != places_.end()) {
    return known->second.constant ? &constants_[static_cast<std::size_t>(known->second.index)] : nullptr;
  }
  return options_.outer_constant ? options_.outer_constant(value) : nullptr;
}

bool GraphPlan::may_fold(const Step& step) const {
  return traits(*step.node).pure && step.nested.empty() &&
         std::ranges::all_of(step.inputs, [](Place place) { return !place.exists() || place.constant; });
}

/// Computes a step that depends on constants only; its outputs become constants. Where that fails, or grows
/// too much, the step stays and is executed in its turn (a branch that is never taken may hold nonsense).
Result<bool> GraphPlan::fold(Step& step) {
  if (!may_fold(step)) return false;
  ExecutionState state;
  state.pool = BufferPool::create();
  std::int64_t input_bytes = 0;
  for (const Place place : step.inputs) {
    if (place.exists()) input_bytes += static_cast<std::int64_t>(tensor_at(place, {}).bytes().size());
  }
  state.max_output_bytes = 8 * input_bytes + kFoldGrowth;
  Values values(step.node->output_count());
  for (std::size_t i = 0; i < values.size(); ++i) {
    step.outputs.push_back(step.node->output(i) != nullptr ? Place{static_cast<int>(i), false} : Place{});
  }
  StepContext context(state, *this, step, values);
  const Status done = step.kernel->run(context);
  const std::vector<Place> outputs = std::exchange(step.outputs, {});
  if (!done.ok()) return false;
  for (const Place place : outputs) {
    if (place.exists() && !values[static_cast<std::size_t>(place.index)].defined()) return false;
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].exists()) new_constant(step.node->output(i), std::move(values[i]));
  }
  return true;
}

/// Quantized weights: most of them are never wanted as real numbers.
bool GraphPlan::is_postponed(const Step& step) const {
  const Place place = step.inputs.empty() ? Place{} : step.inputs[0];
  if (!postpones_ || !step.node->is("DequantizeLinear") || !place.exists() || !place.constant) return false;
  const Tensor& values = constants_[static_cast<std::size_t>(place.index)];
  return values.rank() > 1 && (values.type() == DataType::kInt8 || values.type() == DataType::kUint8);
}

/// Computes what was postponed and is still wanted, and what depends on it.
Status GraphPlan::fold_postponed() {
  std::unordered_map<int, Place> folded;  // by place
  const auto follow = [&](Place& place) {
    const auto found = place.constant ? folded.end() : folded.find(place.index);
    if (found != folded.end()) place = found->second;
  };
  std::vector<Step> steps = std::exchange(steps_, {});
  for (Step& step : steps) {
    std::ranges::for_each(step.inputs, follow);
    for (Nested& nested : step.nested) std::ranges::for_each(nested.captured, follow);
    const std::vector<Place> outputs = std::exchange(step.outputs, {});
    PRESS_ASSIGN(const bool done, fold(step));
    for (std::size_t i = 0; done && i < outputs.size(); ++i) {
      if (outputs[i].exists()) folded[outputs[i].index] = places_.at(step.node->output(i));
    }
    std::erase_if(step.made, [&](const auto& made) {
      const auto found = folded.find(made.second.index);
      if (found == folded.end()) return false;
      places_[made.first] = found->second;
      return true;
    });
    if (done) continue;
    step.outputs = outputs;
    steps_.push_back(std::move(step));
  }
  std::ranges::for_each(outputs_, follow);
  return {};
}

void GraphPlan::drop_unread_constants() {
  std::vector<bool> read(constants_.size(), false);
  const auto mark = [&](Place place) {
    if (place.exists() && place.constant) read[static_cast<std::size_t>(place.index)] = true;
  };
  for (const Step& step : steps_) {
    std::ranges::for_each(step.inputs, mark);
    for (const Nested& nested : step.nested) std::ranges::for_each(nested.captured, mark);
  }
  std::ranges::for_each(outputs_, mark);
  for (const auto& [value, place] : places_) {
    if (options_.kept != nullptr && options_.kept->contains(value)) mark(place);
  }
  for (std::size_t i = 0; i < constants_.size(); ++i) {
    if (!read[i]) constants_[i] = Tensor();
  }
}

std::vector<StepTime> GraphPlan::times() const {
  std::vector<StepTime> times;
  times.reserve(steps_.size());
  for (const Step& step : steps_) times.push_back({step.node, step.operators, step.runs, step.nanoseconds});
  return times;
}

std::vector<GraphPlan::Readers> GraphPlan::find_readers() const {
  std::vector<Readers> readers(value_count_);
  const auto pin = [&](Place place) {
    if (place.exists() && !place.constant) readers[static_cast<std::size_t>(place.index)].pinned = true;
  };
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    for (const Place input : step.inputs) {
      if (!input.exists() || input.constant) continue;
      ++readers[static_cast<std::size_t>(input.index)].count;
      readers[static_cast<std::size_t>(input.index)].step = i;
    }
    for (const Nested& nested : step.nested) std::ranges::for_each(nested.captured, pin);
    for (const auto& [value, place] : step.made) {
      if (options_.kept != nullptr && options_.kept->contains(value)) pin(place);
    }
  }
  std::ranges::for_each(outputs_, pin);
  return readers;
}

void GraphPlan::plan_lifetimes() {
  std::vector<bool> needed(value_count_, false);
  for (const Place place : outputs_) {
    if (place.exists() && !place.constant) needed[static_cast<std::size_t>(place.index)] = true;
  }
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    const auto use = [&](Place place) {
      if (!place.exists() || place.constant || needed[static_cast<std::size_t>(place.index)]) return;
      needed[static_cast<std::size_t>(place.index)] = true;
      step->last_uses.push_back(place.index);
    };
    for (const Place output : step->outputs) use(output);  // made, and used by nobody
    for (const Place input : step->inputs) use(input);
    for (const Nested& nested : step->nested) {
      for (const Place place : nested.captured) use(place);
    }
  }
}

// -- running it
// --------------------------------------------------------------------------------------------------

Result<std::vector<Tensor>> GraphPlan::run(ExecutionState& state, std::span<const Tensor> inputs,
                                           std::span<const Tensor> captured) {
  if (inputs.size() != inputs_.size()) {
    return Error(ErrorCode::kInput,
                 fmt::format("the graph takes {} inputs, but {} are given", inputs_.size(), inputs.size()));
  }
  Values values(value_count_);
  for (std::size_t i = 0; i < inputs.size(); ++i) values[static_cast<std::size_t>(inputs_[i])] = inputs[i];
  for (std::size_t i = 0; i < captured.size(); ++i) {
    values[static_cast<std::size_t>(capture_places_[i])] = captured[i];
  }
  for (Step& step : steps_) {
    Status done = run_step(state, step, values);
    if (!done.ok()) PRESS_TRY(std::move(done).with_context(step_name(*step.node)));
  }
  std::vector<Tensor> outputs;
  outputs.reserve(outputs_.size());
  for (const Place place : outputs_) outputs.push_back(place.exists() ? tensor_at(place, values) : Tensor());
  return outputs;
}

Status GraphPlan::run_step(ExecutionState& state, Step& step, Values& values) {
  StepContext context(state, *this, step, values);
  if (state.profile) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point start = Clock::now();
    PRESS_TRY(step.kernel->run(context));
    step.nanoseconds += std::chrono::nanoseconds(Clock::now() - start).count();
    ++step.runs;
  } else {
    PRESS_TRY(step.kernel->run(context));
  }
  for (std::size_t i = 0; i < step.outputs.size(); ++i) {
    if (step.outputs[i].exists() && !tensor_at(step.outputs[i], values).defined()) {
      return Error(ErrorCode::kUnsupported, fmt::format("output {} cannot be computed", i));
    }
  }
  if (state.tap != nullptr) {
    for (const auto& [value, place] : step.made) {
      if (state.watched->contains(value)) (*state.tap)(*value, tensor_at(place, values));
    }
  }
  for (const int index : step.last_uses) values[static_cast<std::size_t>(index)] = Tensor();
  return {};
}

}  // namespace press
