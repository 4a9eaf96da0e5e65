// before:  x ─ Conv(A, a) ─ Conv 1×1 (B, b) ─ y        after:  x ─ Conv(W, w) ─ y
//
//   W[o,i,…] = Σ B[o,m] · A[m,i,…]        w[o] = b[o] + Σ B[o,m] · a[m]
//
// Conditions: nothing between the two, and nobody else reads the first one's result; both have one group, and
// the second one neither strides nor padding. It has to pay: with I channels in, M between, O out and K
// elements a kernel,
//
//   I·K·O ≤ I·K·M + M·O
//
// which counts products of an output position as well as weights in the file. Bottlenecks (small M) stay as
// they are. Computed in double and rounded once.
//
// Why it pays: projections without an activation behind them (the last block of a stage in MobileNetV3,
// classifiers split in two) are one convolution, one pass over memory less.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "passes/declarations.h"
#include "passes/floats.h"
#include "passes/fuse/linear_operator.h"
#include "passes/match.h"

namespace press::passes {
namespace {

std::vector<double> numbers_of(const Tensor& tensor) {
  std::vector<double> numbers;
  numbers.reserve(static_cast<std::size_t>(tensor.size()));
  for_each_float(tensor, [&](std::int64_t, double element) { numbers.push_back(element); });
  return numbers;
}

/// The numbers in that type; nullopt where one is not finite there, or memory does not suffice.
std::optional<Tensor> tensor_of(DataType type, const Dims& dims, const std::vector<double>& numbers) {
  auto tensor = Tensor::allocate(type, dims);
  if (!tensor.ok()) return std::nullopt;
  std::ranges::fill(tensor->mutable_bytes(), std::byte{0});
  transform_floats(*tensor, [&](std::int64_t i, double) { return numbers[static_cast<std::size_t>(i)]; });
  bool finite = true;
  for_each_float(*tensor, [&](std::int64_t, double element) { finite = finite && std::isfinite(element); });
  return finite ? std::optional(std::move(*tensor)) : std::nullopt;
}

/// A convolution that computes every place of its input for itself.
bool is_pointwise(const Node& node, const Tensor& weight) {
  const auto all = [&](std::string_view name, std::int64_t number) {
    return std::ranges::all_of(node.ints_attribute(name), [&](std::int64_t one) { return one == number; });
  };
  const bool one_element = std::all_of(weight.dims().begin() + 2, weight.dims().end(),
                                       [](std::int64_t extent) { return extent == 1; });
  return weight.rank() > 2 && one_element && all("strides", 1) && all("pads", 0);
}

bool fuse(Node& first, Node& second, std::string& reason) {
  const auto one = LinearOperator::read(first, reason);
  if (!one.has_value()) return false;
  const auto two = LinearOperator::read(second, reason);
  if (!two.has_value()) return false;
  const Tensor &a = one->weight(), &b = two->weight();
  if (a.rank() != b.rank() || a.type() != b.type() || !is_pointwise(second, b)) {
    reason = fmt::format("its kernel is {}, with strides or padding", to_string(b.dims()));
    return false;
  }
  if (first.int_attribute("group", 1) != 1 || second.int_attribute("group", 1) != 1) {
    reason = "one of the two has groups";
    return false;
  }
  if (!first.input(1)->has_one_use() || !second.input(1)->has_one_use()) {
    reason = "other layers use one of the weights";
    return false;
  }
  const std::int64_t between = a.dims()[0], outputs = b.dims()[0], columns = a.size() / between;
  if (b.dims()[1] != between) return false;
  const double now = static_cast<double>(a.size()) + static_cast<double>(b.size());
  const double merged = static_cast<double>(columns) * static_cast<double>(outputs);
  if (merged > now) {
    reason = fmt::format("one convolution would take {} products a place instead of {}", merged, now);
    return false;
  }
  const auto first_bias = one->bias(reason);
  auto bias = two->bias(reason);
  if (!first_bias.has_value() || !bias.has_value()) return false;
  const std::vector<double> inner = numbers_of(a), outer = numbers_of(b);
  std::vector<double> weight(static_cast<std::size_t>(outputs * columns), 0.0);
  for (std::int64_t o = 0; o < outputs; ++o) {
    for (std::int64_t m = 0; m < between; ++m) {
      const double factor = outer[static_cast<std::size_t>(o * between + m)];
      (*bias)[static_cast<std::size_t>(o)] += factor * (*first_bias)[static_cast<std::size_t>(m)];
      const double* row = &inner[static_cast<std::size_t>(m * columns)];
      double* target = &weight[static_cast<std::size_t>(o * columns)];
      for (std::int64_t i = 0; i < columns; ++i) target[i] += factor * row[i];
    }
  }
  Dims dims = a.dims();
  dims[0] = outputs;
  const auto new_weight = tensor_of(a.type(), dims, weight);
  const auto new_bias = tensor_of(a.type(), {outputs}, *bias);
  if (!new_weight.has_value() || !new_bias.has_value()) {
    reason = "the product of the weights is not finite";
    return false;
  }
  // Where the weight stands there may be constants; a subgraph, before IR version 4, can have none.
  Graph &graph = *second.graph(), &home = *second.input(1)->graph();
  const auto constant = [&](const Tensor& tensor, std::string_view stem) {
    return home.add_constant(tensor, home.fresh_name(stem));
  };
  Node* node = graph.add_node({.op_type = "Conv",
                               .inputs = {first.input(0), constant(*new_weight, second.input(1)->name()),
                                          constant(*new_bias, second.input(1)->name() + "_bias")},
                               .attributes = first.attributes(),
                               .name = second.name()},
                              &second);
  node->output()->set_type(second.output()->type());
  graph.replace_all_uses(second.output(), node->output());
  graph.erase(&second);
  graph.erase(&first);
  return true;
}

}  // namespace

Result<PassOutcome> fuse_convolution_chains(Model& model, const PassContext& /*context*/) {
  PassOutcome outcome;
  for_each_graph(*model.graph, [&](Graph& graph) {
    for (Node* node : graph.nodes_snapshot()) {
      Node* first = node->is("Conv") ? made_by(node->input(0), "Conv") : nullptr;
      if (first == nullptr || first->graph() != &graph || only_user(first->output()) != node) continue;
      const std::string label = node->label();
      std::string reason;
      if (fuse(*first, *node, reason)) {
        ++outcome.rewrites;
      } else {
        outcome.declined.push_back({label, std::move(reason)});
      }
    }
  });
  return outcome;
}

}  // namespace press::passes
