#include "press/calibrate/lockstep.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <random>

#include "press/onnx/text.h"
#include "press/ops/linear_layer.h"
#include "support/random_tensor.h"

namespace press {
namespace {

using test::random_numbers;
using test::random_tensor;

Model network(std::uint32_t seed) {
  auto model = parse_model_text(fmt::format(
      R"(
  <ir_version: 8, opset_import: ["" : 13]>
  g (float[N,2,5,4] x) => (float[N,3] y)
  <float[4,2,3,3] a = {}, float[4,1,3,3] b = {}, float[3,4] c = {}>
  {{
    one = Conv <pads = [1, 1, 1, 1], strides = [2, 1]> (x, a)
    positive = Relu (one)
    two = Conv <group = 4, pads = [1, 1, 1, 1]> (positive, b)
    sum = Add (two, positive)
    pooled = GlobalAveragePool (sum)
    flat = Flatten (pooled)
    y = Gemm <transB = 1> (flat, c)
  }})",
      random_numbers({4, 2, 3, 3}, seed), random_numbers({4, 1, 3, 3}, seed + 1),
      random_numbers({3, 4}, seed + 2)));
  EXPECT_TRUE(model.ok()) << (model.ok() ? "" : model.error().message());
  return model.ok() ? std::move(model).value() : Model();
}

std::vector<const Node*> layers(const Model& model) {
  std::vector<const Node*> found;
  for (const Node* node : model.graph->nodes()) {
    if (linear_layer(*node).has_value()) found.push_back(node);
  }
  return found;
}

std::vector<Batch> samples(std::int64_t count, std::int64_t batch) {
  const Tensor all = random_tensor({count, 2, 5, 4}, 99);
  std::vector<Batch> batches;
  for (std::int64_t first = 0; first < count; first += batch) {
    const std::int64_t size = std::min(batch, count - first);
    const auto part =
        all.data<float>().subspan(static_cast<std::size_t>(first * 40), static_cast<std::size_t>(size * 40));
    batches.push_back({.inputs = {Tensor::of({size, 2, 5, 4}, part)}, .labels = {}, .names = {}});
  }
  return batches;
}

std::vector<LayerStatistics> gather_all(const Model& a, const Model& b, const std::vector<Batch>& batches,
                                        const LockstepOptions& options) {
  auto lockstep = Lockstep::create(*a.graph, *b.graph, batches, options);
  EXPECT_TRUE(lockstep.ok()) << (lockstep.ok() ? "" : lockstep.error().message());
  std::vector<LayerStatistics> all;
  for (std::size_t i = 0; i < layers(a).size(); ++i) {
    auto statistics = lockstep->gather(*layers(a)[i], *layers(b)[i]);
    EXPECT_TRUE(statistics.ok()) << (statistics.ok() ? "" : statistics.error().message());
    if (statistics.ok()) all.push_back(*std::move(statistics));
  }
  return all;
}

void expect_equal(const LayerStatistics& a, const LayerStatistics& b) {
  EXPECT_EQ(a.columns, b.columns);
  ASSERT_EQ(a.groups.size(), b.groups.size());
  for (std::size_t g = 0; g < a.groups.size(); ++g) {
    EXPECT_EQ(a.groups[g].mean, b.groups[g].mean);
    EXPECT_EQ(a.groups[g].covariance.values, b.groups[g].covariance.values);
    EXPECT_EQ(a.groups[g].cross.values, b.groups[g].cross.values);
  }
  EXPECT_EQ(a.output_mean, b.output_mean);
  EXPECT_EQ(a.output_variance, b.output_variance);
}

TEST(Lockstep, MomentsPredictTheOutputsOfEveryLayer) {
  const Model model = network(1);
  const auto all = gather_all(model, model, samples(12, 5), {});
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].columns, 12 * 3 * 4);
  EXPECT_EQ(all[1].groups.size(), 4U);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Node& node = *layers(model)[i];
    const LinearLayer layer = *linear_layer(node);
    const std::vector<float> rows = weight_rows(node, layer);
    const auto d = static_cast<std::size_t>(layer.inputs);
    for (std::size_t channel = 0; channel < static_cast<std::size_t>(layer.outputs); ++channel) {
      const ColumnMoments& moments =
          all[i].groups[channel / static_cast<std::size_t>(layer.outputs_per_group())];
      double mean = 0, variance = 0;
      for (std::size_t j = 0; j < d; ++j) {
        mean += rows[channel * d + j] * moments.mean[j];
        for (std::size_t k = 0; k < d; ++k)
          variance += rows[channel * d + j] * moments.covariance.at(j, k) * rows[channel * d + k];
      }
      EXPECT_NEAR(mean, all[i].output_mean[channel], 1e-4);
      EXPECT_NEAR(variance, all[i].output_variance[channel], 1e-3 * variance);
    }
  }
}

TEST(Lockstep, ThreadsAndMemoryChangeNothing) {
  const Model original = network(1), compressed = network(50);
  const auto batches = samples(12, 5);
  const auto expected = gather_all(original, compressed, batches, {});
  for (const LockstepOptions& options : {LockstepOptions{.threads = 3}, LockstepOptions{.memory = 0},
                                         LockstepOptions{.threads = 2, .memory = 8000}}) {
    const auto found = gather_all(original, compressed, batches, options);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) expect_equal(found[i], expected[i]);
  }
}

TEST(Lockstep, SeesTheCompressedInputsBesideTheOriginalOnes) {
  const Model original = network(1), compressed = network(50);
  const auto all = gather_all(original, compressed, samples(12, 5), {});
  EXPECT_EQ(all[0].groups[0].mean, all[0].groups[0].reference_mean);
  EXPECT_NE(all[2].groups[0].mean, all[2].groups[0].reference_mean);
}

TEST(Lockstep, MeansAloneAreTheSameMeans) {
  const Model original = network(1), compressed = network(50);
  const auto expected = gather_all(original, compressed, samples(12, 5), {});
  const auto found = gather_all(original, compressed, samples(12, 5), {.means_alone = true});
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].columns, expected[i].columns);
    for (std::size_t g = 0; g < found[i].groups.size(); ++g) {
      EXPECT_EQ(found[i].groups[g].mean, expected[i].groups[g].mean);
      EXPECT_EQ(found[i].groups[g].reference_mean, expected[i].groups[g].reference_mean);
      EXPECT_TRUE(found[i].groups[g].covariance.values.empty());
    }
    for (std::size_t c = 0; c < found[i].output_mean.size(); ++c) {
      EXPECT_NEAR(found[i].output_mean[c], expected[i].output_mean[c], 1e-4);
    }
  }
}

TEST(Lockstep, TakesAsManyColumnsAsAsked) {
  const Model model = network(1);
  const auto all = gather_all(model, model, samples(12, 5), {.columns_per_input = 0, .least_columns = 60});
  EXPECT_EQ(all[0].columns, 12 * 5);
  EXPECT_EQ(all[2].columns, 12);
}

TEST(Lockstep, NamesTheLayerThatOverflows) {
  const Model model = network(1);
  auto batches = samples(3, 3);
  batches[0].inputs[0].mutable_data<float>()[7] = std::numeric_limits<float>::infinity();
  auto lockstep = Lockstep::create(*model.graph, *model.graph, batches, {});
  ASSERT_TRUE(lockstep.ok());
  const auto statistics = lockstep->gather(*layers(model)[0], *layers(model)[0]);
  ASSERT_FALSE(statistics.ok());
  EXPECT_NE(statistics.error().message().find("not finite"), std::string::npos);
}

TEST(Lockstep, NoSampleIsAnError) {
  const Model model = network(1);
  EXPECT_FALSE(Lockstep::create(*model.graph, *model.graph, {}, {}).ok());
}

}  // namespace
}  // namespace press
