#include "press/pipeline/recovery.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "pipeline/small_network.h"
#include "press/pipeline/weight_pruning.h"

namespace press {
namespace {

using test::error_of;
using test::parsed;
using test::random_numbers;
using test::random_tensor;
using test::samples;

/// Four layers, one of them without a bias, so that low bits fall on two in the middle.
Model network() {
  return parsed(fmt::format(
      R"(
  <ir_version: 8, opset_import: ["" : 13]>
  g (float[N,3,6,6] x) => (float[N,4] y)
  <float[8,3,3,3] a = {}, float[8,8,3,3] b = {}, float[8] bias = {}, float[8,8] c = {}, float[8,4] d = {}>
  {{
    one = Conv <pads = [1, 1, 1, 1]> (x, a)
    first = Relu (one)
    two = Conv <pads = [1, 1, 1, 1]> (first, b, bias)
    second = Relu (two)
    pooled = GlobalAveragePool (second)
    flat = Flatten (pooled)
    three = Gemm (flat, c)
    third = Relu (three)
    y = MatMul (third, d)
  }})",
      random_numbers({8, 3, 3, 3}, 1), random_numbers({8, 8, 3, 3}, 2), random_numbers({8}, 3),
      random_numbers({8, 8}, 4), random_numbers({8, 4}, 5)));
}

/// The model after quantize_weights with `effort`.
Model quantized(Recover effort, int threads = 1) {
  Model model = network();
  PassContext context;
  context.quantize.weight_bits = 3;
  Recovery recovery;
  if (effort != Recover::kNone) {
    auto tasks = layers_with_small_weights(model, context.quantize, nullptr);
    EXPECT_TRUE(tasks.ok());
    auto recovered =
        recover_quantized(model, network(), *tasks, samples(), {}, {.effort = effort, .threads = threads});
    EXPECT_TRUE(recovered.ok()) << (recovered.ok() ? "" : recovered.error().message());
    recovery = *std::move(recovered);
    EXPECT_EQ(recovery.layers.size(), 4U);
    context.grids = &recovery.grids;
  }
  EXPECT_TRUE(find_pass("quantize_weights")->run(model, context).ok());
  EXPECT_TRUE(verify(*model.graph).ok());
  return model;
}

TEST(Recovery, EachEffortComesCloserToTheOriginal) {
  const Model original = network();
  const double none = error_of(quantized(Recover::kNone), original);
  const double bias = error_of(quantized(Recover::kBias), original);
  const double fast = error_of(quantized(Recover::kFast), original);
  const double full = error_of(quantized(Recover::kFull), original);
  EXPECT_LT(bias, none);
  EXPECT_LT(fast, 0.5 * bias);
  EXPECT_LT(full, 1.1 * fast);
}

TEST(Recovery, DoesNotDependOnThreads) {
  EXPECT_EQ(fingerprint(*quantized(Recover::kFast, 1).graph),
            fingerprint(*quantized(Recover::kFast, 3).graph));
}

std::vector<Node*> all_layers(const Model& model) {
  auto layers = layers_to_prune(model, {});
  EXPECT_TRUE(layers.ok());
  return layers.ok() ? *layers : std::vector<Node*>();
}

std::int64_t zeros_of(const Model& model) {
  std::int64_t zeros = 0;
  for (const Node* node : all_layers(model)) {
    for (const float weight : node->input(1)->constant()->data<float>()) zeros += weight == 0 ? 1 : 0;
  }
  return zeros;
}

/// Half of all weights, the smallest of the network, become zero.
Model pruned_by_magnitude() {
  Model model = network();
  PassContext context;
  context.prune.sparsity = 0.5;
  EXPECT_TRUE(find_pass("prune_magnitude")->run(model, context).ok());
  return model;
}

TEST(Recovery, PrunedWeightsStayZeroAndTheOthersTakeOver) {
  const Model original = network();
  Model model = pruned_by_magnitude();
  const double before = error_of(model, original);
  const std::int64_t zeros = zeros_of(model);
  const auto recovery = recover_pruned(model, original, all_layers(model), samples(), {});
  ASSERT_TRUE(recovery.ok()) << recovery.error().message();
  EXPECT_TRUE(verify(*model.graph).ok());
  EXPECT_EQ(zeros_of(model), zeros);
  EXPECT_LT(error_of(model, original), 0.5 * before);
}

/// The model with weights that share `count` values a layer, by the samples with any effort but kNone.
Model clustered(Model model, std::int64_t count, Recover effort, int threads = 1) {
  PassContext context;
  context.cluster.count = count;
  if (effort == Recover::kNone) {
    EXPECT_TRUE(find_pass("cluster_weights")->run(model, context).ok());
  } else {
    const auto recovery = recover_clustered(model, network(), all_layers(model), samples(), context.cluster,
                                            {.effort = effort, .threads = threads});
    EXPECT_TRUE(recovery.ok()) << (recovery.ok() ? "" : recovery.error().message());
  }
  EXPECT_TRUE(verify(*model.graph).ok());
  return model;
}

std::size_t most_values_of_a_layer(const Model& model) {
  std::size_t most = 0;
  for (const Node* node : all_layers(model)) {
    const std::span<const float> weights = node->input(1)->constant()->data<float>();
    most = std::max(most, std::set<float>(weights.begin(), weights.end()).size());
  }
  return most;
}

TEST(Recovery, ClustersComeCloserToTheOriginalWithEachEffort) {
  const Model original = network();
  const double none = error_of(clustered(network(), 5, Recover::kNone), original);
  const double bias = error_of(clustered(network(), 5, Recover::kBias), original);
  const Model fast = clustered(network(), 5, Recover::kFast);
  EXPECT_LT(bias, none);
  EXPECT_LT(error_of(fast, original), 0.5 * bias);
  EXPECT_EQ(most_values_of_a_layer(fast), 5U);
  EXPECT_EQ(fingerprint(*fast.graph), fingerprint(*clustered(network(), 5, Recover::kFast, 3).graph));
}

TEST(Recovery, ClustersKeepTheZerosOfPruning) {
  const Model pruned = pruned_by_magnitude();
  const Model fast = clustered(clone(pruned), 5, Recover::kFast);
  EXPECT_EQ(zeros_of(fast), zeros_of(pruned));
  EXPECT_EQ(most_values_of_a_layer(fast), 5U) << "zero included";
}

PruneOptions second_order_options(double sparsity) {
  return {.method = PruneMethod::kSecondOrder, .sparsity = sparsity};
}

TEST(Recovery, SecondOrderMasksLoseLessThanMagnitude) {
  const Model original = network();
  Model second_order = network(), magnitude = pruned_by_magnitude();
  const std::int64_t zeros = zeros_of(magnitude);
  const auto made =
      prune_by_criterion(second_order, all_layers(second_order), second_order_options(0.5), samples(), {});
  ASSERT_TRUE(made.ok()) << made.error().message();
  EXPECT_EQ(*made, zeros);
  EXPECT_EQ(zeros_of(second_order), zeros);
  for (Model* model : {&second_order, &magnitude}) {
    ASSERT_TRUE(recover_pruned(*model, original, all_layers(*model), samples(), {}).ok());
  }
  EXPECT_LT(error_of(second_order, original), error_of(magnitude, original));
}

TEST(Recovery, NoLayerLosesAllOfItsWeights) {
  Model model = network();
  ASSERT_TRUE(prune_by_criterion(model, all_layers(model), second_order_options(1), samples(), {}).ok());
  for (const Node* node : all_layers(model)) {
    const std::span<const float> weights = node->input(1)->constant()->data<float>();
    EXPECT_EQ(std::ranges::count_if(weights, [](float weight) { return weight != 0; }), 1);
  }
}

TEST(Recovery, QuantizingKeepsZeros) {
  const Model original = network();
  Model model = pruned_by_magnitude();
  PassContext context;
  context.quantize.weight_bits = 4;
  const std::int64_t zeros = zeros_of(model);
  auto tasks = layers_with_small_weights(model, context.quantize, nullptr);
  ASSERT_TRUE(tasks.ok());
  ASSERT_TRUE(recover_quantized(model, original, *tasks, samples(), {}, {}).ok());
  EXPECT_GE(zeros_of(model), zeros);
}

}  // namespace
}  // namespace press
