// before:  Conv ─ Transpose(0,2,3,1) ─ Tanh ─ Pad ─ Transpose(0,3,1,2) ─ Conv
// after:   Conv ─ Tanh ─ Pad ─ Conv
//
// before:  a ─ Transpose(p) ─ Add ─ y          after:  a ─ Add ─ Transpose(p) ─ y
//          b ─ Transpose(p) ──┘                        b ──┘
//
// Operators that treat all places of a tensor alike may work in any order of its axes: element-wise ones, and
// Concat, Split, Slice and Pad with their axes renamed. A connected region of them is computed in another
// order q where that saves Transposes:
//
//   saved    a Transpose in front that q undoes, and that the region alone reads; a Transpose behind that is
//   q needed   one for each other value that enters, and for each value that leaves for other users, unless
//   it comes
//            from, or goes to, a Transpose that takes the step over
//
// Tried are the largest regions first, and then those that Transposes of one kind alone enter.
//
// Conditions: all operands that are not constants have the rank of the result; constants are turned with it,
// those that others use too only where they are small.
//
// Why it pays: networks that were trained with channels last come with Transposes around every convolution.
// Each is a pass over memory, and keeps Pad, BatchNormalization and activations from being fused.
#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "passes/declarations.h"
#include "passes/known_types.h"
#include "passes/match.h"

namespace press::passes {
namespace {

using Permutation = std::vector<std::int64_t>;  // axis i is axis p[i] of before

constexpr std::int64_t kSharedElements = 1024;  // a constant that others use is copied up to this size

constexpr auto kUnary = std::to_array<std::string_view>(
    {"Abs",         "Cast",      "Ceil",      "Clip",     "Elu",  "Erf",        "Exp",  "Floor", "Gelu",
     "HardSigmoid", "HardSwish", "LeakyRelu", "Log",      "Neg",  "Reciprocal", "Relu", "Round", "Selu",
     "Sigmoid",     "Sign",      "Softplus",  "Softsign", "Sqrt", "Swish",      "Tanh"});
constexpr auto kElementwise = std::to_array<std::string_view>(
    {"Add", "Div", "Max", "Min", "Mul", "PRelu", "Pow", "Sub", "Sum", "Where"});

template <std::size_t N>
bool is_one_of(const Node& node, const std::array<std::string_view, N>& op_types) {
  return node.domain().empty() && std::ranges::find(op_types, node.op_type()) != op_types.end();
}

Permutation inverse(const Permutation& permutation) {
  Permutation result(permutation.size());
  for (std::size_t i = 0; i < permutation.size(); ++i) {
    result[static_cast<std::size_t>(permutation[i])] = static_cast<std::int64_t>(i);
  }
  return result;
}

template <typename T>
std::vector<T> permuted(const std::vector<T>& list, const Permutation& permutation, std::size_t first = 0) {
  std::vector<T> result;
  for (const std::int64_t axis : permutation) result.push_back(list[first + static_cast<std::size_t>(axis)]);
  return result;
}

/// What a Transpose says it does; nullopt for other nodes and where it does not say.
std::optional<Permutation> permutation_of(const Node* node) {
  if (node == nullptr || !node->is("Transpose")) return std::nullopt;
  Permutation permutation = node->ints_attribute("perm");
  Permutation sorted = permutation;
  std::ranges::sort(sorted);
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i] != static_cast<std::int64_t>(i)) return std::nullopt;
  }
  if (permutation.empty()) return std::nullopt;
  return permutation;
}

/// The tensor with its axes in another order; its rank is that of the permutation.
Tensor permuted(const Tensor& tensor, const Permutation& permutation) {
  const std::size_t rank = permutation.size();
  const Dims& dims = tensor.dims();
  std::vector<std::int64_t> strides(rank, 1);
  for (std::size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  const Dims target = permuted(dims, permutation);
  const std::vector<std::int64_t> steps = permuted(strides, permutation);
  const auto width = static_cast<std::size_t>(bit_width(tensor.type()) / 8);
  std::vector<std::byte> bytes(tensor.bytes().size());
  std::vector<std::int64_t> at(rank, 0);
  std::int64_t source = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(tensor.size()); ++i) {
    std::ranges::copy(tensor.bytes().subspan(static_cast<std::size_t>(source) * width, width),
                      bytes.begin() + static_cast<std::ptrdiff_t>(i * width));
    for (std::size_t axis = rank; axis-- > 0;) {
      source += steps[axis];
      if (++at[axis] < target[axis]) break;
      source -= steps[axis] * target[axis];
      at[axis] = 0;
    }
  }
  auto result = Tensor::allocate(tensor.type(), target);
  std::ranges::copy(bytes, result->mutable_bytes().begin());
  return std::move(*result);
}

Type permuted(Type type, const Permutation& permutation) {
  if (type.shape.has_value() && type.shape->size() == permutation.size()) {
    type.shape = permuted(*type.shape, permutation);
  }
  return type;
}

class Mover {
 public:
  Mover(Graph& graph, KnownTypes& types) : graph_(graph), types_(types) {}

  std::size_t run() {
    std::set<Permutation> permutations;
    for (const Node* node : graph_.nodes()) {
      if (const auto permutation = permutation_of(node)) permutations.insert(*permutation);
    }
    if (permutations.empty()) return 0;
    for (Node* node : graph_.nodes()) {
      if (const std::size_t rank = free_rank(*node); rank > 0) nodes_.push_back({node, rank});
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) places_.emplace(nodes_[i].node, i);
    choose([](const Free&) { return true; });
    for (const Permutation& permutation : permutations) {
      choose([&](const Free& free) { return is_entered_by(free, permutation); });
    }
    return moved_;
  }

 private:
  /// A node that works in any order of axes.
  struct Free {
    Node* node;
    std::size_t rank;
    bool chosen = false;  // belongs to the set that is looked at
    bool seen = false;    // belongs to a region of it already
    bool moved = false;
    std::size_t region = 0;
  };
  using Region = std::vector<std::size_t>;  // places in nodes_, in order

  // -- which nodes are free

  /// The inputs that lie in the order of axes that the output has.
  static std::size_t data_inputs(const Node& node) {
    return is_one_of(node, kElementwise) || node.is("Concat") ? node.input_count() : 1;
  }

  std::size_t rank_of(const Value* value) {
    const Type* type = value != nullptr ? types_.type(value) : nullptr;
    return type != nullptr && type->shape.has_value() ? type->shape->size() : 0;
  }

  static bool turns(const Value& constant, std::size_t rank, bool is_concat) {
    const Tensor& tensor = *constant.constant();
    if (tensor.type() == DataType::kString || bit_width(tensor.type()) < 8) return false;
    if (is_concat ? tensor.rank() != rank : tensor.rank() > rank) return false;
    return constant.has_one_use() || tensor.size() <= kSharedElements;
  }

  /// The rank of its tensors; 0 where the order of axes matters, or is not known not to.
  std::size_t free_rank(const Node& node) {
    if (!node.domain().empty() || graph_.opset() < 7) return 0;
    const std::size_t rank = rank_of(node.output());
    if (rank < 2 || !has_free_operator(node, rank)) return 0;
    const bool is_concat = node.is("Concat");
    for (std::size_t i = 0; i < data_inputs(node); ++i) {
      const Value* input = node.input(i);
      if (input == nullptr) return 0;
      if (input->is_constant() ? !turns(*input, rank, is_concat) : rank_of(input) != rank) return 0;
    }
    return rank;
  }

  bool has_free_operator(const Node& node, std::size_t rank) {
    if (is_one_of(node, kUnary) || is_one_of(node, kElementwise)) return true;
    if (node.is("Concat") || node.is("Split")) {
      const std::int64_t axis = node.int_attribute("axis", 0), extent = static_cast<std::int64_t>(rank);
      return axis >= -extent && axis < extent;
    }
    if (node.is("Pad")) {
      const auto pads = integers_of(node, "pads", 11, 1);
      return pads.has_value() && pads->size() == 2 * rank && node.input(3) == nullptr;
    }
    if (node.is("Slice")) {
      const auto axes = slice_axes(node);
      return axes.has_value() && std::ranges::all_of(*axes, [&](std::int64_t axis) {
               return axis >= -static_cast<std::int64_t>(rank) && axis < static_cast<std::int64_t>(rank);
             });
    }
    return false;
  }

  /// The axes that a Slice cuts, where they are known: those that it names, else the first ones.
  static std::optional<std::vector<std::int64_t>> slice_axes(const Node& node) {
    const bool by_input = node.graph()->opset() >= 10;
    if (by_input ? node.input(3) != nullptr : node.has_attribute("axes"))
      return integers_of(node, "axes", 10, 3);
    const auto starts = integers_of(node, "starts", 10, 1);
    if (!starts.has_value()) return std::nullopt;
    std::vector<std::int64_t> axes(starts->size());
    for (std::size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<std::int64_t>(i);
    return axes;
  }

  // -- regions

  Free* free_node(const Node* node) {
    const auto found = node != nullptr ? places_.find(node) : places_.end();
    return found != places_.end() ? &nodes_[found->second] : nullptr;
  }
  bool is_data(const Use& use) const { return use.node != nullptr && use.index < data_inputs(*use.node); }
  bool is_inside(const Use& use, std::size_t region) {
    const Free* free = is_data(use) ? free_node(use.node) : nullptr;
    return free != nullptr && free->region == region;
  }

  /// All that enters has gone through a Transpose of that kind, here or further ahead.
  bool is_entered_by(const Free& free, const Permutation& permutation) {
    bool entered = false;
    for (std::size_t i = 0; i < data_inputs(*free.node); ++i) {
      const Value* input = free.node->input(i);
      if (input->is_constant()) continue;
      const Free* before = free_node(input->producer());
      if ((before == nullptr || !before->chosen) && permutation_of(input->producer()) != permutation)
        return false;
      entered = true;
    }
    return entered;
  }

  /// Looks at the connected regions of the nodes that `wanted` is true for, asked in order.
  template <typename Wanted>
  void choose(Wanted&& wanted) {
    for (Free& free : nodes_) free.chosen = free.seen = false;
    for (Free& free : nodes_) free.chosen = !free.moved && wanted(free);
    for (std::size_t first = 0; first < nodes_.size(); ++first) {
      if (!nodes_[first].chosen || nodes_[first].seen) continue;
      const Region region = region_of(first);
      Permutation best;
      int most = 0;
      for (const Permutation& order : orders_for(region)) {
        const int saved = saved_by(region, order);
        if (saved > most) best = order;
        most = std::max(most, saved);
      }
      if (most > 0) move(region, best);
    }
  }

  Region region_of(std::size_t first) {
    Region region{first};
    nodes_[first].seen = true;
    ++regions_;
    const auto add = [&](const Node* node) {
      const auto found = node != nullptr ? places_.find(node) : places_.end();
      if (found == places_.end()) return;
      Free& free = nodes_[found->second];
      if (!free.chosen || free.seen || free.rank != nodes_[first].rank) return;
      free.seen = true;
      region.push_back(found->second);
    };
    for (std::size_t i = 0; i < region.size(); ++i) {
      const Node& node = *nodes_[region[i]].node;
      nodes_[region[i]].region = regions_;
      for (std::size_t k = 0; k < data_inputs(node); ++k) add(node.input(k)->producer());
      for (const Value* output : node.outputs()) {
        if (output == nullptr) continue;
        for (const Use& use : output->uses()) {
          if (is_data(use)) add(use.node);
        }
      }
    }
    std::ranges::sort(region);
    return region;
  }

  /// Values that enter the region, each once, in order.
  std::vector<Value*> entering(const Region& region) {
    std::vector<Value*> values;
    std::set<const Value*> known;
    for (const std::size_t place : region) {
      const Node& node = *nodes_[place].node;
      for (std::size_t i = 0; i < data_inputs(node); ++i) {
        Value* input = node.input(i);
        const Free* before = free_node(input->producer());
        const bool inner = before != nullptr && before->region == nodes_[place].region;
        if (!input->is_constant() && !inner && known.insert(input).second) values.push_back(input);
      }
    }
    return values;
  }

  /// The orders that undo a Transpose at the region's edge.
  std::set<Permutation> orders_for(const Region& region) {
    const std::size_t rank = nodes_[region.front()].rank;
    std::set<Permutation> orders;
    for (const Value* value : entering(region)) {
      if (const auto before = permutation_of(value->producer()); before && before->size() == rank)
        orders.insert(inverse(*before));
    }
    for (const std::size_t place : region) {
      for (const Value* output : nodes_[place].node->outputs()) {
        if (output == nullptr) continue;
        for (const Use& use : output->uses()) {
          if (const auto behind = permutation_of(use.node); behind && behind->size() == rank)
            orders.insert(*behind);
        }
      }
    }
    return orders;
  }

  bool is_used_inside_only(const Value& value, std::size_t region) {
    return std::ranges::all_of(value.uses(), [&](const Use& use) { return is_inside(use, region); });
  }

  /// The Transpose of this graph that makes a value, or reads it.
  std::optional<Permutation> in_front(const Value& value) const {
    return value.graph() == &graph_ ? permutation_of(value.producer()) : std::nullopt;
  }
  std::optional<Permutation> behind(const Use& use) const {
    return use.node != nullptr && use.node->graph() == &graph_ ? permutation_of(use.node) : std::nullopt;
  }

  /// A Transpose behind the region that its order makes needless.
  bool is_undone(const Use& use, const Permutation& order) const {
    return behind(use) == order && !graph_.is_output(use.node->output());
  }

  /// Transposes that there are less when the region is computed in that order.
  int saved_by(const Region& region, const Permutation& order) {
    const std::size_t number = nodes_[region.front()].region;
    int saved = 0;
    for (const Value* value : entering(region)) {
      const auto before = in_front(*value);
      const bool inner = is_used_inside_only(*value, number);
      if (before.has_value()) {
        const Free* source = free_node(value->producer()->input(0)->producer());
        if (source != nullptr && source->region == number) return 0;  // leaves the region and comes back
      }
      if (before.has_value() && inverse(*before) == order) {
        saved += inner ? 1 : 0;
      } else if (!before.has_value() || !inner) {
        --saved;
      }
    }
    for (const std::size_t place : region) {
      for (const Value* output : nodes_[place].node->outputs()) {
        if (output == nullptr) continue;
        bool needs_one = false;
        for (const Use& use : output->uses()) {
          if (is_inside(use, number)) continue;
          if (is_undone(use, order)) {
            ++saved;
          } else if (!behind(use).has_value()) {
            needs_one = true;
          }
        }
        saved -= needs_one ? 1 : 0;
      }
    }
    return saved;
  }

  // -- the rewrite

  Node* add_transpose(Value* value, const Permutation& permutation, Node* before) {
    return graph_.add_node({.op_type = "Transpose",
                            .inputs = {value},
                            .outputs = {graph_.fresh_name(value->name() + "_transposed")},
                            .attributes = {{"perm", permutation, {}}}},
                           before);
  }

  void move(const Region& region, const Permutation& order) {
    const std::size_t number = nodes_[region.front()].region;
    std::unordered_map<const Value*, Value*> replaced;
    for (Value* value : entering(region)) {
      const auto before = in_front(*value);
      Value* source = before.has_value() ? value->producer()->input(0) : value;
      if (before.has_value() && inverse(*before) == order) {
        replaced[value] = source;
        continue;
      }
      std::size_t first = nodes_.size();
      for (const Use& use : value->uses()) {
        if (is_inside(use, number)) first = std::min(first, places_.at(use.node));
      }
      const Permutation step = before.has_value() ? permuted(*before, order) : order;
      replaced[value] = add_transpose(source, step, nodes_[first].node)->output();
    }
    for (const std::size_t place : region) {
      Node& node = *nodes_[place].node;
      turn(node, nodes_[place].rank, order);
      for (std::size_t i = 0; i < data_inputs(node); ++i) {
        const auto found = replaced.find(node.input(i));
        if (found != replaced.end()) graph_.set_input(&node, i, found->second);
      }
      nodes_[place].moved = true;
    }
    for (const std::size_t place : region) {
      for (Value* output : nodes_[place].node->outputs()) {
        if (output != nullptr) leave(*output, number, order);
      }
    }
    ++moved_;
  }

  /// Outside of the region the value is what it was.
  void leave(Value& value, std::size_t region, const Permutation& order) {
    const Type before = value.type();
    value.set_type(permuted(before, order));
    std::vector<Use> others;
    std::vector<Node*> undone;
    for (const Use& use : value.uses()) {
      if (is_inside(use, region)) continue;
      if (is_undone(use, order)) {
        undone.push_back(use.node);
      } else if (const auto next = behind(use); next.has_value()) {
        use.node->set_attribute("perm", permuted(inverse(order), *next));
      } else {
        others.push_back(use);
      }
    }
    for (Node* node : undone) graph_.replace_all_uses(node->output(), &value);
    if (others.empty()) return;
    Node* back = add_transpose(&value, inverse(order), value.producer()->next());
    back->output()->set_type(before);
    std::string name = back->output()->name();
    back->output()->set_name(value.name());
    value.set_name(std::move(name));
    for (const Use& use : others) {
      if (use.node != nullptr) {
        use.node->graph()->set_input(use.node, use.index, back->output());
      } else {
        graph_.set_output(use.index, back->output());
      }
    }
  }

  /// The node's own axes and constants in the new order.
  void turn(Node& node, std::size_t rank, const Permutation& order) {
    const Permutation new_axis = inverse(order);
    const auto renamed = [&](std::int64_t axis) {
      return new_axis[static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis)];
    };
    if (node.is("Concat") || node.is("Split"))
      node.set_attribute("axis", renamed(node.int_attribute("axis", 0)));
    if (node.is("Pad")) {
      const auto pads = *integers_of(node, "pads", 11, 1);
      std::vector<std::int64_t> turned = permuted(pads, order);
      std::ranges::copy(permuted(pads, order, rank), std::back_inserter(turned));
      set_integers(node, "pads", 11, 1, turned);
    }
    if (node.is("Slice")) {
      std::vector<std::int64_t> axes = *slice_axes(node);
      std::ranges::transform(axes, axes.begin(), renamed);
      set_integers(node, "axes", 10, 3, axes);
    }
    for (std::size_t i = 0; i < data_inputs(node); ++i) {
      const Tensor* constant = node.input(i)->constant();
      if (constant == nullptr || constant->size() == 1) continue;
      Dims dims = constant->dims();
      dims.insert(dims.begin(), rank - dims.size(), 1);
      const std::string name = node.input(i)->name();
      graph_.set_input(
          &node, i, graph_.add_constant(permuted(constant->reshaped(dims), order), graph_.fresh_name(name)));
    }
  }

  void set_integers(Node& node, const char* name, std::int64_t since, std::size_t index,
                    const std::vector<std::int64_t>& values) {
    if (graph_.opset() < since) {
      node.set_attribute(name, values);
    } else {
      graph_.set_input(&node, index, add_integers(graph_, node.output()->name() + "_" + name, values));
    }
  }

  Graph& graph_;
  KnownTypes& types_;
  std::vector<Free> nodes_;
  std::unordered_map<const Node*, std::size_t> places_;
  std::size_t regions_ = 0;
  std::size_t moved_ = 0;
};

}  // namespace

Result<PassOutcome> move_transposes(Model& model, const PassContext& context) {
  PassOutcome outcome;
  KnownTypes types(*model.graph, context);
  // A subgraph cannot have constants of its own before IR version 4.
  if (model.ir_version >= 4) {
    for_each_graph(*model.graph, [&](Graph& graph) { outcome.rewrites += Mover(graph, types).run(); });
  } else {
    outcome.rewrites = Mover(*model.graph, types).run();
  }
  return outcome;
}

}  // namespace press::passes
