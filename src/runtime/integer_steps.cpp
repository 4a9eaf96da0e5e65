#include "runtime/integer_steps.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "ops/shapes.h"
#include "press/numeric/quantization.h"
#include "press/runtime/session.h"
#include "runtime/elementwise.h"
#include "runtime/integer_params.h"
#include "runtime/kernel_registry.h"
#include "runtime/kernels/integer_kernels.h"
#include "runtime/kernels/tail.h"
#include "runtime/plan.h"

namespace press {

namespace {

using kernels::IntegerLinear;

constexpr std::size_t kLongestChain = 8;  // elementwise steps in front of a QuantizeLinear

/// Operators whose first input's elements pass unchanged, and whose kernels take bytes.
constexpr std::array<std::string_view, 12> kPassing = {
    "DepthToSpace", "Expand", "Flatten", "Gather",       "Identity",  "MaxPool",
    "Reshape",      "Slice",  "Squeeze", "SpaceToDepth", "Transpose", "Unsqueeze"};

}  // namespace

class IntegerSteps {
 public:
  explicit IntegerSteps(GraphPlan& plan) : plan_(plan), readers_(plan.find_readers()) {}

  void run() {
    forms_.resize(plan_.value_count_);
    steps_ = std::exchange(plan_.steps_, {});
    consumed_.assign(steps_.size(), false);
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (!consumed_[i]) rewrite(i);
    }
    drop_unread();
  }

 private:
  using Place = GraphPlan::Place;
  using Step = GraphPlan::Step;

  /// Where a float value also is as integers.
  struct Form {
    int place = -1;
    QuantParams params;
    const Node* node = nullptr;  // the DequantizeLinear, and its scale and zero point
    std::vector<Place> parameters;
  };

  /// Steps that turn a value into integers: functions of one element, then QuantizeLinear.
  struct Chain {
    std::vector<std::size_t> steps;  // the last one is the QuantizeLinear
    QuantParams target;
  };

  // -- what a step is
  // ----------------------------------------------------------------------------------------------

  const Tensor* constant_at(const Step& step, std::size_t input) const {
    if (input >= step.inputs.size() || !step.inputs[input].exists() || !step.inputs[input].constant) {
      return nullptr;
    }
    return &plan_.constants_[static_cast<std::size_t>(step.inputs[input].index)];
  }

  /// True where the input exists but varies.
  static bool varies(const Step& step, std::size_t input) {
    return input < step.inputs.size() && step.inputs[input].exists() && !step.inputs[input].constant;
  }

  /// The parameters of a QuantizeLinear or DequantizeLinear of a whole tensor of bytes.
  std::optional<QuantParams> params_of(const Step& step, std::string_view type) const {
    if (step.node->op_type() != type || step.outputs.size() != 1 || !varies(step, 0) || varies(step, 1) ||
        varies(step, 2) || step.node->int_attribute("output_dtype", 0) != 0 ||
        step.node->int_attribute("block_size", 0) != 0) {
      return std::nullopt;
    }
    std::optional<QuantParams> params = tensor_params(constant_at(step, 1), constant_at(step, 2));
    if (params && type == "DequantizeLinear" && constant_at(step, 2) == nullptr) {
      const ValueFacts* facts = plan_.options_.facts->find(step.node->input(0));
      if (facts == nullptr || !is_byte(facts->type.element)) return std::nullopt;
      params->type = facts->type.element;
    }
    return params;
  }

  const Form* form_of(const Step& step, std::size_t input) const {
    if (!varies(step, input)) return nullptr;
    const std::optional<Form>& form = forms_[static_cast<std::size_t>(step.inputs[input].index)];
    return form ? &*form : nullptr;
  }

  const GraphPlan::Readers& readers_of(Place place) const {
    static const GraphPlan::Readers kNone;
    const auto index = static_cast<std::size_t>(place.index);
    return index < readers_.size() ? readers_[index] : kNone;
  }

  /// The step that alone reads the only output of `step`.
  std::optional<std::size_t> only_reader(const Step& step) const {
    if (step.outputs.empty() || !step.outputs[0].exists()) return std::nullopt;
    for (std::size_t i = 1; i < step.outputs.size(); ++i) {
      if (step.outputs[i].exists()) return std::nullopt;
    }
    const GraphPlan::Readers& readers = readers_of(step.outputs[0]);
    if (readers.pinned || readers.count != 1 || consumed_[readers.step]) return std::nullopt;
    return readers.step;
  }

  /// True for functions of one element: what else goes in is a constant of one element.
  bool is_function(const Step& step) const {
    if (!is_elementwise(*step.node) || !step.nested.empty()) return false;
    std::size_t varying = 0;
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      if (varies(step, i)) {
        ++varying;
      } else if (const Tensor* constant = constant_at(step, i);
                 constant != nullptr && (constant->size() != 1 || constant->rank() > 1)) {
        return false;
      }
    }
    return varying == 1 && step.outputs.size() == 1;
  }

  /// From the output of `step` on.
  std::optional<Chain> chain_behind(const Step& step) const {
    Chain chain;
    const Step* at = &step;
    while (chain.steps.size() < kLongestChain) {
      const std::optional<std::size_t> next = only_reader(*at);
      if (!next) return std::nullopt;
      chain.steps.push_back(*next);
      at = &steps_[*next];
      if (const std::optional<QuantParams> params = params_of(*at, "QuantizeLinear")) {
        chain.target = *params;
        return chain;
      }
      if (!is_function(*at)) return std::nullopt;
    }
    return std::nullopt;
  }

  /// The step of the chain as an activation of the step before it.
  std::optional<onednn::Activation> activation_of(const Step& step) const {
    Follower follower{*step.node, step.opset, 0, {}, false, {}, nullptr};
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      follower.constants.push_back(constant_at(step, i));
      if (varies(step, i)) follower.position = i;
    }
    const onednn::Activation activation = kernels::activation_of(follower);
    if (activation.kind == onednn::Activation::Kind::kNone) return std::nullopt;
    return activation;
  }

  /// The activation between a step and the QuantizeLinear of its chain: none or one. Nullopt where there is
  /// something else.
  std::optional<onednn::Activation> only_activation(const Chain& chain) const {
    if (chain.steps.size() == 1) return onednn::Activation{};
    if (chain.steps.size() == 2) return activation_of(steps_[chain.steps[0]]);
    return std::nullopt;
  }

  const Shape* shape_of(const Value* value) const {
    const ValueFacts* facts = plan_.options_.facts->find(value);
    return facts != nullptr && facts->type.shape ? &*facts->type.shape : nullptr;
  }

  // -- rewriting
  // ---------------------------------------------------------------------------------------------------

  void rewrite(std::size_t index) {
    Step& step = steps_[index];
    if (const std::optional<QuantParams> params = params_of(step, "DequantizeLinear")) {
      note_dequantization(step, *params);
    } else if (rewrite_quantization(step) || rewrite_linear(index) || rewrite_binary(index) ||
               rewrite_add_vector(index) || rewrite_average(index) || rewrite_functions(index) ||
               rewrite_passing(step) || rewrite_concat(index) || rewrite_qlinear(step) ||
               rewrite_sums(step)) {
      return;
    }
    push(std::move(step));
  }

  void push(Step step) {
    for (Place& input : step.inputs) {
      if (!input.exists() || input.constant) continue;
      const auto other = replaced_.find(input.index);
      if (other != replaced_.end()) input.index = other->second;
    }
    plan_.steps_.push_back(std::move(step));
  }

  Place new_place() {
    const Place place = plan_.new_value(nullptr);
    forms_.resize(plan_.value_count_);
    return place;
  }

  void note_dequantization(const Step& step, const QuantParams& params) {
    const auto known = replaced_.find(step.inputs[0].index);
    const int place = known != replaced_.end() ? known->second : step.inputs[0].index;
    forms_[static_cast<std::size_t>(step.outputs[0].index)] =
        Form{place, params, step.node, {step.inputs.begin() + 1, step.inputs.end()}};
  }

  /// Puts `kernel` in the place of `step` and the chain behind it; it reads `inputs`.
  void replace(Step step, const Chain* chain, std::vector<Place> inputs, std::unique_ptr<Kernel> kernel) {
    step.inputs = std::move(inputs);
    step.kernel = std::move(kernel);
    if (chain != nullptr) {
      for (const std::size_t next : chain->steps) {
        consumed_[next] = true;
        step.operators += "+" + steps_[next].operators;
      }
      Step& last = steps_[chain->steps.back()];
      step.outputs = std::move(last.outputs);
      step.made = std::move(last.made);
    }
    step.operators += " int8";
    push(std::move(step));
  }

  /// QuantizeLinear of what is there as integers already.
  bool rewrite_quantization(Step& step) {
    const std::optional<QuantParams> params = params_of(step, "QuantizeLinear");
    const Form* form = params ? form_of(step, 0) : nullptr;
    if (form == nullptr) return false;
    const Place output = step.outputs[0];
    if (form->params == *params && !readers_of(output).pinned) {
      replaced_[output.index] = form->place;
      return true;
    }
    kernels::IntegerTable table{form->params.type, params->type, {}};
    for (int byte = 0; byte < 256; ++byte) {
      const int value = table.source == DataType::kInt8 ? static_cast<std::int8_t>(byte) : byte;
      table.bytes[static_cast<std::size_t>(byte)] =
          static_cast<std::uint8_t>(params->quantize(form->params.dequantize(value)));
    }
    const Place input{form->place, false};
    replace(std::move(step), nullptr, {input}, kernels::make_integer_table(table));
    return true;
  }

  // -- convolutions and matrix products
  // ----------------------------------------------------------------------------

  /// The weights behind an input: those of a DequantizeLinear that depends on constants only.
  std::optional<Weights> weights_of(const Node& node, std::size_t input, std::size_t axis) const {
    const Value* value = node.input(input);
    const Node* source = value != nullptr ? value->producer() : nullptr;
    if (source == nullptr || source->op_type() != "DequantizeLinear" ||
        source->int_attribute("block_size", 0) != 0) {
      return std::nullopt;
    }
    const auto constant = [&](std::size_t i) {
      return i < source->input_count() && source->input(i) != nullptr ? plan_.constant(source->input(i))
                                                                      : nullptr;
    };
    const Tensor* values = constant(0);
    const Tensor* scale = constant(1);
    const bool has_zero_point = source->input_count() > 2 && source->input(2) != nullptr;
    if (values == nullptr || scale == nullptr || (has_zero_point && constant(2) == nullptr)) {
      return std::nullopt;
    }
    if (scale->size() != 1) {
      const Result<std::size_t> given = normalize_axis(source->int_attribute("axis", 1), values->rank());
      if (!given.ok() || *given != axis) return std::nullopt;
    }
    return make_weights(values, scale, has_zero_point ? constant(2) : nullptr, axis);
  }

  /// The float32 bias of `channels` at an input: empty where there is none, nullopt where it varies or does
  /// not fit.
  std::optional<std::vector<float>> bias_of(const Step& step, std::size_t input,
                                            std::int64_t channels) const {
    if (input >= step.inputs.size() || !step.inputs[input].exists()) return std::vector<float>();
    const Tensor* bias = constant_at(step, input);
    const bool fits = bias != nullptr && bias->type() == DataType::kFloat && bias->size() == channels &&
                      (bias->rank() == 1 || (bias->rank() == 2 && bias->dims()[0] == 1));
    if (!fits) return std::nullopt;
    return std::vector<float>(bias->data<float>().begin(), bias->data<float>().end());
  }

  bool rewrite_linear(std::size_t index) {
    Step& step = steps_[index];
    const Node& node = *step.node;
    const Form* source = form_of(step, 0);
    const bool conv = node.is("Conv");
    const bool gemm = node.is("Gemm");
    if (source == nullptr || !(conv || gemm || node.is("MatMul"))) return false;
    const bool transpose_b = gemm && node.int_attribute("transB", 0) != 0;
    if (gemm && (node.int_attribute("transA", 0) != 0 || node.float_attribute("alpha", 1) != 1 ||
                 node.float_attribute("beta", 1) != 1)) {
      return false;
    }
    const std::size_t axis = conv || transpose_b ? 0 : 1;
    std::optional<Weights> weights = weights_of(node, 1, axis);
    if (!weights || (!conv && weights->values.rank() != 2)) return false;
    std::optional<std::vector<float>> bias = bias_of(step, 2, weights->values.dims()[axis]);
    if (!bias) return false;

    IntegerLinear linear{source->params, {}, weights->values, weights->scales, std::move(*bias), {}};
    const std::optional<Chain> chain = chain_behind(step);
    const std::optional<onednn::Activation> activation = chain ? only_activation(*chain) : std::nullopt;
    if (activation) {
      linear.target = chain->target;
      linear.activation = *activation;
    }
    std::unique_ptr<Kernel> kernel = conv ? kernels::make_integer_convolution(std::move(linear))
                                          : kernels::make_integer_product(std::move(linear), transpose_b);
    const Place input{source->place, false};
    replace(std::move(step), activation ? &*chain : nullptr, {input}, std::move(kernel));
    return true;
  }

  // -- elementwise operators and means
  // -----------------------------------------------------------------------------

  bool rewrite_binary(std::size_t index) {
    Step& step = steps_[index];
    const Node& node = *step.node;
    const bool product = node.is("Mul");
    if ((!product && !node.is("Add")) || step.inputs.size() != 2) return false;
    const Form* a = form_of(step, 0);
    const Form* b = form_of(step, 1);
    const Shape* shape_a = shape_of(node.input(0));
    const Shape* shape_b = shape_of(node.input(1));
    if (a == nullptr || b == nullptr || shape_a == nullptr || shape_b == nullptr ||
        shape_a->size() != shape_b->size()) {
      return false;
    }
    const std::optional<Chain> chain = chain_behind(step);
    const std::optional<onednn::Activation> activation = chain ? only_activation(*chain) : std::nullopt;
    if (!activation) return false;
    const QuantParams& target = chain->target;
    const IntegerLimits limits = integer_limits(target.type);
    kernels::IntegerBinary binary{product, a->params, b->params, target, limits.lo, limits.hi};
    if (activation->kind == onednn::Activation::Kind::kRelu && activation->alpha == 0) {
      binary.low = target.zero_point;
    } else if (activation->kind == onednn::Activation::Kind::kClip) {
      binary.low = target.quantize(activation->alpha);
      binary.high = target.quantize(activation->beta);
    } else if (activation->kind != onednn::Activation::Kind::kNone) {
      return false;
    }
    const std::vector<Place> inputs = {{a->place, false}, {b->place, false}};
    replace(std::move(step), &*chain, inputs, kernels::make_integer_binary(binary));
    return true;
  }

  /// Add of a constant vector along the last dim: the bias behind a MatMul whose result is quantized.
  bool rewrite_add_vector(std::size_t index) {
    Step& step = steps_[index];
    if (!step.node->is("Add") || step.inputs.size() != 2) return false;
    const std::size_t position = varies(step, 0) ? 0 : 1;
    const Form* source = form_of(step, position);
    const Tensor* vector = constant_at(step, 1 - position);
    const Shape* shape = shape_of(step.node->input(position));
    if (source == nullptr || vector == nullptr || shape == nullptr || shape->empty() ||
        vector->type() != DataType::kFloat || vector->rank() != 1 || !shape->back().known() ||
        shape->back().value() != vector->size()) {
      return false;
    }
    const std::optional<Chain> chain = chain_behind(step);
    if (!chain || chain->steps.size() != 1) return false;
    const std::span<const float> values = vector->data<float>();
    const Place input{source->place, false};
    replace(std::move(step), &*chain, {input},
            kernels::make_integer_add_vector(source->params, chain->target, {values.begin(), values.end()}));
    return true;
  }

  bool rewrite_average(std::size_t index) {
    Step& step = steps_[index];
    const Form* source = step.node->is("GlobalAveragePool") ? form_of(step, 0) : nullptr;
    if (source == nullptr) return false;
    const std::optional<Chain> chain = chain_behind(step);
    if (!chain || chain->steps.size() != 1) return false;
    const Place input{source->place, false};
    replace(std::move(step), &*chain, {input},
            kernels::make_integer_global_average(source->params, chain->target));
    return true;
  }

  /// One function after the other on all 256 integers gives a table.
  bool rewrite_functions(std::size_t index) {
    Step& step = steps_[index];
    if (!is_function(step)) return false;
    const Form* source = nullptr;
    for (std::size_t i = 0; i < step.inputs.size() && source == nullptr; ++i) source = form_of(step, i);
    if (source == nullptr) return false;
    const std::optional<Chain> chain = chain_behind(step);
    if (!chain) return false;
    kernels::IntegerTable table{source->params.type, chain->target.type, {}};
    std::vector<float> reals(table.bytes.size());
    for (std::size_t byte = 0; byte < reals.size(); ++byte) {
      const int value =
          table.source == DataType::kInt8 ? static_cast<std::int8_t>(byte) : static_cast<int>(byte);
      reals[byte] = source->params.dequantize(value);
    }
    std::optional<Tensor> values = apply(step, Tensor::of<float>({256}, reals));
    for (const std::size_t next : chain->steps) {
      if (values) values = apply(steps_[next], *values);
    }
    if (!values || values->size() != 256 || values->type() != table.target) return false;
    std::ranges::transform(values->bytes(), table.bytes.begin(),
                           [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
    const Place input{source->place, false};
    replace(std::move(step), &*chain, {input}, kernels::make_integer_table(table));
    return true;
  }

  /// The step's function of a tensor; nullopt where it fails.
  std::optional<Tensor> apply(const Step& step, const Tensor& values) const {
    std::vector<const Tensor*> inputs;
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      inputs.push_back(varies(step, i) ? &values : constant_at(step, i));
    }
    Result<std::vector<Tensor>> outputs = evaluate_node(*step.node, inputs, INT64_MAX);
    if (!outputs.ok() || outputs->size() != 1) return std::nullopt;
    return std::move((*outputs)[0]);
  }

  // -- operators that move values
  // ----------------------------------------------------------------------------------

  /// The step works on integers; its float output is made of theirs, if anybody reads it.
  void pass_integers(Step step, std::vector<Place> inputs, const Form& form) {
    Step dequantize;
    dequantize.node = form.node;
    dequantize.opset = form.node->graph()->opset(form.node->domain());
    dequantize.operators = "DequantizeLinear";
    dequantize.outputs = step.outputs;
    dequantize.made = std::exchange(step.made, {});
    Result<std::unique_ptr<Kernel>> kernel = make_kernel(*form.node);
    dequantize.kernel = std::move(kernel).value();  // the plan has one of it already
    const Place target = new_place();
    dequantize.inputs = {target};
    dequantize.inputs.insert(dequantize.inputs.end(), form.parameters.begin(), form.parameters.end());
    forms_[static_cast<std::size_t>(dequantize.outputs[0].index)] =
        Form{target.index, form.params, form.node, form.parameters};
    step.inputs = std::move(inputs);
    step.outputs = {target};
    step.operators += " int8";
    push(std::move(step));
    push(std::move(dequantize));
  }

  bool rewrite_passing(Step& step) {
    const Node& node = *step.node;
    if (!node.domain().empty() || std::ranges::find(kPassing, node.op_type()) == kPassing.end()) return false;
    const Form* form = form_of(step, 0);
    if (form == nullptr || !only_first_output(step)) return false;
    std::vector<Place> inputs = step.inputs;
    inputs[0] = {form->place, false};
    const Form source = *form;
    pass_integers(std::move(step), std::move(inputs), source);
    return true;
  }

  static bool only_first_output(const Step& step) {
    if (step.outputs.empty() || !step.outputs[0].exists()) return false;
    return std::none_of(step.outputs.begin() + 1, step.outputs.end(),
                        [](Place place) { return place.exists(); });
  }

  /// Concat of integers, which are brought to the scale of the result first.
  bool rewrite_concat(std::size_t index) {
    Step& step = steps_[index];
    if (!step.node->is("Concat")) return false;
    std::vector<Form> forms;
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      const Form* form = form_of(step, i);
      if (form == nullptr) return false;
      forms.push_back(*form);
    }
    if (forms.empty()) return false;
    std::vector<Place> inputs;
    inputs.reserve(forms.size());
    for (const Form& form : forms) inputs.push_back({form.place, false});
    if (std::ranges::all_of(forms, [&](const Form& form) { return form.params == forms[0].params; })) {
      pass_integers(std::move(step), std::move(inputs), forms[0]);
      return true;
    }
    const std::optional<Chain> chain = chain_behind(step);
    if (!chain || chain->steps.size() != 1) return false;
    for (std::size_t i = 0; i < forms.size(); ++i) {
      if (forms[i].params == chain->target) continue;
      kernels::IntegerTable table{forms[i].params.type, chain->target.type, {}};
      for (std::size_t byte = 0; byte < table.bytes.size(); ++byte) {
        const int value =
            table.source == DataType::kInt8 ? static_cast<std::int8_t>(byte) : static_cast<int>(byte);
        table.bytes[byte] =
            static_cast<std::uint8_t>(chain->target.quantize(forms[i].params.dequantize(value)));
      }
      Step scale;
      scale.node = step.node;
      scale.operators = "Requantize int8";
      scale.kernel = kernels::make_integer_table(table);
      scale.inputs = {inputs[i]};
      inputs[i] = new_place();
      scale.outputs = {inputs[i]};
      push(std::move(scale));
    }
    std::unique_ptr<Kernel> kernel = std::move(step.kernel);
    replace(std::move(step), &*chain, std::move(inputs), std::move(kernel));
    return true;
  }

  // -- QLinear operators
  // -------------------------------------------------------------------------------------------

  bool rewrite_qlinear(Step& step) {
    const std::string_view type = step.node->op_type();
    if (type == "QLinearConv") return rewrite_qlinear_linear(step, {}, true);
    if (type == "QLinearMatMul") return rewrite_qlinear_linear(step, {.axis = 1}, false);
    if (type == "QGemm" && step.node->int_attribute("transA", 0) == 0) {
      const std::size_t axis = step.node->int_attribute("transB", 0) != 0 ? 0 : 1;
      return rewrite_qlinear_linear(step, {.axis = axis, .bias = 6, .target = 7}, false);
    }
    if (type == "QLinearGlobalAveragePool") return rewrite_qlinear_average(step);
    if (type == "QLinearAdd") return rewrite_qlinear_binary(step, false);
    if (type == "QLinearMul") return rewrite_qlinear_binary(step, true);
    return false;
  }

  /// True where the inputs from `first` on are constants or left out.
  static bool constants_from(const Step& step, std::size_t first) {
    for (std::size_t i = first; i < step.inputs.size(); ++i) {
      if (varies(step, i)) return false;
    }
    return true;
  }

  /// Where a QLinear operator with weights has its inputs.
  struct LinearInputs {
    std::size_t axis = 0;  // of the output channels of the weights
    std::size_t bias = 8;
    std::size_t target = 6;  // the scale; the zero point behind it
  };

  bool rewrite_qlinear_linear(Step& step, const LinearInputs& at, bool conv) {
    if (!varies(step, 0) || !constants_from(step, 1)) return false;
    const std::optional<QuantParams> source = tensor_params(constant_at(step, 1), constant_at(step, 2));
    const Tensor* values = constant_at(step, 3);
    std::optional<Weights> weights =
        make_weights(values, constant_at(step, 4), constant_at(step, 5), at.axis);
    if (!source || !weights || (!conv && weights->values.rank() != 2)) return false;
    for (float& scale : weights->scales) scale *= step.node->float_attribute("alpha", 1);
    if (!std::ranges::all_of(weights->scales, is_normal_scale)) return false;
    IntegerLinear linear{*source, {}, weights->values, weights->scales, {}, {}};
    if (constant_at(step, at.target) != nullptr) {
      linear.target = tensor_params(constant_at(step, at.target), constant_at(step, at.target + 1));
      if (!linear.target) return false;
    }
    if (const Tensor* bias = constant_at(step, at.bias); bias != nullptr) {
      const bool one_row = bias->rank() == 1 || (bias->rank() == 2 && bias->dims()[0] == 1);
      if (bias->type() != DataType::kInt32 || bias->size() != weights->values.dims()[at.axis] || !one_row) {
        return false;
      }
      for (std::size_t c = 0; c < static_cast<std::size_t>(bias->size()); ++c) {
        const float scale = weights->scales[weights->scales.size() > 1 ? c : 0];
        linear.bias.push_back(static_cast<float>(bias->data<std::int32_t>()[c]) * (source->scale * scale));
      }
    }
    std::unique_ptr<Kernel> kernel = conv ? kernels::make_integer_convolution(std::move(linear))
                                          : kernels::make_integer_product(std::move(linear), at.axis == 0);
    const Place input = step.inputs[0];
    replace(std::move(step), nullptr, {input}, std::move(kernel));
    return true;
  }

  bool rewrite_qlinear_average(Step& step) {
    if (!varies(step, 0) || !constants_from(step, 1) || step.node->int_attribute("channels_last", 0) != 0) {
      return false;
    }
    const std::optional<QuantParams> source = tensor_params(constant_at(step, 1), constant_at(step, 2));
    const std::optional<QuantParams> target = tensor_params(constant_at(step, 3), constant_at(step, 4));
    if (!source || !target) return false;
    const Place input = step.inputs[0];
    replace(std::move(step), nullptr, {input}, kernels::make_integer_global_average(*source, *target));
    return true;
  }

  bool rewrite_qlinear_binary(Step& step, bool product) {
    if (step.inputs.size() < 7 || !varies(step, 0) || !varies(step, 3)) return false;
    for (const std::size_t i :
         {std::size_t{1}, std::size_t{2}, std::size_t{4}, std::size_t{5}, std::size_t{6}, std::size_t{7}}) {
      if (varies(step, i)) return false;
    }
    const std::optional<QuantParams> a = tensor_params(constant_at(step, 1), constant_at(step, 2));
    const std::optional<QuantParams> b = tensor_params(constant_at(step, 4), constant_at(step, 5));
    const std::optional<QuantParams> target = tensor_params(constant_at(step, 6), constant_at(step, 7));
    const Shape* shape_a = shape_of(step.node->input(0));
    const Shape* shape_b = shape_of(step.node->input(3));
    if (!a || !b || !target || shape_a == nullptr || shape_b == nullptr ||
        shape_a->size() != shape_b->size()) {
      return false;
    }
    const IntegerLimits limits = integer_limits(target->type);
    const std::vector<Place> inputs = {step.inputs[0], step.inputs[3]};
    replace(std::move(step), nullptr, inputs,
            kernels::make_integer_binary({product, *a, *b, *target, limits.lo, limits.hi}));
    return true;
  }

  /// MatMulInteger and ConvInteger.
  bool rewrite_sums(Step& step) {
    const bool conv = step.node->is("ConvInteger");
    if ((!conv && !step.node->is("MatMulInteger")) || !varies(step, 0) || varies(step, 3)) return false;
    const Tensor* values = constant_at(step, 1);
    const std::size_t axis = conv ? 0 : 1;
    const bool fits = values != nullptr && is_byte(values->type()) && values->rank() == (conv ? 4 : 2) &&
                      values->size() > 0 && has_one_element(step, 2);
    std::optional<Tensor> weights = fits ? centred(*values, constant_at(step, 3), axis) : std::nullopt;
    if (!weights) return false;
    std::vector<Place> inputs = {step.inputs[0]};
    if (step.inputs.size() > 2) inputs.push_back(step.inputs[2]);
    replace(std::move(step), nullptr, std::move(inputs),
            conv ? kernels::make_integer_convolution_sums(std::move(*weights))
                 : kernels::make_integer_product_sums(std::move(*weights)));
    return true;
  }

  /// True where the input is left out, or known to be one element.
  bool has_one_element(const Step& step, std::size_t input) const {
    if (!varies(step, input))
      return constant_at(step, input) == nullptr || constant_at(step, input)->size() == 1;
    const Shape* shape = shape_of(step.node->input(input));
    return shape != nullptr &&
           std::ranges::all_of(*shape, [](const Dim& dim) { return dim.known() && dim.value() == 1; });
  }

  // -- the end
  // -----------------------------------------------------------------------------------------------------

  /// DequantizeLinear steps whose readers have all gone over to the integers.
  void drop_unread() {
    std::vector<Step>& steps = plan_.steps_;
    const std::vector<GraphPlan::Readers> readers = plan_.find_readers();
    std::erase_if(steps, [&](const Step& step) {
      if (step.operators != "DequantizeLinear" || !step.outputs[0].exists()) return false;
      const GraphPlan::Readers& of = readers[static_cast<std::size_t>(step.outputs[0].index)];
      return of.count == 0 && !of.pinned;
    });
  }

  GraphPlan& plan_;
  std::vector<GraphPlan::Readers> readers_;  // of the steps as they were
  std::vector<Step> steps_;
  std::vector<bool> consumed_;
  std::vector<std::optional<Form>> forms_;  // by place
  std::unordered_map<int, int> replaced_;   // places that another one stands for
};

void use_integers(GraphPlan& plan) {
  IntegerSteps(plan).run();
}

}  // namespace press
