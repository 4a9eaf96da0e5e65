// The graph that every pass reads and edits.
//
// A Graph owns its nodes and values at stable addresses; Node* and Value* are borrowed and live until the
// node is erased or the graph dies. Value is the centre: it has one origin, a type and its uses, which the
// edits keep current. Names are labels for people and files; identity is the pointer. The importer keeps
// nodes in topological order, and the edits keep that order wherever the caller names the right place.
//
// What the graph does not understand (doc strings, metadata, fields of newer ONNX versions) travels along as
// `opaque` bytes and is written back untouched.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "press/ir/tensor.h"
#include "press/ir/type.h"
#include "press/support/hash_set.h"
#include "press/support/rare_text.h"
#include "press/support/result.h"

namespace press {

class Graph;
class Node;
class Value;

/// Bytes of an attribute that we carry but do not look into (type protos, sparse tensors, newer kinds).
struct OpaqueAttribute {
  std::string bytes;
};

using AttributeValue =
    std::variant<std::int64_t, float, std::string, Tensor, std::shared_ptr<Graph>, std::vector<std::int64_t>,
                 std::vector<float>, std::vector<std::string>, std::vector<Tensor>,
                 std::vector<std::shared_ptr<Graph>>, OpaqueAttribute>;

struct Attribute {
  std::string name;
  AttributeValue value;
  RareText opaque = {};  // what else the file said of it (doc string)
  /// In the body of a function: the attribute of the call that this one takes its value from, or empty.
  RareText reference = {};
};

/// A model-local function (ONNX's FunctionProto): nodes of its domain and name stand for its body. Functions
/// are never changed, only added and taken away.
struct Function {
  std::string domain;
  std::string name;
  std::vector<Attribute> defaults = {};  // of attributes that calls may leave out
  std::unique_ptr<Graph> body =
      std::make_unique<Graph>();  // imports operator sets of its own; inputs and outputs have no types
  std::string bytes = {};         // as it stood in the file; empty for one that we made
};

/// Input `index` of `node`; where node is null, output slot `index` of the graph.
struct Use {
  Node* node = nullptr;
  std::size_t index = 0;
};

/// Only graphs make nodes and values.
class GraphKey {
  friend class Graph;
  GraphKey() = default;
};

class Value {
 public:
  enum class Origin { kGraphInput, kConstant, kNodeOutput };

  Value(GraphKey key, Graph* graph, Origin origin, std::string name, std::size_t number);

  Origin origin() const { return origin_; }
  bool is_constant() const { return origin_ == Origin::kConstant; }
  bool is_graph_input() const { return origin_ == Origin::kGraphInput; }

  const std::string& name() const { return name_; }
  void set_name(std::string name);

  /// Its number: no other value of the model's graphs has it, and all are below Graph::value_bound().
  std::size_t number() const { return number_; }

  /// The type that the file declares (empty where it says nothing); shape inference keeps its findings beside
  /// the graph.
  const Type& type() const { return type_; }
  void set_type(Type type);

  /// The node that makes it and the output's position there; null for inputs and constants.
  Node* producer() const { return producer_; }
  std::size_t producer_index() const { return producer_index_; }

  /// The tensor of a constant, or the default of a graph input that may be overridden; else null.
  const Tensor* tensor() const { return tensor_.defined() ? &tensor_ : nullptr; }

  /// The tensor where it can never be anything else: constants only.
  const Tensor* constant() const { return is_constant() ? &tensor_ : nullptr; }

  /// Replaces the tensor of a constant; the declared type follows.
  void set_constant(Tensor tensor);

  std::span<const Use> uses() const { return uses_; }
  bool has_one_use() const { return uses_.size() == 1; }

  /// The graph that owns it (a subgraph may use values of its outer graphs).
  Graph* graph() const { return graph_; }

  /// What else the file said of it, and of its tensor. `sparse`: the SparseTensorProto that a constant came
  /// from, until it is replaced.
  RareText opaque;
  RareText tensor_opaque;
  RareText sparse;
  /// Position in the file's list of graph inputs for constants that IR versions before 4 list there; else
  /// negative.
  std::int64_t legacy_input_position = -1;

 private:
  friend class Graph;
  friend class Node;
  void add_use(Node* node, std::size_t index);
  void remove_use(std::size_t slot);

  // What every walk asks for first.
  Graph* graph_;
  Origin origin_;
  std::size_t number_;
  Node* producer_ = nullptr;
  std::size_t producer_index_ = 0;
  std::pmr::vector<Use> uses_;
  Tensor tensor_;
  Type type_;
  std::string name_;
  std::pmr::list<Value*>::iterator position_;
};

class Node {
 public:
  Node(GraphKey key, Graph* graph, std::string op_type, std::string domain);

  const std::string& op_type() const { return op_type_; }
  /// "" for the ONNX domain ("ai.onnx" is read as "").
  const std::string& domain() const { return domain_.text(); }
  bool is(std::string_view op_type, std::string_view domain = "") const {
    return op_type_ == op_type && std::string_view(domain_) == domain;
  }
  void set_op_type(std::string op_type);

  /// The name in the file that was read; empty where there was none and for nodes that passes add without
  /// one.
  const std::string& name() const { return name_; }
  void set_name(std::string name);
  /// For messages: the name, else the operator and the first output.
  std::string label() const;

  std::size_t input_count() const { return inputs_.size(); }
  /// Null for an omitted optional input and beyond the last one.
  Value* input(std::size_t index) const { return index < inputs_.size() ? inputs_[index].value : nullptr; }
  std::vector<Value*> inputs() const;

  std::size_t output_count() const { return outputs_.size(); }
  /// Null for an omitted optional output and beyond the last one.
  Value* output(std::size_t index = 0) const { return index < outputs_.size() ? outputs_[index] : nullptr; }
  std::span<Value* const> outputs() const { return outputs_; }

  const std::vector<Attribute>& attributes() const { return attributes_; }
  const Attribute* attribute(std::string_view name) const;
  bool has_attribute(std::string_view name) const { return attribute(name) != nullptr; }
  /// The attribute's value, or `fallback` where it is absent or of another kind.
  std::int64_t int_attribute(std::string_view name, std::int64_t fallback) const;
  float float_attribute(std::string_view name, float fallback) const;
  std::string string_attribute(std::string_view name, std::string_view fallback) const;
  std::vector<std::int64_t> ints_attribute(std::string_view name,
                                           const std::vector<std::int64_t>& fallback = {}) const;
  std::vector<float> floats_attribute(std::string_view name, const std::vector<float>& fallback = {}) const;
  const Tensor* tensor_attribute(std::string_view name) const;
  const Graph* graph_attribute(std::string_view name) const;

  /// Adds or replaces.
  void set_attribute(std::string name, AttributeValue value);
  void remove_attribute(std::string_view name);

  bool has_subgraphs() const { return has_subgraphs_; }
  /// All subgraphs, in the order of the attributes.
  std::vector<Graph*> subgraphs() const;

  Graph* graph() const { return graph_; }
  /// Neighbours in the graph's order; null at the ends.
  Node* next() const;
  Node* previous() const;

  RareText opaque;

 private:
  friend class Graph;
  friend class Value;
  struct Input {
    Value* value = nullptr;
    std::size_t use_slot = 0;  // where this input stands in value->uses()
  };

  void attributes_changed();

  // What every walk asks for first.
  Graph* graph_;
  std::string op_type_;
  RareText domain_;
  bool has_subgraphs_ = false;
  std::pmr::vector<Input> inputs_;
  std::pmr::vector<Value*> outputs_;
  std::vector<Attribute> attributes_;
  std::string name_;
  std::pmr::list<Node*>::iterator position_;
};

/// A result of the graph. The slot's name and type belong to the interface, whatever value fills it.
struct GraphOutput {
  std::string name;
  Value* value = nullptr;
  Type type;
  std::string opaque;
  std::size_t use_slot = 0;  // where the slot stands in value->uses(); kept by the graph
};

/// Stands for an omitted output in NodeSpec::outputs; no name of a value.
inline constexpr std::string_view kOmittedOutput("\0", 1);

/// How a new node is made; see Graph::add_node.
struct NodeSpec {
  std::string op_type;
  std::vector<Value*> inputs;
  std::vector<std::string> outputs = {""};  // names; "" takes a fresh one
  std::vector<Attribute> attributes = {};
  std::string name = {};
  std::string domain = {};
};

class Graph {
 public:
  /// `outer`: the node's graph for a subgraph; null for a model's graph.
  explicit Graph(Graph* outer = nullptr);
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph();

  Graph* outer() const { return outer_; }
  const std::string& name() const { return name_; }
  void set_name(std::string name) { name_ = std::move(name); }

  /// The version of a domain's operator set; 0 where the model does not import it. Subgraphs ask the
  /// outermost graph.
  std::int64_t opset(std::string_view domain = "") const;
  /// Adds the import, or changes its version.
  void set_opset(std::string domain, std::int64_t version);
  const std::vector<std::pair<std::string, std::int64_t>>& opsets() const { return opsets_; }

  /// The functions of the model, which calls in subgraphs mean too; held by the outermost graph.
  const std::vector<std::shared_ptr<const Function>>& functions() const;
  /// The function that `node` calls, or null.
  const Function* called_function(const Node& node) const;
  void add_function(std::shared_ptr<const Function> function);
  /// Takes away the functions (of one domain, if given) that nothing calls, neither the graph nor a function
  /// that is called. Returns their number.
  std::size_t erase_unused_functions(std::optional<std::string_view> domain = {});

  /// Counts the edits of the model, subgraphs included: where the number is the same, so is every graph of
  /// it, but for what travels along as opaque bytes.
  std::uint64_t revision() const;

  // -- reading
  // -------------------------------------------------------------------------------------------------

  /// The nodes in order. The current node may be erased while iterating with nodes_snapshot() only.
  const std::pmr::list<Node*>& nodes() const { return nodes_; }
  std::size_t node_count() const { return nodes_.size(); }
  std::size_t constant_count() const { return constant_count_; }
  /// True where a node of this graph holds subgraphs.
  bool has_subgraphs() const { return nodes_with_subgraphs_ > 0; }
  /// The nodes of this moment, for loops that add and erase.
  std::vector<Node*> nodes_snapshot() const;

  const std::vector<Value*>& inputs() const { return inputs_; }
  const std::vector<GraphOutput>& outputs() const { return outputs_; }
  bool is_output(const Value* value) const;

  /// Above the number of every value of the model, those of subgraphs included.
  std::size_t value_bound() const;

  /// All values in a fixed order: as they were added. None may be erased meanwhile.
  const std::pmr::list<Value*>& values() const { return values_; }
  /// The constants of this moment.
  std::vector<Value*> constants() const;

  // -- edits
  // -----------------------------------------------------------------------------------------------------

  /// Interface: only importers and explicit interface changes call these two.
  Value* add_input(std::string name, Type type, Tensor default_value = {});
  void add_output(std::string name, Value* value, Type type);
  GraphOutput& output_slot(std::size_t index);

  Value* add_constant(Tensor tensor, std::string name = {});

  /// Before `before`, or at the end. Inputs may be null (omitted); kOmittedOutput omits an output.
  Node* add_node(NodeSpec spec, Node* before = nullptr);

  /// Input `index` of `node` becomes `value` (null: omitted); grows the input list where it is shorter.
  void set_input(Node* node, std::size_t index, Value* value);

  /// Drops trailing omitted inputs beyond `count` inputs.
  void truncate_inputs(Node* node, std::size_t count);

  /// Every use of `old_value`, graph outputs included (their slots keep name and type), becomes a use of
  /// `new_value`.
  void replace_all_uses(Value* old_value, Value* new_value);

  /// Output slot `index` is filled by `value`; its name and type stay.
  void set_output(std::size_t index, Value* value);

  /// Moves a node before another one of the same graph.
  void move_before(Node* node, Node* before);

  /// Erases a node whose outputs have no uses; its outputs go too.
  void erase(Node* node);

  /// Erases a constant or an internal value without uses.
  void erase(Value* value);

  /// A name that no value of this graph has yet, built from `stem`.
  std::string fresh_name(std::string_view stem);

  std::string opaque;  // what else the file said of the graph

 private:
  friend class Node;
  friend class Value;
  Value* new_value(Value::Origin origin, std::string name);
  void forget(Value* value);
  std::pmr::polymorphic_allocator<> memory();
  Graph& outermost();
  void count_edit() { ++outermost().edits_; }

  Graph* outer_;
  std::string name_;
  std::vector<std::pair<std::string, std::int64_t>> opsets_;
  std::vector<std::shared_ptr<const Function>> functions_;
  // Holds nodes, values, their places, inputs and uses, those of a kind side by side in the order in which
  // they were made: walks over 100,000 of them wait for memory otherwise.
  std::pmr::unsynchronized_pool_resource pool_;
  std::pmr::list<Node*> nodes_;
  std::pmr::list<Value*> values_;
  std::size_t nodes_with_subgraphs_ = 0;
  std::size_t constant_count_ = 0;
  std::vector<Value*> inputs_;
  std::vector<GraphOutput> outputs_;
  std::uint64_t edits_ = 0;       // of the outermost graph: edits of the whole model,
  std::size_t values_added_ = 0;  // and values that it has ever had
  HashSet used_names_;            // that values of this graph have or had
  std::unordered_map<std::string, std::size_t> next_suffixes_;  // of stems of fresh names
};

/// A model: its graph and what the file says around it.
struct Model {
  std::int64_t ir_version = 8;
  std::unique_ptr<Graph> graph = std::make_unique<Graph>();
  std::string opaque;  // producer, metadata, … as read
  std::vector<std::pair<std::string, std::string>>
      metadata;  // metadata_props that we add or replace on writing
};

/// A deep copy: nodes, values, subgraphs; tensors share their bytes.
Model clone(const Model& model);

/// The body of `function` as a call of it means: attributes that refer to those of `call` hold their values.
/// The copy stands alone, with the operator sets of the body and the functions of the call's model.
/// Errors: kInput where the call has more inputs or outputs than the function.
Result<std::unique_ptr<Graph>> instantiate(const Function& function, const Node& call);

/// Replaces a call of a function by the nodes of its body; values and types of the call's outputs keep their
/// names. Errors: kInput as for instantiate(), kUnsupported where the body was written for other operator
/// sets than the model's.
Status inline_call(Node* call);

/// Calls `visit` for every node, nodes of subgraphs right after the node that holds them.
void for_each_node(const Graph& graph, const std::function<void(Node*)>& visit);

/// Every invariant: uses match inputs, producers match outputs, order is topological, outputs are filled.
/// Returns the first breach as an Error of kind kInternal.
Status verify(const Graph& graph);

/// A canonical text form for tests and dumps: one line a node, long tensors as type, dims and hash.
std::string to_text(const Graph& graph);

/// A hash of everything that the model's meaning depends on, names of nodes and inner values left out.
std::uint64_t fingerprint(const Graph& graph);

}  // namespace press
