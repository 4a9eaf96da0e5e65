#include <unordered_map>

#include <fmt/format.h>

#include "press/ir/graph.h"

namespace press {
namespace {

/// Copies graphs; values of outer graphs that are being copied too are found in `copies_`. With a call, the
/// graphs are the body of the function that it calls.
class Cloner {
 public:
  explicit Cloner(const Function* function = nullptr, const Node* call = nullptr)
      : function_(function), call_(call) {}

  std::unique_ptr<Graph> copy(const Graph& source, Graph* outer) {
    auto target = std::make_unique<Graph>(outer);
    target->set_name(source.name());
    target->opaque = source.opaque;
    for (const auto& [domain, version] : source.opsets()) target->set_opset(domain, version);
    if (outer == nullptr) {
      const Graph& model = call_ != nullptr ? *call_->graph() : source;
      for (const std::shared_ptr<const Function>& function : model.functions())
        target->add_function(function);
    }
    for (const Value* input : source.inputs()) {
      note(input,
           target->add_input(input->name(), input->type(), input->tensor() ? *input->tensor() : Tensor()));
    }
    for (const Value* constant : source.constants()) {
      Value* copy = target->add_constant(*constant->tensor(), constant->name());
      copy->set_type(constant->type());
      copy->sparse = constant->sparse;
      copy->legacy_input_position = constant->legacy_input_position;
      note(constant, copy);
    }
    for (const Node* node : source.nodes()) copy_node(*node, target.get(), nullptr);
    for (const GraphOutput& output : source.outputs()) {
      target->add_output(output.name, at(output.value), output.type);
      target->output_slot(target->outputs().size() - 1).opaque = output.opaque;
    }
    return target;
  }

  /// The function's body in place of `call`.
  void copy_inline(Node* call) {
    Graph* target = call->graph();
    const Graph& body = *function_->body;
    for (std::size_t i = 0; i < body.inputs().size(); ++i) copies_[body.inputs()[i]] = call->input(i);
    for (const Node* node : body.nodes()) copy_node(*node, target, call);
    for (std::size_t i = 0; i < call->output_count(); ++i) {
      Value* old_value = call->output(i);
      if (old_value == nullptr) continue;
      Value* new_value = at(body.outputs()[i].value);
      if (new_value->producer() != nullptr && new_value->graph() == target) {
        new_value->set_name(old_value->name());
        if (old_value->type().is_tensor()) new_value->set_type(old_value->type());
      }
      target->replace_all_uses(old_value, new_value);
    }
    target->erase(call);
  }

 private:
  void note(const Value* source, Value* target) {
    target->opaque = source->opaque;
    target->tensor_opaque = source->tensor_opaque;
    copies_[source] = target;
  }

  Value* at(const Value* source) const { return source != nullptr ? copies_.at(source) : nullptr; }

  void copy_node(const Node& node, Graph* target, Node* before) {
    NodeSpec spec{
        .op_type = node.op_type(), .inputs = {}, .outputs = {}, .name = node.name(), .domain = node.domain()};
    for (const Value* input : node.inputs()) spec.inputs.push_back(at(input));
    for (const Value* output : node.outputs()) {
      if (output == nullptr) {
        spec.outputs.emplace_back(kOmittedOutput);
      } else {
        spec.outputs.push_back(before != nullptr ? target->fresh_name(output->name()) : output->name());
      }
    }
    for (const Attribute& attribute : node.attributes()) {
      const AttributeValue* value = value_of(attribute);
      if (value == nullptr) continue;
      const bool referred = value != &attribute.value;
      spec.attributes.push_back({attribute.name, copy_attribute(*value, target),
                                 referred ? std::string() : attribute.opaque,
                                 referred ? std::string() : attribute.reference});
    }
    Node* copy = target->add_node(std::move(spec), before);
    copy->opaque = node.opaque;
    for (std::size_t i = 0; i < node.output_count(); ++i) {
      if (node.output(i) == nullptr) continue;
      copy->output(i)->set_type(node.output(i)->type());
      note(node.output(i), copy->output(i));
    }
  }

  /// What the attribute holds in this call; null where neither the call nor a default says it.
  const AttributeValue* value_of(const Attribute& attribute) const {
    if (call_ == nullptr || attribute.reference.empty()) return &attribute.value;
    if (const Attribute* given = call_->attribute(attribute.reference); given != nullptr)
      return &given->value;
    for (const Attribute& preset : function_->defaults) {
      if (preset.name == attribute.reference.text()) return &preset.value;
    }
    return nullptr;
  }

  AttributeValue copy_attribute(const AttributeValue& value, Graph* target) {
    if (const auto* graph = std::get_if<std::shared_ptr<Graph>>(&value)) {
      return std::shared_ptr<Graph>(copy(**graph, target));
    }
    if (const auto* graphs = std::get_if<std::vector<std::shared_ptr<Graph>>>(&value)) {
      std::vector<std::shared_ptr<Graph>> copied;
      for (const std::shared_ptr<Graph>& graph : *graphs) copied.push_back(copy(*graph, target));
      return copied;
    }
    return value;
  }

  const Function* function_;
  const Node* call_;
  std::unordered_map<const Value*, Value*> copies_;
};

Status check_call(const Function& function, const Node& call) {
  if (call.input_count() > function.body->inputs().size() ||
      call.output_count() > function.body->outputs().size()) {
    return Error(ErrorCode::kInput,
                 fmt::format("node {} has more inputs or outputs than the function '{}' that it calls",
                             call.label(), function.name));
  }
  return {};
}

}  // namespace

Model clone(const Model& model) {
  return Model{model.ir_version, Cloner().copy(*model.graph, nullptr), model.opaque, model.metadata};
}

Result<std::unique_ptr<Graph>> instantiate(const Function& function, const Node& call) {
  PRESS_TRY(check_call(function, call));
  return Cloner(&function, &call).copy(*function.body, nullptr);
}

Status inline_call(Node* call) {
  const Function* function = call->graph()->called_function(*call);
  PRESS_TRY(check_call(*function, *call));
  Graph* outermost = call->graph();
  while (outermost->outer() != nullptr) outermost = outermost->outer();
  for (const auto& [domain, version] : function->body->opsets()) {
    const std::int64_t known = call->graph()->opset(domain);
    if (known == 0) outermost->set_opset(domain, version);
    if (known == 0 || known == version) continue;
    return Error(ErrorCode::kUnsupported,
                 fmt::format("function '{}' is written for version {} of operator set '{}', the model for {}",
                             function->name, version, domain.empty() ? "ai.onnx" : domain, known));
  }
  Cloner(function, call).copy_inline(call);
  return {};
}

}  // namespace press
