#include "press/ir/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <unordered_set>
#include <utility>

#include "press/support/hash.h"
#include "press/support/text.h"

namespace press {

// -- Value
// ---------------------------------------------------------------------------------------------------------

namespace {
Type type_of(const Tensor& tensor) {
  return Type{tensor.type(), Shape(tensor.dims().begin(), tensor.dims().end()), {}};
}
}  // namespace

Value::Value(GraphKey /*key*/, Graph* graph, Origin origin, std::string name, std::size_t number)
    : graph_(graph), origin_(origin), number_(number), uses_(graph->memory()), name_(std::move(name)) {}

void Value::set_name(std::string name) {
  graph_->count_edit();
  name_ = std::move(name);
}

void Value::set_type(Type type) {
  graph_->count_edit();
  type_ = std::move(type);
}

void Value::set_constant(Tensor tensor) {
  assert(is_constant());
  graph_->count_edit();
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

Node::Node(GraphKey /*key*/, Graph* graph, std::string op_type, std::string domain)
    : graph_(graph),
      op_type_(std::move(op_type)),
      domain_(std::move(domain)),
      inputs_(graph->memory()),
      outputs_(graph->memory()) {}

void Node::set_op_type(std::string op_type) {
  graph_->count_edit();
  op_type_ = std::move(op_type);
}

void Node::set_name(std::string name) {
  graph_->count_edit();
  name_ = std::move(name);
}

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
  graph_->count_edit();
  const auto found = std::ranges::find(attributes_, name, &Attribute::name);
  if (found != attributes_.end()) {
    found->value = std::move(value);
  } else {
    attributes_.push_back({std::move(name), std::move(value), {}});
  }
  attributes_changed();
}

void Node::remove_attribute(std::string_view name) {
  const auto is_it = [&](const Attribute& attribute) { return attribute.name == name; };
  if (std::erase_if(attributes_, is_it) == 0) return;
  graph_->count_edit();
  attributes_changed();
}

void Node::attributes_changed() {
  const bool before =
      std::exchange(has_subgraphs_, std::ranges::any_of(attributes_, [](const Attribute& attribute) {
                      return std::holds_alternative<std::shared_ptr<Graph>>(attribute.value) ||
                             std::holds_alternative<std::vector<std::shared_ptr<Graph>>>(attribute.value);
                    }));
  if (has_subgraphs_ && !before) ++graph_->nodes_with_subgraphs_;
  if (!has_subgraphs_ && before) --graph_->nodes_with_subgraphs_;
}

std::vector<Graph*> Node::subgraphs() const {
  std::vector<Graph*> graphs;
  if (!has_subgraphs_) return graphs;
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
  return next != graph_->nodes_.end() ? *next : nullptr;
}

Node* Node::previous() const {
  return position_ != graph_->nodes_.begin() ? *std::prev(position_) : nullptr;
}

// -- Graph: reading
// ------------------------------------------------------------------------------------------------

Graph::Graph(Graph* outer) : outer_(outer), nodes_(memory()), values_(memory()) {}

std::pmr::polymorphic_allocator<> Graph::memory() {
#ifdef __SANITIZE_ADDRESS__
  return std::pmr::new_delete_resource();  // the sanitizer shall see who uses an erased node
#else
  return &pool_;
#endif
}

Graph::~Graph() {
  if (outer_ != nullptr || has_subgraphs()) {
    // Subgraphs die while the outer values they use, and the other users of these, are still there.
    for (Node* node : nodes_) {
      for (const Node::Input& input : node->inputs_) {
        if (input.value != nullptr && input.value->graph_ != this) input.value->remove_use(input.use_slot);
      }
      node->attributes_.clear();
    }
  }
  for (Node* node : nodes_) memory().delete_object(node);
  for (Value* value : values_) memory().delete_object(value);
}

namespace {
const Graph& outermost(const Graph& graph) {
  const Graph* root = &graph;
  while (root->outer() != nullptr) root = root->outer();
  return *root;
}
}  // namespace

Graph& Graph::outermost() {
  Graph* root = this;
  while (root->outer_ != nullptr) root = root->outer_;
  return *root;
}

std::uint64_t Graph::revision() const {
  return press::outermost(*this).edits_;
}

std::size_t Graph::value_bound() const {
  return press::outermost(*this).values_added_;
}

std::int64_t Graph::opset(std::string_view domain) const {
  for (const auto& [imported, version] : press::outermost(*this).opsets_) {
    if (imported == domain) return version;
  }
  return 0;
}

void Graph::set_opset(std::string domain, std::int64_t version) {
  count_edit();
  auto& opsets = outermost().opsets_;
  for (auto& [imported, current] : opsets) {
    if (imported == domain) {
      current = version;
      return;
    }
  }
  opsets.emplace_back(std::move(domain), version);
}

const std::vector<std::shared_ptr<const Function>>& Graph::functions() const {
  return press::outermost(*this).functions_;
}

const Function* Graph::called_function(const Node& node) const {
  for (const std::shared_ptr<const Function>& function : functions()) {
    if (node.is(function->name, function->domain)) return function.get();
  }
  return nullptr;
}

void Graph::add_function(std::shared_ptr<const Function> function) {
  count_edit();
  outermost().functions_.push_back(std::move(function));
}

std::size_t Graph::erase_unused_functions(std::optional<std::string_view> domain) {
  std::unordered_set<const Function*> used;
  const std::function<void(const Graph&)> mark = [&](const Graph& graph) {
    for_each_node(graph, [&](const Node* node) {
      const Function* called = called_function(*node);
      if (called != nullptr && used.insert(called).second) mark(*called->body);
    });
  };
  if (functions_.empty()) return 0;
  count_edit();
  mark(*this);
  return std::erase_if(functions_, [&](const auto& function) {
    return !used.contains(function.get()) && (!domain || function->domain == *domain);
  });
}

std::vector<Node*> Graph::nodes_snapshot() const {
  return {nodes_.begin(), nodes_.end()};
}

bool Graph::is_output(const Value* value) const {
  return std::ranges::any_of(value->uses_, [](const Use& use) { return use.node == nullptr; });
}

std::vector<Value*> Graph::constants() const {
  std::vector<Value*> constants;
  constants.reserve(constant_count_);
  for (Value* value : values()) {
    if (value->is_constant()) constants.push_back(value);
  }
  return constants;
}

// -- Graph: edits
// --------------------------------------------------------------------------------------------------

// NOLINTNEXTLINE(performance-unnecessary-value-param): the name moves into the value
Value* Graph::new_value(Value::Origin origin, std::string name) {
  used_names_.insert(hash_bytes(name));
  if (origin == Value::Origin::kConstant) ++constant_count_;
  Value* value =
      memory().new_object<Value>(GraphKey(), this, origin, std::move(name), outermost().values_added_++);
  value->position_ = values_.insert(values_.end(), value);
  return value;
}

void Graph::forget(Value* value) {
  if (value->is_constant()) --constant_count_;
  values_.erase(value->position_);
  memory().delete_object(value);
}

Value* Graph::add_input(std::string name, Type type, Tensor default_value) {
  count_edit();
  Value* value = new_value(Value::Origin::kGraphInput, std::move(name));
  value->type_ = std::move(type);
  value->tensor_ = std::move(default_value);
  inputs_.push_back(value);
  return value;
}

void Graph::add_output(std::string name, Value* value, Type type) {
  assert(value != nullptr && value->graph_ == this);
  count_edit();
  outputs_.push_back({std::move(name), value, std::move(type), {}, 0});
  value->add_use(nullptr, outputs_.size() - 1);
}

GraphOutput& Graph::output_slot(std::size_t index) {
  count_edit();
  return outputs_[index];
}

Value* Graph::add_constant(Tensor tensor, std::string name) {
  count_edit();
  Value* value = new_value(Value::Origin::kConstant, name.empty() ? fresh_name("constant") : std::move(name));
  value->type_ = type_of(tensor);
  value->tensor_ = std::move(tensor);
  return value;
}

Node* Graph::add_node(NodeSpec spec, Node* before) {
  assert(before == nullptr || before->graph_ == this);
  count_edit();
  Node* node = memory().new_object<Node>(GraphKey(), this, std::move(spec.op_type), std::move(spec.domain));
  node->position_ = nodes_.insert(before != nullptr ? before->position_ : nodes_.end(), node);
  node->name_ = std::move(spec.name);
  node->attributes_ = std::move(spec.attributes);
  node->attributes_changed();
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
  count_edit();
  if (index >= node->inputs_.size()) node->inputs_.resize(index + 1);
  Node::Input& input = node->inputs_[index];
  if (input.value != nullptr) input.value->remove_use(input.use_slot);
  input.value = value;
  if (value != nullptr) value->add_use(node, index);
}

void Graph::truncate_inputs(Node* node, std::size_t count) {
  count_edit();
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
  count_edit();
  GraphOutput& slot = outputs_[index];
  slot.value->remove_use(slot.use_slot);
  slot.value = value;
  value->add_use(nullptr, index);
}

void Graph::move_before(Node* node, Node* before) {
  assert(node->graph_ == this && before->graph_ == this);
  count_edit();
  nodes_.splice(before->position_, nodes_, node->position_);
}

void Graph::erase(Node* node) {
  assert(node->graph_ == this);
  count_edit();
  node->attributes_.clear();
  node->attributes_changed();
  for (std::size_t i = 0; i < node->inputs_.size(); ++i) {
    if (node->inputs_[i].value != nullptr) set_input(node, i, nullptr);
  }
  for (Value* output : node->outputs_) {
    if (output == nullptr) continue;
    assert(output->uses_.empty());
    forget(output);
  }
  nodes_.erase(node->position_);
  memory().delete_object(node);
}

void Graph::erase(Value* value) {
  assert(value->graph_ == this && value->uses_.empty() && value->is_constant());
  count_edit();
  forget(value);
}

std::string Graph::fresh_name(std::string_view stem) {
  std::string name(stem);
  if (used_names_.insert(hash_bytes(stem))) return name;
  std::size_t& next = next_suffixes_.try_emplace(std::string(stem), 1).first->second;
  do {
    name = fmt::format("{}_{}", stem, next++);
  } while (!used_names_.insert(hash_bytes(name)));
  return name;
}

// -- whole graphs
// --------------------------------------------------------------------------------------------------

void for_each_node(const Graph& graph, const std::function<void(Node*)>& visit) {
  for (Node* node : graph.nodes()) {
    visit(node);
    for (const Graph* inner : node->subgraphs()) for_each_node(*inner, visit);
  }
}

}  // namespace press
