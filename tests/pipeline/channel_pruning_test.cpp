#include "press/pipeline/channel_pruning.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "pipeline/small_network.h"
#include "press/passes/pass.h"
#include "press/pipeline/recovery.h"

namespace press {
namespace {

using test::error_of;
using test::parsed;
using test::random_numbers;
using test::random_tensor;
using test::samples;

/// A residual trunk of 8 channels with 12 channels inside of its block.
Model network() {
  return parsed(fmt::format(
      R"(
  <ir_version: 8, opset_import: ["" : 13]>
  g (float[N,3,6,6] x) => (float[N,4] y)
  <float[8,3,3,3] a = {}, float[12,8,3,3] b = {}, float[12] bias = {}, float[8,12,3,3] c = {},
   float[4,8] d = {}>
  {{
    one = Conv <pads = [1, 1, 1, 1]> (x, a)
    trunk = Relu (one)
    two = Conv <pads = [1, 1, 1, 1]> (trunk, b, bias)
    inner = Relu (two)
    three = Conv <pads = [1, 1, 1, 1]> (inner, c)
    sum = Add (three, trunk)
    last = Relu (sum)
    pooled = GlobalAveragePool (last)
    flat = Flatten (pooled)
    y = Gemm <transB = 1> (flat, d)
  }})",
      random_numbers({8, 3, 3, 3}, 1), random_numbers({12, 8, 3, 3}, 2), random_numbers({12}, 3),
      random_numbers({8, 12, 3, 3}, 4), random_numbers({4, 8}, 5)));
}

ChannelPlan plan_of(const Model& model, const PruneOptions& options, bool second_order) {
  const auto groups = prunable_channels(model, options);
  EXPECT_TRUE(groups.ok());
  std::vector<ChannelTrace> traces;
  if (second_order) {
    auto measured = trace_channels(model, *groups, samples(), {});
    EXPECT_TRUE(measured.ok()) << (measured.ok() ? "" : measured.error().message());
    traces = *std::move(measured);
  } else {
    for (const PrunableChannels& group : *groups) traces.push_back(magnitude_trace(group));
  }
  auto plan = plan_channels(model, options, traces);
  EXPECT_TRUE(plan.ok()) << (plan.ok() ? "" : plan.error().message());
  return plan.ok() ? *std::move(plan) : ChannelPlan();
}

/// Masked and refitted, then taken out; both compute the same.
Model pruned(const PruneOptions& options, bool second_order, bool refit) {
  Model model = network();
  const ChannelPlan plan = plan_of(model, options, second_order);
  EXPECT_TRUE(mask_channels(model, options, plan).ok());
  if (refit) {
    const auto layers = layers_to_prune(model, {});
    EXPECT_TRUE(recover_pruned(model, network(), *layers, samples(), {}).ok());
  }
  const double masked = error_of(model, network());
  PassContext context;
  context.prune = options;
  context.channels = &plan;
  EXPECT_TRUE(find_pass("prune_channels")->run(model, context).ok());
  EXPECT_TRUE(verify(*model.graph).ok());
  EXPECT_NEAR(error_of(model, network()), masked, 1e-3 * masked + 1e-6);
  return model;
}

TEST(ChannelPruning, FindsTheReadersOfEachGroup) {
  const auto groups = prunable_channels(network(), {});
  ASSERT_TRUE(groups.ok());
  ASSERT_EQ(groups->size(), 2U);
  EXPECT_EQ((*groups)[0].norms.size(), 8U);
  EXPECT_EQ((*groups)[0].readers.size(), 2U);  // the block's first layer and the classifier
  EXPECT_EQ((*groups)[0].readers[0].columns[1].front(), 9U);
  EXPECT_EQ((*groups)[0].readers[1].columns[1], std::vector<std::uint32_t>{1});
  EXPECT_EQ((*groups)[1].readers.size(), 1U);
}

TEST(ChannelPruning, SecondOrderAndRefittingLoseLess) {
  PruneOptions options;
  options.scope = PruneScope::kLocal;
  options.sparsity = 0.25;
  const double magnitude = error_of(pruned(options, false, false), network());
  const double refitted = error_of(pruned(options, false, true), network());
  const double second_order = error_of(pruned(options, true, true), network());
  EXPECT_LT(refitted, 0.5 * magnitude);
  EXPECT_LE(second_order, refitted);
}

TEST(ChannelPruning, KeepsTheBudgetOfOperations) {
  // Of 6·6·(3·8 + 8·12 + 12·8)·9 + 8·4 multiply-accumulates.
  for (const PruneScope scope : {PruneScope::kGlobal, PruneScope::kLocal}) {
    PruneOptions options;
    options.macs = 0.6;
    options.scope = scope;
    const Model model = pruned(options, true, true);
    std::int64_t trunk = 0, inner = 0;
    for (const Value* constant : model.graph->constants()) {
      if (constant->name() == "a") trunk = constant->constant()->dims()[0];
      if (constant->name() == "b") inner = constant->constant()->dims()[0];
    }
    const double left = static_cast<double>(324 * (3 * trunk + 2 * trunk * inner) + 4 * trunk) / 70016;
    EXPECT_LE(left, 0.6);
    EXPECT_GE(left, 0.45);
  }
  PruneOptions impossible;
  impossible.macs = 0.001;
  const auto groups = prunable_channels(network(), impossible);
  std::vector<ChannelTrace> traces;
  for (const PrunableChannels& group : *groups) traces.push_back(magnitude_trace(group));
  EXPECT_FALSE(plan_channels(network(), impossible, traces).ok());
}

}  // namespace
}  // namespace press
