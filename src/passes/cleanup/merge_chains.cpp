// before:  x ─ Transpose(0,2,3,1) ─ Transpose(0,3,1,2) ─ y        after:  x ─ Transpose(0,1,2,3) ─ y
//
// Two operators in a row that only move or copy elements become one, read from the first one's input:
//
//   Transpose, Transpose      perm[i] = first[second[i]]
//   Cast, Cast                where the first one loses nothing (float16 → float32 → …)
//   Reshape, Flatten, Squeeze, Unsqueeze, and another of them
//                             one Reshape to the last shape: its known extents, 0 where one is the input's at
//                             the same place, -1 for one that is open
//                             (a Transpose that only moves axes of extent 1 is one of them)
//   Slice, Slice              where the axes differ, or both ranges are known
//   Concat in a Concat        of the same axis, where nobody else uses the inner one
//   Split, Concat             of all parts in order along the same axis: the input itself
//   Concat with zeros         of ConstantOfShape at its ends: a Pad
//   Relu, Relu; Relu, Clip(≥ 0, …)
//                             the second one alone
//
// Conditions: as above; everything constant; the element types stay. The first operator is left where
// others use it: the second then only reads earlier, and for slices, and reshapes that do not come back to
// the first shape, nothing is done.
//
// Why it pays: each is a pass over memory, or at least a node, and they hide what stands behind them.
#include <algorithm>

#include "ops/shapes.h"
#include "passes/declarations.h"
#include "passes/known_types.h"
#include "passes/match.h"

namespace press::passes {
namespace {

bool is_reshaping(const Node& node) {
  return node.is("Reshape") || node.is("Flatten") || node.is("Squeeze") || node.is("Unsqueeze");
}

/// Every value of type `from` can be told from every other one in `to`, and comes back the same.
bool holds_all(DataType from, DataType to) {
  const auto is_signed = [](DataType type) {
    return type == DataType::kInt8 || type == DataType::kInt16 || type == DataType::kInt32 ||
           type == DataType::kInt64;
  };
  if (from == to) return true;
  if (from == DataType::kBool) return is_integer(to) || is_floating_point(to);
  if (is_floating_point(from)) {
    return to == DataType::kDouble ||
           (to == DataType::kFloat && (from == DataType::kFloat16 || from == DataType::kBFloat16));
  }
  if (!is_integer(from) || bit_width(from) < 8) return false;
  const int bits = bit_width(from) - (is_signed(from) ? 1 : 0);  // of the magnitude
  if (is_integer(to))
    return bit_width(to) >= 8 &&
           (is_signed(to) ? bits < bit_width(to) : !is_signed(from) && bits <= bit_width(to));
  if (to == DataType::kDouble) return bits <= 53;
  if (to == DataType::kFloat) return bits <= 24;
  return to == DataType::kFloat16 && bits <= 11;
}

class Chains {
 public:
  Chains(Graph& graph, KnownTypes& types) : graph_(graph), types_(types) {}

  std::size_t run() {
    for (Node* node : graph_.nodes_snapshot()) {
      if (merge(*node)) ++merged_;
    }
    return merged_;
  }

 private:
  bool merge(Node& node) {
    Value* input = node.input(0);
    Node* first = input != nullptr ? input->producer() : nullptr;
    if (node.output() == nullptr || !node.domain().empty()) return false;
    if (node.is("Concat")) return split_and_concat(node) || inner_concats(node) || concat_with_zeros(node);
    if (first == nullptr || first->graph() != &graph_ || first->input(0) == nullptr ||
        !first->domain().empty()) {
      return false;
    }
    if (node.is("Transpose") && first->is("Transpose")) return transposes(node, *first);
    if (node.is("Cast") && first->is("Cast")) return casts(node, *first);
    if (node.is("Slice") && first->is("Slice")) return slices(node, *first);
    if (is_view(node) && is_view(*first)) return reshapes(node, *first);
    if (first->is("Relu") && absorbs_relu(node)) {
      graph_.set_input(&node, 0, first->input(0));
      return true;
    }
    return false;
  }

  bool transposes(Node& node, const Node& first) {
    const std::vector<std::int64_t> outer = node.ints_attribute("perm"), inner = first.ints_attribute("perm");
    if (outer.empty() || outer.size() != inner.size()) return false;
    std::vector<std::int64_t> perm;
    for (const std::int64_t axis : outer) {
      if (axis < 0 || axis >= static_cast<std::int64_t>(inner.size())) return false;
      perm.push_back(inner[static_cast<std::size_t>(axis)]);
    }
    node.set_attribute("perm", perm);
    graph_.set_input(&node, 0, first.input(0));
    return true;
  }

  bool casts(Node& node, const Node& first) {
    const Type* from = types_.type(first.input(0));
    const auto through = static_cast<DataType>(first.int_attribute("to", 0));
    const auto to = static_cast<DataType>(node.int_attribute("to", 0));
    if (from == nullptr || !holds_all(from->element, through)) return false;
    if (to == DataType::kString || to == DataType::kUndefined) return false;
    graph_.set_input(&node, 0, first.input(0));
    return true;
  }

  /// The elements keep their order: a Reshape, or a Transpose that leaves all axes but those of extent 1 in
  /// order.
  bool is_view(const Node& node) {
    if (is_reshaping(node)) return true;
    const Type* type = node.is("Transpose") ? types_.type(node.input(0)) : nullptr;
    const std::vector<std::int64_t> perm = node.ints_attribute("perm");
    if (type == nullptr || !type->shape.has_value() || perm.size() != type->shape->size()) return false;
    std::int64_t last = -1;
    for (const std::int64_t axis : perm) {
      if (axis < 0 || axis >= static_cast<std::int64_t>(perm.size())) return false;
      const Dim& dim = (*type->shape)[static_cast<std::size_t>(axis)];
      if (dim.known() && dim.value() == 1) continue;
      if (axis < last) return false;
      last = axis;
    }
    return true;
  }

  bool reshapes(Node& node, const Node& first) {
    const Type *in = types_.type(first.input(0)), *out = types_.type(node.output());
    if (in == nullptr || out == nullptr || !in->shape.has_value() || !out->shape.has_value()) return false;
    const bool comes_back =
        std::equal(in->shape->begin(), in->shape->end(), out->shape->begin(), out->shape->end(),
                   [](const Dim& a, const Dim& b) { return same(a, b); });
    if (!is_private(node.input(0)) && !comes_back) return false;
    const auto target = reshape_target_of(*in->shape, *out->shape);
    if (!target.has_value()) return false;
    Value* shape = add_integers(graph_, node.output()->name() + "_shape", *target);
    for (const char* name : {"axis", "axes", "allowzero", "perm"}) node.remove_attribute(name);
    node.set_op_type("Reshape");
    graph_.set_input(&node, 0, first.input(0));
    graph_.set_input(&node, 1, shape);
    return true;
  }

  struct Cut {
    std::int64_t start, end, axis, step;
  };

  /// Every cut of a Slice whose parameters are constants, with axes counted from the front; empty where they
  /// are not.
  std::vector<Cut> cuts_of(const Node& node) {
    if (graph_.opset() < 10) return {};
    const Type* type = types_.type(node.input(0));
    const auto starts = integers_of(constant_input(node, 1)), ends = integers_of(constant_input(node, 2));
    if (!starts.has_value() || !ends.has_value() || starts->size() != ends->size()) return {};
    const auto count = static_cast<std::int64_t>(starts->size());
    std::vector<std::int64_t> axes, steps(starts->size(), 1);
    for (std::int64_t i = 0; i < count; ++i) axes.push_back(i);
    if (node.input(3) != nullptr) {
      const auto given = integers_of(constant_input(node, 3));
      if (!given.has_value() || given->size() != starts->size()) return {};
      axes = *given;
    }
    if (node.input(4) != nullptr) {
      const auto given = integers_of(constant_input(node, 4));
      if (!given.has_value() || given->size() != starts->size()) return {};
      steps = *given;
    }
    std::vector<Cut> cuts;
    for (std::size_t i = 0; i < starts->size(); ++i) {
      if (axes[i] < 0) {
        if (type == nullptr || !type->shape.has_value()) return {};
        axes[i] += static_cast<std::int64_t>(type->shape->size());
      }
      cuts.push_back({(*starts)[i], (*ends)[i], axes[i], steps[i]});
    }
    return cuts;
  }

  bool slices(Node& node, const Node& first) {
    if (!is_private(node.input(0))) return false;
    std::vector<Cut> cuts = cuts_of(first);
    const std::vector<Cut> more = cuts_of(node);
    if (cuts.empty() || more.empty()) return false;
    const Type* type = types_.type(first.input(0));
    for (const Cut& cut : more) {
      const auto same_axis = std::ranges::find(cuts, cut.axis, &Cut::axis);
      if (same_axis == cuts.end()) {
        cuts.push_back(cut);
        continue;
      }
      const auto axis = static_cast<std::size_t>(cut.axis);
      if (type == nullptr || !type->shape.has_value() || axis >= type->shape->size() ||
          !(*type->shape)[axis].known() || cut.step < 1 || same_axis->step < 1) {
        return false;
      }
      const auto outer =
          slice_range(same_axis->start, same_axis->end, same_axis->step, (*type->shape)[axis].value());
      if (!outer.ok()) return false;
      const auto inner = slice_range(cut.start, cut.end, cut.step, outer->count);
      std::int64_t step = 0;
      if (!inner.ok() || inner->count < 1 || __builtin_mul_overflow(outer->step, inner->step, &step))
        return false;
      const std::int64_t start = outer->start + inner->start * outer->step;
      *same_axis = {start, start + (inner->count - 1) * step + 1, cut.axis, step};
    }
    std::vector<std::int64_t> starts, ends, axes, steps;
    for (const Cut& cut : cuts) {
      starts.push_back(cut.start);
      ends.push_back(cut.end);
      axes.push_back(cut.axis);
      steps.push_back(cut.step);
    }
    const std::string& stem = node.output()->name();
    graph_.set_input(&node, 0, first.input(0));
    graph_.set_input(&node, 1, add_integers(graph_, stem + "_starts", starts));
    graph_.set_input(&node, 2, add_integers(graph_, stem + "_ends", ends));
    graph_.set_input(&node, 3, add_integers(graph_, stem + "_axes", axes));
    graph_.set_input(&node, 4, add_integers(graph_, stem + "_steps", steps));
    return true;
  }

  bool inner_concats(Node& node) {
    const std::int64_t axis = node.int_attribute("axis", 1);
    std::vector<Value*> parts;
    bool found = false;
    for (Value* input : node.inputs()) {
      const Node* inner = made_by(input, "Concat");
      if (inner == nullptr || !is_private(input) || inner->int_attribute("axis", 1) != axis) {
        parts.push_back(input);
        continue;
      }
      const std::vector<Value*> inside = inner->inputs();
      parts.insert(parts.end(), inside.begin(), inside.end());
      found = true;
    }
    if (!found) return false;
    for (std::size_t i = 0; i < parts.size(); ++i) graph_.set_input(&node, i, parts[i]);
    return true;
  }

  /// The extent along `axis` of what ConstantOfShape fills with zeros of that type; nullopt for other values.
  std::optional<std::int64_t> extent_of_zeros(const Value* value, DataType element, std::size_t axis) {
    const Node* node = made_by(value, "ConstantOfShape");
    const Type* type = node != nullptr ? types_.type(value) : nullptr;
    if (type == nullptr || type->element != element || !type->shape.has_value() ||
        axis >= type->shape->size() || !(*type->shape)[axis].known()) {
      return std::nullopt;
    }
    const Tensor* fill = node->tensor_attribute("value");
    const auto is_zero = [](std::byte byte) { return byte == std::byte{0}; };
    if (fill != nullptr && !std::ranges::all_of(fill->bytes(), is_zero)) return std::nullopt;
    return (*type->shape)[axis].value();
  }

  bool concat_with_zeros(Node& node) {
    const Type* type = types_.type(node.output());
    if (graph_.opset() < 11 || type == nullptr || !type->shape.has_value() ||
        type->element != DataType::kFloat)
      return false;
    const auto rank = static_cast<std::int64_t>(type->shape->size());
    std::int64_t axis = node.int_attribute("axis", 1);
    axis += axis < 0 ? rank : 0;
    if (axis < 0 || axis >= rank) return false;
    Value* kept = nullptr;
    std::int64_t before = 0, after = 0;
    for (Value* input : node.inputs()) {
      const auto zeros = extent_of_zeros(input, type->element, static_cast<std::size_t>(axis));
      if (zeros.has_value()) {
        (kept == nullptr ? before : after) += *zeros;
      } else if (kept == nullptr) {
        kept = input;
      } else {
        return false;
      }
    }
    if (kept == nullptr || before + after == 0) return false;
    std::vector<std::int64_t> pads(static_cast<std::size_t>(2 * rank), 0);
    pads[static_cast<std::size_t>(axis)] = before;
    pads[static_cast<std::size_t>(rank + axis)] = after;
    node.set_op_type("Pad");
    node.remove_attribute("axis");
    set_only_input(node, kept);
    graph_.set_input(&node, 1, add_integers(graph_, node.output()->name() + "_pads", pads));
    return true;
  }

  void set_only_input(Node& node, Value* input) {
    graph_.set_input(&node, 0, input);
    for (std::size_t i = node.input_count(); i > 1; --i) graph_.set_input(&node, i - 1, nullptr);
    graph_.truncate_inputs(&node, 1);
  }

  bool split_and_concat(Node& node) {
    const Node* split = made_by(node.input(0), "Split");
    if (split == nullptr || split->graph() != &graph_ || split->input(0) == nullptr) return false;
    if (split->output_count() != node.input_count()) return false;
    if (split->int_attribute("axis", 0) != node.int_attribute("axis", 1)) return false;
    for (std::size_t i = 0; i < node.input_count(); ++i) {
      if (node.input(i) == nullptr || node.input(i) != split->output(i)) return false;
    }
    node.set_op_type("Identity");
    node.remove_attribute("axis");
    set_only_input(node, split->input(0));
    return true;
  }

  bool absorbs_relu(const Node& node) const {
    if (node.is("Relu")) return true;
    if (!node.is("Clip")) return false;
    if (graph_.opset() < 11) return node.float_attribute("min", -1.0F) >= 0;
    const auto low = number_of(constant_input(node, 1));
    return low.has_value() && *low >= 0;
  }

  Graph& graph_;
  KnownTypes& types_;
  std::size_t merged_ = 0;
};

}  // namespace

Result<PassOutcome> merge_chains(Model& model, const PassContext& context) {
  PassOutcome outcome;
  KnownTypes types(*model.graph, context);
  for_each_graph(*model.graph, [&](Graph& graph) {
    if (graph.outer() == nullptr || model.ir_version >= 4) outcome.rewrites += Chains(graph, types).run();
  });
  return outcome;
}

}  // namespace press::passes
