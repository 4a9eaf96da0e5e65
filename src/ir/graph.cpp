#include "press/ir/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "press/support/text.h"

namespace press {

// -- Value
// ---------------------------------------------------------------------------------------------------------

namespace {
Type type_of(const Tensor& tensor) {
  return Type{tensor.type(), Shape(tensor.dims().begin(), tensor.dims().end()), {}};
}
}  // namespace

void Value::set_constant(Tensor tensor) {
  assert(is_constant());
  type_ = type_of(tensor);
  tensor_ = std::move(tensor);
  sparse.clear();
}

void Value::add_use(Node* node, std::size_t index) {
  const std::size_t slot = uses_.size();
  uses_.push_back({node, index});
  if (node != nullptr) {
    node->inputs_[index].use_slot = slot;
  } else {
    graph_->outputs_[index].use_slot = slot;
  }
}

void Value::remove_use(std::size_t slot) {
  assert(slot < uses_.size());
  const Use moved = uses_.back();
  uses_.pop_back();
  if (slot == uses_.size()) return;
  uses_[slot] = moved;
  if (moved.node != nullptr) {
    moved.node->inputs_[moved.index].use_slot = slot;
  } else {
    graph_->outputs_[moved.index].use_slot = slot;
  }
}

// -- Node
// ----------------------------------------------------------------------------------------------------------

std::string Node::label() const {
  std::string operation = escaped(op_type_);
  if (!name_.empty()) return fmt::format("{} ({})", quoted(name_), operation);
  for (const Value* output : outputs_) {
    if (output != nullptr) return fmt::format("{} that makes {}", operation, quoted(output->name()));
  }
  return operation;
}

std::vector<Value*> Node::inputs() const {
  std::vector<Value*> values;
  values.reserve(inputs_.size());
  for (const Input& input : inputs_) values.push_back(input.value);
  return values;
}

const Attribute* Node::attribute(std::string_view name) const {
  const auto found = std::ranges::find(attributes_, name, &Attribute::name);
  return found != attributes_.end() ? &*found : nullptr;
}

namespace {
template <typename T>
const T* attribute_as(const Node& node, std::string_view name) {
  const Attribute* attribute = node.attribute(name);
  return attribute != nullptr ? std::get_if<T>(&attribute->value) : nullptr;
}
}  // namespace

std::int64_t Node::int_attribute(std::string_view name, std::int64_t fallback) const {
  const auto* value = attribute_as<std::int64_t>(*this, name);
  return value != nullptr ? *value : fallback;
}

float Node::float_attribute(std::string_view name, float fallback) const {
  const auto* value = attribute_as<float>(*this, name);
  return value != nullptr ? *value : fallback;
}

std::string Node::string_attribute(std::string_view name, std::string_view fallback) const {
  const auto* value = attribute_as<std::string>(*this, name);
  return value != nullptr ? *value : std::string(fallback);
}

std::vector<std::int64_t> Node::ints_attribute(std::string_view name,
                                               const std::vector<std::int64_t>& fallback) const {
  const auto* value = attribute_as<std::vector<std::int64_t>>(*this, name);
  return value != nullptr ? *value : fallback;
}

std::vector<float> Node::floats_attribute(std::string_view name, const std::vector<float>& fallback) const {
  const auto* value = attribute_as<std::vector<float>>(*this, name);
  return value != nullptr ? *value : fallback;
}

const Tensor* Node::tensor_attribute(std::string_view name) const {
  return attribute_as<Tensor>(*this, name);
}

const Graph* Node::graph_attribute(std::string_view name) const {
  const auto* value = attribute_as<std::shared_ptr<Graph>>(*this, name);
  return value != nullptr ? value->get() : nullptr;
}

void Node::set_attribute(std::string name, AttributeValue value) {
  const auto found = std::ranges::find(attributes_, name, &Attribute::name);
  if (found != attributes_.end()) {
    found->value = std::move(value);
  } else {
    attributes_.push_back({std::move(name), std::move(value), {}});
  }
}

void Node::remove_attribute(std::string_view name) {
  std::erase_if(attributes_, [&](const Attribute& attribute) { return attribute.name == name; });
}

std::vector<Graph*> Node::subgraphs() const {
  std::vector<Graph*> graphs;
  for (const Attribute& attribute : attributes_) {
    if (const auto* one = std::get_if<std::shared_ptr<Graph>>(&attribute.value)) graphs.push_back(one->get());
    if (const auto* many = std::get_if<std::vector<std::shared_ptr<Graph>>>(&attribute.value)) {
      for (const std::shared_ptr<Graph>& graph : *many) graphs.push_back(graph.get());
    }
  }
  return graphs;
}

Node* Node::next() const {
  const auto next = std::next(position_);
  return next != graph_->nodes_.end() ? next->get() : nullptr;
}

Node* Node::previous() const {
  return position_ != graph_->nodes_.begin() ? std::prev(position_)->get() : nullptr;
}

// -- Graph: reading
// ------------------------------------------------------------------------------------------------

Graph::~Graph() {
  // Subgraphs die while the outer values they use are still there.
  for (const std::unique_ptr<Node>& node : nodes_) {
    for (std::size_t i = 0; i < node->inputs_.size(); ++i) {
      if (Value* value = node->inputs_[i].value; value != nullptr && value->graph_ != this) {
        value->remove_use(node->inputs_[i].use_slot);
      }
    }
    node->attributes_.clear();
  }
}

std::int64_t Graph::opset(std::string_view domain) const {
  const Graph* root = this;
  while (root->outer_ != nullptr) root = root->outer_;
  for (const auto& [imported, version] : root->opsets_) {
    if (imported == domain) return version;
  }
  return 0;
}

void Graph::set_opset(std::string domain, std::int64_t version) {
  for (auto& [imported, current] : opsets_) {
    if (imported == domain) {
      current = version;
      return;
    }
  }
  opsets_.emplace_back(std::move(domain), version);
}

std::vector<Node*> Graph::nodes_snapshot() const {
  std::vector<Node*> nodes;
  nodes.reserve(nodes_.size());
  for (const std::unique_ptr<Node>& node : nodes_) nodes.push_back(node.get());
  return nodes;
}

bool Graph::is_output(const Value* value) const {
  return std::ranges::any_of(value->uses_, [](const Use& use) { return use.node == nullptr; });
}

std::vector<Value*> Graph::values() const {
  std::vector<Value*> values;
  values.reserve(values_.size());
  for (const std::unique_ptr<Value>& value : values_) values.push_back(value.get());
  return values;
}

std::vector<Value*> Graph::constants() const {
  std::vector<Value*> values;
  for (const std::unique_ptr<Value>& value : values_) {
    if (value->is_constant()) values.push_back(value.get());
  }
  return values;
}

// -- Graph: edits
// --------------------------------------------------------------------------------------------------

Value* Graph::new_value(Value::Origin origin, std::string name) {
  used_names_.try_emplace(name, 1);
  values_.push_back(std::unique_ptr<Value>(new Value(this, origin, std::move(name))));
  Value* value = values_.back().get();
  value->position_ = std::prev(values_.end());
  return value;
}

Value* Graph::add_input(std::string name, Type type, Tensor default_value) {
  Value* value = new_value(Value::Origin::kGraphInput, std::move(name));
  value->type_ = std::move(type);
  value->tensor_ = std::move(default_value);
  inputs_.push_back(value);
  return value;
}

void Graph::add_output(std::string name, Value* value, Type type) {
  assert(value != nullptr && value->graph_ == this);
  outputs_.push_back({std::move(name), value, std::move(type), {}, 0});
  value->add_use(nullptr, outputs_.size() - 1);
}

Value* Graph::add_constant(Tensor tensor, std::string name) {
  Value* value = new_value(Value::Origin::kConstant, name.empty() ? fresh_name("constant") : std::move(name));
  value->type_ = type_of(tensor);
  value->tensor_ = std::move(tensor);
  return value;
}

Node* Graph::add_node(NodeSpec spec, Node* before) {
  assert(before == nullptr || before->graph_ == this);
  const auto position = before != nullptr ? before->position_ : nodes_.end();
  const auto inserted = nodes_.insert(
      position, std::unique_ptr<Node>(new Node(this, std::move(spec.op_type), std::move(spec.domain))));
  Node* node = inserted->get();
  node->position_ = inserted;
  node->name_ = std::move(spec.name);
  node->attributes_ = std::move(spec.attributes);
  for (std::size_t i = 0; i < spec.inputs.size(); ++i) set_input(node, i, spec.inputs[i]);
  if (node->inputs_.size() < spec.inputs.size()) node->inputs_.resize(spec.inputs.size());
  for (std::string& name : spec.outputs) {
    if (name == kOmittedOutput) {
      node->outputs_.push_back(nullptr);
      continue;
    }
    if (name.empty()) name = fresh_name(node->name_.empty() ? node->op_type_ : node->name_);
    Value* value = new_value(Value::Origin::kNodeOutput, std::move(name));
    value->producer_ = node;
    value->producer_index_ = node->outputs_.size();
    node->outputs_.push_back(value);
  }
  return node;
}

void Graph::set_input(Node* node, std::size_t index, Value* value) {
  assert(node->graph_ == this);
  if (index >= node->inputs_.size()) node->inputs_.resize(index + 1);
  Node::Input& input = node->inputs_[index];
  if (input.value != nullptr) input.value->remove_use(input.use_slot);
  input.value = value;
  if (value != nullptr) value->add_use(node, index);
}

void Graph::truncate_inputs(Node* node, std::size_t count) {
  while (node->inputs_.size() > count && node->inputs_.back().value == nullptr) node->inputs_.pop_back();
}

void Graph::replace_all_uses(Value* old_value, Value* new_value) {
  if (old_value == new_value) return;
  while (!old_value->uses_.empty()) {
    const Use use = old_value->uses_.back();
    if (use.node != nullptr) {
      use.node->graph_->set_input(use.node, use.index, new_value);
    } else {
      old_value->graph_->set_output(use.index, new_value);
    }
  }
}

void Graph::set_output(std::size_t index, Value* value) {
  assert(value->graph_ == this);
  GraphOutput& slot = outputs_[index];
  slot.value->remove_use(slot.use_slot);
  slot.value = value;
  value->add_use(nullptr, index);
}

void Graph::move_before(Node* node, Node* before) {
  assert(node->graph_ == this && before->graph_ == this);
  nodes_.splice(before->position_, nodes_, node->position_);
}

void Graph::erase(Node* node) {
  assert(node->graph_ == this);
  node->attributes_.clear();
  for (std::size_t i = 0; i < node->inputs_.size(); ++i) {
    if (node->inputs_[i].value != nullptr) set_input(node, i, nullptr);
  }
  for (Value* output : node->outputs_) {
    if (output == nullptr) continue;
    assert(output->uses_.empty());
    values_.erase(output->position_);
  }
  nodes_.erase(node->position_);
}

void Graph::erase(Value* value) {
  assert(value->graph_ == this && value->uses_.empty() && value->is_constant());
  values_.erase(value->position_);
}

std::string Graph::fresh_name(std::string_view stem) {
  std::string name(stem);
  std::size_t& next = used_names_.try_emplace(name, 0).first->second;
  if (next == 0) {
    next = 1;
    return name;
  }
  std::string candidate;
  do {
    candidate = fmt::format("{}_{}", stem, next++);
  } while (used_names_.contains(candidate));
  used_names_.emplace(candidate, 1);
  return candidate;
}

// -- whole graphs
// --------------------------------------------------------------------------------------------------

void for_each_node(const Graph& graph, const std::function<void(Node*)>& visit) {
  for (Node* node : graph.nodes()) {
    visit(node);
    for (const Graph* inner : node->subgraphs()) for_each_node(*inner, visit);
  }
}

namespace {

/// Copies graphs; values of outer graphs that are being copied too are found in `copies_`.
class Cloner {
 public:
  std::unique_ptr<Graph> copy(const Graph& source, Graph* outer) {
    auto target = std::make_unique<Graph>(outer);
    target->set_name(source.name());
    target->opaque = source.opaque;
    for (const auto& [domain, version] : source.opsets()) target->set_opset(domain, version);
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
    for (const Node* node : source.nodes()) copy_node(*node, target.get());
    for (const GraphOutput& output : source.outputs()) {
      target->add_output(output.name, at(output.value), output.type);
      target->output_slot(target->outputs().size() - 1).opaque = output.opaque;
    }
    return target;
  }

 private:
  void note(const Value* source, Value* target) {
    target->opaque = source->opaque;
    target->tensor_opaque = source->tensor_opaque;
    copies_[source] = target;
  }

  Value* at(const Value* source) const { return source != nullptr ? copies_.at(source) : nullptr; }

  void copy_node(const Node& node, Graph* target) {
    NodeSpec spec{
        .op_type = node.op_type(), .inputs = {}, .outputs = {}, .name = node.name(), .domain = node.domain()};
    for (const Value* input : node.inputs()) spec.inputs.push_back(at(input));
    for (const Value* output : node.outputs()) {
      spec.outputs.emplace_back(output != nullptr ? std::string_view(output->name()) : kOmittedOutput);
    }
    for (const Attribute& attribute : node.attributes()) {
      spec.attributes.push_back({attribute.name, copy_attribute(attribute.value, target), attribute.opaque});
    }
    Node* copy = target->add_node(std::move(spec));
    copy->opaque = node.opaque;
    for (std::size_t i = 0; i < node.output_count(); ++i) {
      if (node.output(i) == nullptr) continue;
      copy->output(i)->set_type(node.output(i)->type());
      note(node.output(i), copy->output(i));
    }
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

  std::unordered_map<const Value*, Value*> copies_;
};

}  // namespace

Model clone(const Model& model) {
  return Model{model.ir_version, Cloner().copy(*model.graph, nullptr), model.opaque, model.metadata};
}

}  // namespace press
