// before:  x ─┬─ Conv 3×3 ─────────── + ── + ─ y        after:  x ─ Conv 3×3 ─ y
//             ├─ Conv 1×1 ───────────┘    │
//             └─ BatchNormalization ──────┘
//
// Branches that start at the same value and are added are one convolution (RepVGG: Ding et al., arXiv
// 2101.03697, section 3.3):
//
//   Conv k×k + Conv l×l      W[…, o:o+l] += W_l, b += b_l; o places the smaller kernel within the larger one
//   Conv k×k + affine(x)     W[c, c mod C/g, centre] += s[c], b[c] += t[c]; BatchNormalization (s, t) or x
//   itself
//                            (1, 0)
//
// A tree of Adds is folded pair by pair from its leaves; BatchNormalization behind a convolution is folded by
// fuse_conv_batchnorm before.
//
// Conditions: same input, strides, group and dilations (1 where the kernels differ); the padding of both
// differs by what the kernels differ, so that windows lie on each other; the Add broadcasts nothing and it
// alone reads the branches (x may be read by others). For affine(x): stride 1, as many channels out as in,
// and a kernel whose centre lies on its own pixel.
//
// Why it pays: one pass over the input instead of three, and no sum over feature maps; networks are trained
// with such branches because they train better.
#include <fmt/format.h>

#include <algorithm>

#include "passes/declarations.h"
#include "passes/floats.h"
#include "passes/fuse/linear_operator.h"
#include "passes/match.h"

namespace press::passes {
namespace {

/// A convolution as far as it decides which ones can be added.
struct Branch {
  Node* node = nullptr;
  Value* input = nullptr;
  Dims kernel, strides, dilations, pads;
  std::int64_t group = 1;
};

std::optional<Branch> branch_of(Value* value) {
  Node* node = made_by(value, "Conv");
  if (node == nullptr || !is_private(value) || node->input(0) == nullptr) return std::nullopt;
  const Tensor* weight = constant_input(*node, 1);
  if (weight == nullptr || weight->rank() < 3 || !is_floating_point(weight->type()) || weight->size() == 0)
    return std::nullopt;
  if (node->string_attribute("auto_pad", "NOTSET") != "NOTSET") return std::nullopt;
  const std::size_t axes = weight->rank() - 2;
  Branch branch{.node = node, .input = node->input(0), .group = node->int_attribute("group", 1)};
  branch.kernel.assign(weight->dims().begin() + 2, weight->dims().end());
  branch.strides = node->ints_attribute("strides", Dims(axes, 1));
  branch.dilations = node->ints_attribute("dilations", Dims(axes, 1));
  branch.pads = node->ints_attribute("pads", Dims(2 * axes, 0));
  if (branch.strides.size() != axes || branch.dilations.size() != axes || branch.pads.size() != 2 * axes ||
      branch.group < 1 || weight->dims()[0] % branch.group != 0) {
    return std::nullopt;
  }
  return branch;
}

bool all_one(const Dims& numbers) {
  return std::ranges::all_of(numbers, [](std::int64_t one) { return one == 1; });
}

/// Weight and bias of a convolution as numbers.
struct Numbers {
  std::vector<double> weight, bias;
};

std::optional<Numbers> numbers_of(const LinearOperator& linear, std::string& reason) {
  auto bias = linear.bias(reason);
  if (!bias.has_value()) return std::nullopt;
  Numbers numbers{{}, std::move(*bias)};
  numbers.weight.reserve(static_cast<std::size_t>(linear.weight().size()));
  for_each_float(linear.weight(), [&](std::int64_t, double element) { numbers.weight.push_back(element); });
  return numbers;
}

/// Where kernel `small` begins within kernel `large` so that both look at the same window; nullopt where they
/// do not.
std::optional<Dims> offsets(const Branch& large, const Branch& small) {
  if (large.input != small.input || large.strides != small.strides || large.group != small.group ||
      large.dilations != small.dilations || large.kernel.size() != small.kernel.size()) {
    return std::nullopt;
  }
  if (large.kernel != small.kernel && !all_one(large.dilations)) return std::nullopt;
  const std::size_t axes = large.kernel.size();
  Dims begin;
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t before = large.pads[i] - small.pads[i];
    const std::int64_t after = large.pads[axes + i] - small.pads[axes + i];
    if (before < 0 || after < 0 || before + small.kernel[i] + after != large.kernel[i]) return std::nullopt;
    begin.push_back(before);
  }
  return begin;
}

/// Position of element `at` of a kernel of dims `small` in one of dims `large`, moved by `begin`.
std::int64_t moved(std::int64_t at, const Dims& small, const Dims& large, const Dims& begin) {
  std::int64_t position = 0, stride = 1;
  for (std::size_t i = small.size(); i-- > 0;) {
    position += (at % small[i] + begin[i]) * stride;
    at /= small[i];
    stride *= large[i];
  }
  return position;
}

std::int64_t product(const Dims& dims) {
  std::int64_t result = 1;
  for (const std::int64_t dim : dims) result *= dim;
  return result;
}

class Fusion {
 public:
  Fusion(Node& add, KnownTypes& types) : add_(add), types_(types) {}

  /// Nullopt: nothing that looks like parallel branches.
  std::optional<bool> run() {
    auto a = branch_of(add_.input(0)), b = branch_of(add_.input(1));
    if (a.has_value() && b.has_value() && a->node != b->node && a->input == b->input) {
      if (product(a->kernel) < product(b->kernel)) std::swap(a, b);
      return add_convolution(*a, *b);
    }
    for (const auto& [branch, other] : {std::pair(&a, add_.input(1)), std::pair(&b, add_.input(0))}) {
      if (!branch->has_value()) continue;
      if (other == (*branch)->input) return add_affine(**branch, nullptr);
      Node* norm = made_by(other, "BatchNormalization");
      if (norm != nullptr && is_private(other) && norm->input(0) == (*branch)->input)
        return add_affine(**branch, norm);
    }
    return std::nullopt;
  }

  const std::string& reason() const { return reason_; }

 private:
  bool decline(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }

  bool add_convolution(const Branch& large, const Branch& small) {
    const auto begin = offsets(large, small);
    if (!begin.has_value()) return decline("its convolutions do not look at the same windows");
    auto target = LinearOperator::read(*large.node, reason_);
    const auto source = LinearOperator::read(*small.node, reason_);
    if (!target.has_value() || !source.has_value()) return false;
    const Dims &to = target->weight().dims(), &from = source->weight().dims();
    if (to[0] != from[0] || to[1] != from[1]) return decline("its convolutions have other channels");
    auto sum = numbers_of(*target, reason_);
    const auto more = numbers_of(*source, reason_);
    if (!sum.has_value() || !more.has_value()) return false;
    const std::int64_t large_size = product(large.kernel), small_size = product(small.kernel);
    for (std::size_t i = 0; i < more->weight.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      const std::int64_t place =
          at / small_size * large_size + moved(at % small_size, small.kernel, large.kernel, *begin);
      sum->weight[static_cast<std::size_t>(place)] += more->weight[i];
    }
    for (std::size_t c = 0; c < sum->bias.size(); ++c) sum->bias[c] += more->bias[c];
    const bool needs_bias = large.node->input(2) != nullptr || small.node->input(2) != nullptr;
    return finish(*target, *sum, needs_bias, small.node);
  }

  /// `norm`: null for the identity.
  bool add_affine(const Branch& branch, Node* norm) {
    auto target = LinearOperator::read(*branch.node, reason_);
    if (!target.has_value()) return false;
    const std::int64_t channels = target->output_channels();
    const Type* type = types_.type(branch.input);
    const bool same_channels = type != nullptr && type->shape.has_value() &&
                               type->shape->size() == branch.kernel.size() + 2 && (*type->shape)[1].known() &&
                               (*type->shape)[1].value() == channels;
    if (target->input_channels() != channels || !same_channels || !all_one(branch.strides)) {
      return decline("its convolution changes channels or extents");
    }
    Dims centre;
    const std::size_t axes = branch.kernel.size();
    for (std::size_t i = 0; i < axes; ++i) {
      const std::int64_t reach = branch.dilations[i] * (branch.kernel[i] - 1);
      if (branch.pads[i] + branch.pads[axes + i] != reach || branch.pads[i] % branch.dilations[i] != 0) {
        return decline("the kernel of its convolution has no element on its own pixel");
      }
      centre.push_back(branch.pads[i] / branch.dilations[i]);
    }
    Affine affine{std::vector<double>(static_cast<std::size_t>(channels), 1.0),
                  std::vector<double>(static_cast<std::size_t>(channels), 0.0)};
    if (norm != nullptr) {
      auto read = batch_normalization_affine(*norm, channels, reason_);
      if (!read.has_value()) return false;
      affine = std::move(*read);
    }
    auto sum = numbers_of(*target, reason_);
    if (!sum.has_value()) return false;
    const std::int64_t per_group = target->weight().dims()[1], size = product(branch.kernel);
    const std::int64_t place = moved(0, Dims(axes, 1), branch.kernel, centre);
    for (std::int64_t c = 0; c < channels; ++c) {
      const auto at = static_cast<std::size_t>(c);
      sum->weight[static_cast<std::size_t>((c * per_group + c % per_group) * size + place)] +=
          affine.scale[at];
      sum->bias[at] += affine.shift[at];
    }
    return finish(*target, *sum, norm != nullptr || branch.node->input(2) != nullptr, norm);
  }

  bool finish(LinearOperator& target, const Numbers& sum, bool needs_bias, Node* gone) {
    if (!target.replace(sum.weight, needs_bias ? sum.bias : std::vector<double>(), reason_)) return false;
    Graph& graph = *add_.graph();
    graph.replace_all_uses(add_.output(), target.node().output());
    graph.erase(&add_);
    if (gone != nullptr) graph.erase(gone);
    return true;
  }

  Node& add_;
  KnownTypes& types_;
  std::string reason_;
};

}  // namespace

Result<PassOutcome> fuse_parallel_convolutions(Model& model, const PassContext& context) {
  PassOutcome outcome;
  KnownTypes types(*model.graph, context);
  for_each_graph(*model.graph, [&](Graph& graph) {
    for (Node* node : graph.nodes_snapshot()) {
      if (!node->is("Add") || node->output() == nullptr || node->input(0) == nullptr ||
          node->input(1) == nullptr)
        continue;
      const std::string label = node->label();
      Fusion fusion(*node, types);
      const std::optional<bool> fused = fusion.run();
      if (!fused.has_value()) continue;
      if (*fused) {
        ++outcome.rewrites;
      } else {
        outcome.declined.push_back({label, fusion.reason()});
      }
    }
  });
  return outcome;
}

}  // namespace press::passes
