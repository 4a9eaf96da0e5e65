#include "runtime/plan_optimizer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/elementwise.h"
#include "runtime/layout.h"
#include "runtime/plan.h"

namespace press {

class PlanOptimizer {
 public:
  explicit PlanOptimizer(GraphPlan& plan) : plan_(plan) {}

  void run() {
    absorb_followers();
    turn_activations();
  }

 private:
  using Place = GraphPlan::Place;
  using Step = GraphPlan::Step;
  using Readers = GraphPlan::Readers;

  // -- absorbing
  // -------------------------------------------------------------------------------------------------

  bool is_kept(const Value* value) const {
    return plan_.options_.kept != nullptr && plan_.options_.kept->contains(value);
  }

  void absorb_followers() {
    std::vector<Step>& steps = plan_.steps_;
    std::vector<Readers> readers = plan_.find_readers();
    std::vector<bool> gone(steps.size(), false);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const std::optional<std::size_t> target = only_reader(steps[i], readers);
      if (!target) continue;
      Step& follower = steps[*target];
      std::optional<Place> other;
      const Absorption absorption = offer(steps[i], follower, other);
      if (absorption == Absorption::kNo) continue;
      // The merged step stands where the follower stood: all that it reads is there by then.
      if (absorption == Absorption::kWithInput) {
        steps[i].own_inputs = std::min(steps[i].own_inputs, steps[i].inputs.size());
        steps[i].inputs.push_back(*other);
      }
      steps[i].outputs = std::move(follower.outputs);
      steps[i].made = std::move(follower.made);
      steps[i].operators += "+" + follower.operators;
      follower = std::move(steps[i]);
      gone[i] = true;
      for (const Place input : follower.inputs) {
        if (input.exists() && !input.constant) readers[static_cast<std::size_t>(input.index)].step = *target;
      }
    }
    std::vector<Step> kept;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (!gone[i]) kept.push_back(std::move(steps[i]));
    }
    steps = std::move(kept);
  }

  static std::optional<std::size_t> only_reader(const Step& step, const std::vector<Readers>& readers) {
    if (step.outputs.empty() || !step.outputs[0].exists() || !step.nested.empty()) return std::nullopt;
    for (std::size_t i = 1; i < step.outputs.size(); ++i) {
      if (step.outputs[i].exists()) return std::nullopt;
    }
    const Readers& reader = readers[static_cast<std::size_t>(step.outputs[0].index)];
    if (reader.pinned || reader.count != 1) return std::nullopt;
    return reader.step;
  }

  Absorption offer(const Step& step, const Step& follower, std::optional<Place>& other) const {
    if (!follower.nested.empty()) return Absorption::kNo;
    // A step that has absorbed others has inputs that its node does not have.
    if (follower.inputs.size() != follower.node->input_count()) return Absorption::kNo;
    Follower offered{*follower.node, follower.opset, 0, {}, false, {}, follower.kernel.get()};
    std::size_t others = 0;
    for (std::size_t i = 0; i < follower.inputs.size(); ++i) {
      const Place input = follower.inputs[i];
      offered.constants.push_back(constant_at(input));
      if (!input.exists() || input.constant) continue;
      if (input.index == step.outputs[0].index) {
        offered.position = i;
      } else {
        ++others;
        other = input;
        offered.same_shape = !step.made.empty() &&
                             have_same_shape(follower.node->input(i), follower.node->output(0)) &&
                             have_same_shape(step.made[0].first, follower.node->output(0));
      }
    }
    if (others > 1) return Absorption::kNo;
    if (others == 0) offered.same_shape = false;
    for (const Place input : step.inputs) offered.own.push_back(constant_at(input));
    return step.kernel->absorb(offered);
  }

  const Tensor* constant_at(Place place) const {
    return place.exists() && place.constant ? &plan_.constants_[static_cast<std::size_t>(place.index)]
                                            : nullptr;
  }

  const Shape* shape_of(const Value* value) const {
    const ValueFacts* facts = plan_.options_.facts->find(value);
    return facts != nullptr && facts->type.shape ? &*facts->type.shape : nullptr;
  }

  /// As far as can be known: the same rank, and the same known extents behind the batch.
  bool have_same_shape(const Value* a, const Value* b) const {
    const Shape* first = shape_of(a);
    const Shape* second = shape_of(b);
    if (first == nullptr || second == nullptr || first->size() != second->size()) return false;
    for (std::size_t i = 0; i < first->size(); ++i) {
      const Dim& x = (*first)[i];
      const Dim& y = (*second)[i];
      if (x.known() != y.known() || x.value() != y.value() || x.symbol() != y.symbol()) return false;
    }
    return true;
  }

  // -- channels last
  // ---------------------------------------------------------------------------------------------

  /// Where a value's two forms are; a negative index where one has not been made.
  struct Forms {
    bool plain = true;
    int turned = -1;
  };

  void turn_activations() {
    forms_.assign(plan_.value_count_, {});
    std::vector<Step> steps = std::exchange(plan_.steps_, {});
    for (Step& step : steps) {
      if (turns(step)) {
        turn(std::move(step));
      } else {
        for (const Place input : step.inputs) need_plain(input, *step.node);
        for (const GraphPlan::Nested& nested : step.nested) {
          for (const Place place : nested.captured) need_plain(place, *step.node);
        }
        plan_.steps_.push_back(std::move(step));
      }
    }
    for (const Place output : plan_.outputs_) {
      if (!plan_.steps_.empty()) need_plain(output, *plan_.steps_.back().node);
    }
  }

  /// True where the step is to work with channels last.
  bool turns(Step& step) const {
    if (step.outputs.empty() || !step.outputs[0].exists() || step.inputs.empty()) return false;
    for (std::size_t i = 1; i < step.outputs.size(); ++i) {
      if (step.outputs[i].exists()) return false;
    }
    const ChannelsLast liking = step.kernel->channels_last();
    if (liking == ChannelsLast::kPrefers) return true;
    if (liking == ChannelsLast::kAccepts) return is_turned(step.inputs[0]);
    if (is_channel_concat(step)) return true;
    return works_in_any_order(step) && elementwise_turns(step);
  }

  static bool works_in_any_order(const Step& step) {
    return step.kernel->channels_last() == ChannelsLast::kAnyOrder ||
           (is_elementwise(*step.node) && step.inputs.size() == step.node->input_count());
  }

  bool is_turned(Place place) const {
    return place.exists() && !place.constant && forms_[static_cast<std::size_t>(place.index)].turned >= 0;
  }

  bool is_channel_concat(const Step& step) const {
    const Node& node = *step.node;
    const Shape* shape = shape_of(node.output(0));
    if (!node.is("Concat") || shape == nullptr || shape->size() < 3) return false;
    const std::int64_t axis = node.int_attribute("axis", 0);
    return (axis == 1 || axis == 1 - static_cast<std::int64_t>(shape->size())) &&
           std::ranges::all_of(step.inputs, [this](Place place) { return is_turned(place); });
  }

  /// All varying inputs have one known rank and are there with channels last; constants can be turned along.
  bool elementwise_turns(const Step& step) const {
    if (step.kernel->channels_last() == ChannelsLast::kAnyOrder) {  // whose inputs all vary and have one rank
      return std::ranges::all_of(step.inputs, [this](Place place) { return is_turned(place); });
    }
    const Shape* output = shape_of(step.node->output(0));
    if (output == nullptr || output->size() < 3) return false;
    bool any = false;
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      const Place input = step.inputs[i];
      if (!input.exists()) continue;
      if (input.constant) {
        if (constant_at(input)->rank() > output->size() || !may_turn_constant(step, i)) return false;
        continue;
      }
      const Shape* shape = shape_of(step.node->input(i));
      if (shape == nullptr || shape->size() != output->size() || !is_turned(input)) return false;
      any = true;
    }
    return any;
  }

  /// Scales and zero points per axis would need another axis attribute.
  bool may_turn_constant(const Step& step, std::size_t index) const {
    const bool per_axis = step.node->is("QuantizeLinear") || step.node->is("DequantizeLinear");
    return !per_axis || constant_at(step.inputs[index])->size() == 1;
  }

  void turn(Step step) {
    if (is_channel_concat(step)) step.kernel = make_channels_last_concat();
    const bool all = works_in_any_order(step) || step.node->is("Concat");
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      if (i == 0 || all || i >= step.own_inputs) {
        step.inputs[i] = turned(step.inputs[i], step);
      } else {
        need_plain(step.inputs[i], *step.node);
      }
    }
    step.kernel->use_channels_last();
    const Place plain = step.outputs[0];
    const Place target = plan_.new_value(nullptr);
    forms_.resize(plan_.value_count_);
    forms_[static_cast<std::size_t>(plain.index)] = {false, target.index};
    step.outputs[0] = target;
    const Node& node = *step.node;
    std::vector<std::pair<const Value*, Place>> made = std::exchange(step.made, {});
    if (plan_.options_.kept_in_any_order) {
      for (auto& [value, place] : made) place = target;
      step.made = std::exchange(made, {});
    }
    plan_.steps_.push_back(std::move(step));
    for (const auto& [value, place] : made) {
      made_[place.index] = value;
      if (is_kept(value)) need_plain(place, node);
    }
  }

  /// The form with channels last, made on the way where it is missing.
  Place turned(Place place, const Step& step) {
    if (!place.exists()) return place;
    if (place.constant) {
      const Tensor& tensor = *constant_at(place);
      const Shape* shape = shape_of(step.node->output(0));
      if (tensor.size() == 1 || shape == nullptr) return place;
      Result<Tensor> made = constant_with_channels_last(tensor, shape->size());
      if (!made.ok()) return place;
      plan_.constants_.push_back(std::move(*made));
      return {static_cast<int>(plan_.constants_.size()) - 1, true};
    }
    int index = forms_[static_cast<std::size_t>(place.index)].turned;
    if (index < 0) {
      const Place target = plan_.new_value(nullptr);
      forms_.resize(plan_.value_count_);
      index = target.index;
      forms_[static_cast<std::size_t>(place.index)].turned = index;
      add_conversion(*step.node, place, target, true);
    }
    return {index, false};
  }

  void need_plain(Place place, const Node& node) {
    if (!place.exists() || place.constant) return;
    Forms& forms = forms_[static_cast<std::size_t>(place.index)];
    if (forms.plain) return;
    forms.plain = true;
    add_conversion(node, {forms.turned, false}, place, false);
    if (const auto value = made_.find(place.index); value != made_.end()) {
      plan_.steps_.back().made.emplace_back(value->second, place);
    }
  }

  void add_conversion(const Node& node, Place from, Place to, bool channels_last) {
    Step step;
    step.node = &node;
    step.operators = "Reorder";
    step.kernel = make_layout_kernel(channels_last);
    step.inputs = {from};
    step.outputs = {to};
    plan_.steps_.push_back(std::move(step));
  }

  GraphPlan& plan_;
  std::vector<Forms> forms_;
  std::unordered_map<int, const Value*> made_;  // the value that a place stands for
};

void optimize(GraphPlan& plan) {
  PlanOptimizer(plan).run();
}

}  // namespace press
