// before:  x ─ Conv(W, b) ─ BatchNormalization(γ, β, μ, σ²) ─ y          after:  x ─ Conv(W', b') ─ y
//
//   W'[c] = W[c] · γ[c] / √(σ²[c] + ε)        b'[c] = (b[c] - μ[c]) · γ[c] / √(σ²[c] + ε) + β[c]
//
// (Jacob et al., arXiv 1712.05877, section 3.2.) c runs over the output channels of Conv, ConvTranspose
// (group by group) and Gemm (alpha stays with the weight, beta goes into b'). A MatMul of two matrices
// becomes a Gemm, to have a bias.
//
// Conditions: BatchNormalization in its inference form; all parameters constant; the linear operator's result
// has no other use; the statistics give finite factors. A weight that other nodes use is copied for this one.
// Computed in double and rounded once. A weight that is zero stays zero: masks of pruning survive.
//
// Why it pays: one pass less over every feature map, and quantization sees the weights that are really used.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "passes/declarations.h"
#include "passes/floats.h"
#include "passes/known_types.h"
#include "passes/selection.h"

namespace press::passes {
namespace {

constexpr std::size_t kParameters = 4;  // scale, bias, mean, variance: inputs 1 to 4

/// What BatchNormalization does to channel c at inference: y = scale[c] · x + shift[c].
struct Affine {
  std::vector<double> scale, shift;
};

/// A linear operator and where its output channels are.
struct Linear {
  Node* node = nullptr;
  Tensor weight;
  std::int64_t extent = 0;  // of the weight's axis of output channels
  std::int64_t inner = 0;   // elements below that axis
  std::int64_t groups = 1;  // each holds `extent` channels of its own (ConvTranspose; else 1)

  std::int64_t channels() const { return groups * extent; }
  std::int64_t channel_of(std::int64_t element) const {
    const std::int64_t rows = weight.size() / (extent * inner) / groups;
    const std::int64_t row = element / inner;
    return row / extent / rows * extent + row % extent;
  }
};

/// One attempt at one BatchNormalization. Functions return false, or nothing, with `reason` set.
class Fusion {
 public:
  Fusion(Node& norm, KnownTypes& types) : norm_(norm), types_(types) {}

  bool run() {
    linear_.node = norm_.input(0)->producer();
    if (!is_inference_form() || !read_linear()) return false;
    const auto affine = read_affine();
    if (!affine.has_value()) return false;
    const auto bias = read_bias();
    if (!bias.has_value()) return false;
    auto new_weight = scaled_weight(*affine);
    if (!new_weight.has_value()) return false;
    auto new_bias = folded_bias(*bias, *affine);
    if (!new_bias.has_value()) return false;
    rewrite(std::move(*new_weight), std::move(*new_bias));
    return true;
  }

  const std::string& reason() const { return reason_; }

 private:
  template <typename... Args>
  bool decline(fmt::format_string<Args...> format, Args&&... args) {
    reason_ = fmt::format(format, std::forward<Args>(args)...);
    return false;
  }

  bool is_inference_form() {
    const Graph& graph = *norm_.graph();
    const std::int64_t opset = graph.opset();
    if (opset < 7) return decline("operator set {} is older than 7", opset);
    if (norm_.int_attribute("training_mode", 0) != 0) return decline("it is in training mode");
    if (norm_.int_attribute("spatial", 1) != 1)
      return decline("its statistics are not per channel (spatial is 0)");
    for (std::size_t i = 1; i < norm_.output_count(); ++i) {
      if (norm_.output(i) != nullptr) return decline("it lists the outputs of its training form");
    }
    const Value* input = norm_.input(0);
    if (!input->has_one_use()) {
      return decline("the result of {} is used {} times", linear_.node->label(), input->uses().size());
    }
    if (input->graph() != &graph) return decline("{} stands in an outer graph", linear_.node->label());
    return true;
  }

  bool read_linear() {
    const Node& node = *linear_.node;
    const Value* weight = constant_weight(node);
    if (weight == nullptr) {
      const Value* given = node.input(static_cast<std::size_t>(traits(node).weight_input));
      const bool has_default = given != nullptr && given->tensor() != nullptr;
      return decline("the weight of {} is {}", node.label(),
                     has_default ? "a graph input, which callers may override" : "not constant");
    }
    linear_.weight = *weight->constant();
    const Dims& dims = linear_.weight.dims();
    const std::optional<int> axis = weight_channel_axis(node);
    if (!is_floating_point(linear_.weight.type())) {
      return decline("the weight of {} is {}", node.label(), name(linear_.weight.type()));
    }
    if (!axis.has_value() || *axis < 0 || static_cast<std::size_t>(*axis) >= dims.size() ||
        linear_.weight.size() == 0) {
      return decline("the weight of {} is {}", node.label(), to_string(dims));
    }
    linear_.extent = dims[*axis];
    linear_.inner = 1;
    for (std::size_t i = *axis + 1; i < dims.size(); ++i) linear_.inner *= dims[i];
    if (node.is("ConvTranspose")) linear_.groups = node.int_attribute("group", 1);
    if (linear_.groups < 1 || dims[0] % linear_.groups != 0) {
      return decline("the weight of {} is {}, which does not divide into {} groups", node.label(),
                     to_string(dims), linear_.groups);
    }
    return traits(node).bias_input >= 0 || becomes_gemm(node);
  }

  /// A product of two matrices has the channels where BatchNormalization expects them, and can have a bias as
  /// Gemm.
  bool becomes_gemm(const Node& node) {
    const Value* input = node.input(0);
    const Type* type = input != nullptr && !input->is_constant() ? types_.type(input) : nullptr;
    const bool is_matrix = type != nullptr && type->shape.has_value() && type->shape->size() == 2;
    if (!node.is("MatMul") || traits(node).weight_input != 1 || !is_matrix || linear_.weight.rank() != 2) {
      return decline("{} has no bias and is not known to multiply two matrices", node.label());
    }
    return true;
  }

  std::optional<Affine> read_affine() {
    std::array<std::vector<double>, kParameters> parameters;
    for (std::size_t i = 0; i < kParameters; ++i) {
      const Value* value = norm_.input(i + 1);
      const Tensor* tensor = value != nullptr ? value->constant() : nullptr;
      if (tensor == nullptr || !is_floating_point(tensor->type())) {
        decline("its input {} is not a constant of floating-point numbers", i + 1);
        return std::nullopt;
      }
      if (tensor->rank() != 1 || tensor->size() != linear_.channels()) {
        decline("its input {} is {}, but {} has {} output channels", i + 1, to_string(tensor->dims()),
                linear_.node->label(), linear_.channels());
        return std::nullopt;
      }
      parameters[i].reserve(static_cast<std::size_t>(tensor->size()));
      for_each_float(*tensor, [&](std::int64_t, double element) { parameters[i].push_back(element); });
    }
    const auto& [gamma, beta, mean, variance] = parameters;
    const double epsilon = norm_.float_attribute("epsilon", 1e-5F);
    Affine affine;
    for (std::size_t c = 0; c < gamma.size(); ++c) {
      const double scale = gamma[c] / std::sqrt(variance[c] + epsilon);
      const double shift = beta[c] - mean[c] * scale;
      if (!(variance[c] + epsilon > 0) || !std::isfinite(scale) || !std::isfinite(shift)) {
        decline(
            "channel {} has scale {}, bias {}, mean {} and variance {} with epsilon {}, which is no finite "
            "factor",
            c, gamma[c], beta[c], mean[c], variance[c], epsilon);
        return std::nullopt;
      }
      affine.scale.push_back(scale);
      affine.shift.push_back(shift);
    }
    return affine;
  }

  /// The bias as it is added, one number a channel.
  std::optional<std::vector<double>> read_bias() {
    const Node& node = *linear_.node;
    const int bias_input = traits(node).bias_input;
    const Value* value = bias_input >= 0 ? node.input(static_cast<std::size_t>(bias_input)) : nullptr;
    std::vector<double> bias(static_cast<std::size_t>(linear_.channels()), 0.0);
    if (value == nullptr) return bias;
    const Tensor* tensor = value->constant();
    if (tensor == nullptr || !is_floating_point(tensor->type())) {
      decline("the bias of {} is not a constant of floating-point numbers", node.label());
      return std::nullopt;
    }
    const bool is_gemm = node.is("Gemm");
    const bool is_row = tensor->rank() == 1 || (is_gemm && tensor->rank() == 2 && tensor->dims()[0] == 1);
    const bool is_one = is_gemm && tensor->size() == 1 && tensor->rank() <= 2;
    if (!is_one && !(is_row && tensor->size() == linear_.channels())) {
      decline("the bias of {} is {}, but it has {} output channels", node.label(), to_string(tensor->dims()),
              linear_.channels());
      return std::nullopt;
    }
    const double beta = is_gemm ? node.float_attribute("beta", 1.0F) : 1.0;
    for_each_float(
        *tensor, [&](std::int64_t c, double element) { bias[static_cast<std::size_t>(c)] = beta * element; });
    if (is_one) std::ranges::fill(bias, bias.front());
    return bias;
  }

  std::optional<Tensor> scaled_weight(const Affine& affine) {
    Tensor scaled = linear_.weight;
    bool overflows = false;
    transform_floats(scaled, [&](std::int64_t i, double element) {
      return element * affine.scale[static_cast<std::size_t>(linear_.channel_of(i))];
    });
    for_each_float(scaled,
                   [&](std::int64_t, double element) { overflows = overflows || !std::isfinite(element); });
    if (overflows) {
      decline("the scaled weight of {} is not finite in {}", linear_.node->label(), name(scaled.type()));
      return std::nullopt;
    }
    return scaled;
  }

  std::optional<Tensor> folded_bias(const std::vector<double>& bias, const Affine& affine) {
    auto made = Tensor::allocate(linear_.weight.type(), {linear_.channels()});
    if (!made.ok()) {
      decline("{}", made.error().message());
      return std::nullopt;
    }
    bool overflows = false;
    std::ranges::fill(made->mutable_bytes(), std::byte{0});
    transform_floats(*made, [&](std::int64_t c, double) {
      const auto at = static_cast<std::size_t>(c);
      return bias[at] * affine.scale[at] + affine.shift[at];
    });
    for_each_float(*made,
                   [&](std::int64_t, double element) { overflows = overflows || !std::isfinite(element); });
    if (overflows) {
      decline("the new bias of {} is not finite in {}", linear_.node->label(), name(made->type()));
      return std::nullopt;
    }
    return std::move(*made);
  }

  void rewrite(Tensor weight, Tensor bias) {
    Node& node = *linear_.node;
    Graph& graph = *node.graph();
    const auto weight_input = static_cast<std::size_t>(traits(node).weight_input);
    // Where the weight stands there may be constants; a subgraph, before IR version 4, can have none.
    Graph& home = *node.input(weight_input)->graph();
    set_constant_input(home, node, weight_input, std::move(weight), {});
    if (node.is("MatMul")) node.set_op_type("Gemm");
    node.remove_attribute("beta");
    set_constant_input(home, node, static_cast<std::size_t>(traits(node).bias_input), std::move(bias),
                       fmt::format("{}.bias", selection_name(node)));
    graph.replace_all_uses(norm_.output(), norm_.input(0));
    graph.erase(&norm_);
  }

  /// The constant itself changes where this node alone uses it; otherwise the node gets one of its own, in
  /// `home`.
  static void set_constant_input(Graph& home, Node& node, std::size_t index, Tensor tensor,
                                 std::string_view new_name) {
    Value* old = node.input(index);
    if (old != nullptr && old->has_one_use()) {
      old->set_constant(std::move(tensor));
      return;
    }
    const std::string stem(old != nullptr ? old->name() : new_name);
    node.graph()->set_input(&node, index, home.add_constant(std::move(tensor), home.fresh_name(stem)));
  }

  Node& norm_;
  KnownTypes& types_;
  Linear linear_;
  std::string reason_;
};

bool follows_linear_operator(const Node& norm) {
  const Value* input = norm.input(0);
  const Node* producer = input != nullptr ? input->producer() : nullptr;
  return norm.output() != nullptr && producer != nullptr && producer->domain().empty() &&
         traits(*producer).weight_input >= 0;
}

}  // namespace

Result<PassOutcome> fuse_conv_batchnorm(Model& model, const PassContext& /*context*/) {
  std::vector<Node*> norms;
  for_each_node(*model.graph, [&](Node* node) {
    if (node->is("BatchNormalization")) norms.push_back(node);
  });
  PassOutcome outcome;
  KnownTypes types(*model.graph);
  for (Node* norm : norms) {
    if (!follows_linear_operator(*norm)) continue;
    const std::string label = norm->label();
    Fusion fusion(*norm, types);
    if (fusion.run()) {
      ++outcome.rewrites;
    } else {
      outcome.declined.push_back({label, fusion.reason()});
    }
  }
  return outcome;
}

}  // namespace press::passes
