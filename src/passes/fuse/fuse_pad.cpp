// before:  x ─ Pad(0; 1,1,1,1) ─ Conv(pads 0) ─ y        after:  x ─ Conv(pads 1,1,1,1) ─ y
//
// A Pad of spatial axes goes into the padding of the operator behind it:
//
//   Conv           zeros
//   AveragePool    zeros, which then count (count_include_pad = 1); not before opset 7, not with ceil_mode
//   MaxPool        zeros behind an operator whose results are not negative (Relu, Sigmoid, Clip from 0 on),
//                  less than a kernel wide: a window then always holds a number that is at least the padding
//
// Conditions: mode constant; pads constant, not negative; nobody else reads the padded value; the operator
// states its padding (auto_pad NOTSET or VALID).
//
// Why it pays: the padded copy of the feature map is never written.
#include <algorithm>

#include "passes/declarations.h"
#include "passes/match.h"

namespace press::passes {
namespace {

struct Padding {
  std::vector<std::int64_t> pads;  // begins of all axes, then ends
  double value = 0;
};

std::optional<Padding> padding_of(const Node& node) {
  const std::int64_t opset = node.graph()->opset();
  if (node.string_attribute("mode", "constant") != "constant" || node.input(3) != nullptr)
    return std::nullopt;
  auto pads = integers_of(node, "pads", 11, 1);
  if (!pads.has_value() || pads->size() % 2 != 0) return std::nullopt;
  Padding padding{std::move(*pads), 0};
  if (opset < 11) {
    padding.value = node.float_attribute("value", 0);
  } else if (node.input(2) != nullptr) {
    const auto value = number_of(constant_input(node, 2));
    if (!value.has_value()) return std::nullopt;
    padding.value = *value;
  }
  return padding;
}

bool is_not_negative(const Value* value) {
  const Node* node = value->producer();
  if (node == nullptr) return false;
  if (node->is("Relu") || node->is("Sigmoid") || node->is("HardSigmoid") || node->is("Softmax") ||
      node->is("Abs"))
    return true;
  if (!node->is("Clip")) return false;
  if (node->graph()->opset() < 11) return node->float_attribute("min", -1) >= 0;
  return number_of(constant_input(*node, 1)).value_or(-1) >= 0;
}

bool fuse(Node& pad, Node& next, std::string& reason) {
  const auto padding = padding_of(pad);
  const auto decline = [&](const char* why) {
    reason = why;
    return false;
  };
  if (!padding.has_value()) return decline("its padding is not constant, or of another mode");
  const std::vector<std::int64_t>& pads = padding->pads;
  const std::size_t rank = pads.size() / 2;
  if (rank < 3) return decline("it pads no image");
  if (padding->value != 0) return decline("it pads with another number than 0");
  if (std::ranges::any_of(pads, [](std::int64_t one) { return one < 0; })) return decline("it cuts off");
  if (pads[0] + pads[1] + pads[rank] + pads[rank + 1] != 0) return decline("it pads batch or channels");
  const std::string mode = next.string_attribute("auto_pad", "NOTSET");
  if (mode != "NOTSET" && mode != "VALID") return decline("the operator behind it pads by itself");
  std::vector<std::int64_t> sum = next.ints_attribute("pads", std::vector<std::int64_t>(2 * (rank - 2), 0));
  if (sum.size() != 2 * (rank - 2)) return decline("the operator behind it has another number of axes");
  const bool had_padding =
      mode == "NOTSET" && std::ranges::any_of(sum, [](std::int64_t one) { return one != 0; });
  if (mode == "VALID") std::ranges::fill(sum, 0);
  for (std::size_t i = 0; i + 2 < rank; ++i) {
    sum[i] += pads[i + 2];
    sum[rank - 2 + i] += pads[rank + i + 2];
  }
  if (!next.is("Conv")) {
    if (next.int_attribute("ceil_mode", 0) != 0) return decline("the pool behind it rounds its extent up");
    const std::vector<std::int64_t> kernel = next.ints_attribute("kernel_shape");
    for (std::size_t i = 0; i < sum.size(); ++i) {
      if (kernel.size() != rank - 2 || sum[i] >= kernel[i % (rank - 2)])
        return decline("the padding is as wide as the kernel of the pool");
    }
  }
  if (next.is("AveragePool")) {
    if (next.graph()->opset() < 7) return decline("operator sets before 7 do not count padding");
    if (had_padding && next.int_attribute("count_include_pad", 0) == 0)
      return decline("the pool behind it has padding that does not count");
    next.set_attribute("count_include_pad", std::int64_t{1});
  }
  if (next.is("MaxPool") && next.output(1) != nullptr) return decline("the places of the maxima would move");
  if (next.is("MaxPool") && !is_not_negative(pad.input(0)))
    return decline("the maximum may be below the padding");
  next.remove_attribute("auto_pad");
  next.set_attribute("pads", std::move(sum));
  pad.graph()->replace_all_uses(pad.output(), pad.input(0));
  pad.graph()->erase(&pad);
  return true;
}

}  // namespace

Result<PassOutcome> fuse_pad(Model& model, const PassContext& /*context*/) {
  PassOutcome outcome;
  for_each_graph(*model.graph, [&](Graph& graph) {
    for (Node* node : graph.nodes_snapshot()) {
      Node* next = node->is("Pad") && node->input(0) != nullptr ? only_user(node->output()) : nullptr;
      if (next == nullptr || next->input(0) != node->output()) continue;
      if (!next->is("Conv") && !next->is("AveragePool") && !next->is("MaxPool")) continue;
      const std::string label = node->label();
      std::string reason;
      if (fuse(*node, *next, reason)) {
        ++outcome.rewrites;
      } else {
        outcome.declined.push_back({label, std::move(reason)});
      }
    }
  });
  return outcome;
}

}  // namespace press::passes
