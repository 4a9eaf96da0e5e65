// Linear operators with constant weights, and what is folded into them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "passes/known_types.h"
#include "press/ir/graph.h"

namespace press {

/// What a node does to channel c: y = scale[c] · x + shift[c].
struct Affine {
  std::vector<double> scale, shift;
};

/// Conv, ConvTranspose, Gemm or MatMul with a constant weight of floating-point numbers. Functions that may
/// decline return nothing (or false) and set `reason`; the graph is then as it was.
class LinearOperator {
 public:
  /// True for nodes whose operator is one of them, whatever their inputs are.
  static bool is_one(const Node& node);

  static std::optional<LinearOperator> read(Node& node, std::string& reason);

  Node& node() const { return *node_; }
  const Tensor& weight() const { return weight_; }
  std::int64_t output_channels() const { return groups_ * extent_; }
  /// Channels of the first input; axis 1 of convolutions, the last one of products.
  std::int64_t input_channels() const;
  /// Axes behind the channels in the first input and the output.
  std::size_t trailing_axes() const;

  /// The bias as it is added, one number an output channel; zeros where there is none.
  std::optional<std::vector<double>> bias(std::string& reason) const;

  /// y = affine(linear(x)) by new weight and bias: W'[c] = W[c]·scale[c], b' = b·scale + shift.
  bool fold_behind(const Affine& affine, KnownTypes& types, std::string& reason);

  /// y = linear(affine(x)) by new weight and bias: W'[o,i] = W[o,i]·scale[i], b' = b + Σ W[o,i]·shift[i]. A
  /// shift needs a convolution without padding, because the border is padded behind it.
  bool fold_before(const Affine& affine, KnownTypes& types, std::string& reason);

  /// Replaces weight (empty: it stays) and bias (empty: none is needed and none is added); computed in
  /// double, rounded once.
  bool replace(const std::vector<double>& weight, const std::vector<double>& bias, std::string& reason);

 private:
  explicit LinearOperator(Node& node) : node_(&node) {}
  /// Calls visit(channel, first element, count) for runs of elements of the weight that belong to one
  /// channel.
  template <typename Visit>
  void for_each_output_run(Visit&& visit) const;
  template <typename Visit>
  void for_each_input_run(Visit&& visit) const;
  /// Σ W[o,i]·factors[i] for each output channel o; not for ConvTranspose.
  std::vector<double> sums_over_inputs(const std::vector<double>& factors) const;
  /// The weight with every run multiplied by its channel's factor, computed in double and rounded once;
  /// nullopt where that is not finite. `for_each_run(visit)` is one of the two above.
  template <typename ForEachRun>
  std::optional<Tensor> scaled(const std::vector<double>& factors, ForEachRun&& for_each_run,
                               std::string& reason) const;
  /// What both folds end with: the weight scaled run by run as in scaled(), and `new_bias` where there is a
  /// bias or a shift.
  template <typename ForEachRun>
  bool fold(const Affine& affine, const std::vector<double>& new_bias, ForEachRun&& for_each_run,
            KnownTypes& types, std::string& reason);
  /// As the public one, with the weight (none: it stays) rounded already.
  bool replace(std::optional<Tensor> new_weight, const std::vector<double>& bias, std::string& reason);
  bool can_have_bias(KnownTypes& types, std::string& reason) const;

  Node* node_;
  Tensor weight_;
  std::int64_t extent_ = 0;  // of the weight's axis of output channels
  std::int64_t inner_ = 0;   // elements below that axis
  std::int64_t groups_ = 1;  // each holds `extent_` channels of its own (ConvTranspose; else 1)
};

/// What BatchNormalization in its inference form does to each channel.
std::optional<Affine> batch_normalization_affine(const Node& norm, std::int64_t channels,
                                                 std::string& reason);

/// Mul, Add, Sub or Div by a constant that is one number, or one a channel where `trailing` axes come behind
/// the channels.
struct ConstantOperation {
  Value* input = nullptr;  // the other operand
  Affine affine;
  std::size_t constant_rank = 0;
};
std::optional<ConstantOperation> constant_operation(const Node& node, std::int64_t channels,
                                                    std::size_t trailing);

/// The operand of such a node that is not constant, whatever the constant looks like; null for other nodes.
Value* variable_operand(const Node& node);

/// True for Mul, Add, Sub and Div of ONNX's domain.
bool is_arithmetic(const Node& node);

}  // namespace press
