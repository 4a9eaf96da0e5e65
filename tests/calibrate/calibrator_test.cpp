#include "press/calibrate/calibrator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <mutex>
#include <random>

#include "press/onnx/text.h"

namespace press {
namespace {

/// x [N,4] -> MatMul -> h [N,3] -> MatMul -> y [N,2]
Model network() {
  auto model = parse_model_text(R"(
    <ir_version: 7, opset_import: ["": 13]>
    g (float[N,4] x) => (float[N,2] y)
    <float[4,3] w = {1,2,3,4,-5,6,7,8,-9,1,2,3}, float[3,2] v = {1,-1,2,-2,0.5,0.25}> {
      h = MatMul(x, w)
      y = MatMul(h, v)
    })");
  EXPECT_TRUE(model.ok());
  return std::move(model).value();
}

std::vector<const Value*> values_of(const Model& model) {
  std::vector<const Value*> values;
  for (const Value* value : model.graph->values()) {
    if (!value->is_constant()) values.push_back(value);
  }
  return values;
}

Batch batch_of(const std::vector<float>& samples) {
  const auto count = static_cast<std::int64_t>(samples.size()) / 4;
  Batch batch{.inputs = {Tensor::of({count, 4}, samples)}, .labels = {}, .names = {}};
  for (std::int64_t i = 0; i < count; ++i) {
    batch.labels.push_back(-1);
    batch.names.push_back("image" + std::to_string(i));
  }
  return batch;
}

/// Hands out the batches in order, to any number of threads.
BatchSource source_of(std::vector<Batch> batches) {
  struct State {
    std::mutex mutex;
    std::size_t next = 0;
    std::vector<Batch> batches;
  };
  auto state = std::make_shared<State>();
  state->batches = std::move(batches);
  return [state]() -> Result<std::optional<Batch>> {
    const std::scoped_lock lock(state->mutex);
    if (state->next == state->batches.size()) return std::optional<Batch>();
    return std::optional(state->batches[state->next++]);
  };
}

std::vector<Batch> random_batches(std::size_t count) {
  std::mt19937 generator(9);
  std::normal_distribution<float> normal;
  std::vector<Batch> batches;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<float> samples(4 * 8);
    for (float& sample : samples) sample = normal(generator) * static_cast<float>(1 + i % 5);
    batches.push_back(batch_of(samples));
  }
  return batches;
}

TEST(Calibrate, GathersEachValue) {
  const Model model = network();
  const auto table = calibrate(model, values_of(model),
                               source_of({batch_of({1, 0, 0, 0, 0, 1, 0, 0}), batch_of({0, 0, 2, 0})}));
  ASSERT_TRUE(table.ok()) << table.error().message();
  ASSERT_EQ(table->size(), 3U);
  EXPECT_EQ(table->at("x").count(), 12U);
  EXPECT_EQ(table->at("x").min_max(), (Range{0, 2}));
  EXPECT_EQ(table->at("h").min_max(), (Range{-18, 16}));
  EXPECT_EQ(table->at("y").count(), 6U);
}

TEST(Calibrate, GivesTheSameBytesForAnyThreadsAndOrder) {
  const Model model = network();
  std::vector<Batch> batches = random_batches(40);
  for (const Observer observer : {Observer::kMinMax, Observer::kPercentile}) {
    const auto one =
        calibrate(model, values_of(model), source_of(batches), {.threads = 1, .observer = observer});
    ASSERT_TRUE(one.ok());
    for (const int threads : {2, 3}) {
      std::ranges::reverse(batches);
      const auto many =
          calibrate(model, values_of(model), source_of(batches), {.threads = threads, .observer = observer});
      ASSERT_TRUE(many.ok());
      EXPECT_EQ(to_json(*many), to_json(*one));
    }
  }
}

TEST(Calibrate, GathersBinsOnlyForObserversThatNeedThem) {
  const Model model = network();
  const auto extremes = calibrate(model, values_of(model), source_of(random_batches(2)));
  const auto bins =
      calibrate(model, values_of(model), source_of(random_batches(2)), {.observer = Observer::kPercentile});
  ASSERT_TRUE(extremes.ok() && bins.ok());
  EXPECT_TRUE(extremes->at("h").bins().empty());
  EXPECT_FALSE(bins->at("h").bins().empty());
  EXPECT_EQ(extremes->at("h").min_max(), bins->at("h").min_max());
}

TEST(Calibrate, TellsHowFarItIs) {
  const Model model = network();
  std::vector<std::int64_t> seen;
  const auto table =
      calibrate(model, values_of(model), source_of(random_batches(5)),
                {.threads = 2, .progress = [&](std::int64_t samples) { seen.push_back(samples); }});
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(seen, (std::vector<std::int64_t>{8, 16, 24, 32, 40}));
}

TEST(Calibrate, NamesValueNodeAndSampleOfWhatIsNotFinite) {
  const Model model = network();
  const float largest = std::numeric_limits<float>::max();
  std::vector<Batch> batches = random_batches(30);
  batches[7] = batch_of({1, 0, 0, 0, 0, 0, largest, 0});
  batches[8] = batch_of({largest, 0, 0, 0});
  for (const int threads : {1, 2}) {
    const auto table = calibrate(model, values_of(model), source_of(batches), {.threads = threads});
    ASSERT_FALSE(table.ok());
    EXPECT_EQ(table.error().code(), ErrorCode::kInput);
    const std::string& message = table.error().message();
    EXPECT_NE(message.find("'h'"), std::string::npos) << message;
    EXPECT_NE(message.find("MatMul"), std::string::npos) << message;
    EXPECT_NE(message.find("'image1'"), std::string::npos) << message;
  }
}

TEST(Calibrate, NeedsASample) {
  const Model model = network();
  const auto table = calibrate(model, values_of(model), source_of({}));
  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.error().code(), ErrorCode::kInput);
}

TEST(Calibrate, ReturnsTheErrorOfTheSource) {
  const Model model = network();
  const BatchSource broken = []() -> Result<std::optional<Batch>> {
    return Error(ErrorCode::kInput, "no such image");
  };
  const auto table = calibrate(model, values_of(model), broken, {.threads = 2});
  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.error().message(), "no such image");
}

TEST(Calibrate, ReturnsTheErrorOfTheNetwork) {
  const Model model = network();
  const Batch narrow{
      .inputs = {Tensor::of({1, 3}, std::vector<float>{1, 2, 3})}, .labels = {-1}, .names = {"image"}};
  const auto table = calibrate(model, values_of(model), source_of({narrow}));
  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.error().code(), ErrorCode::kInput);
}

TEST(Calibrate, HasNothingToDoWithoutValues) {
  const Model model = network();
  const auto table = calibrate(model, {}, source_of({}));
  ASSERT_TRUE(table.ok());
  EXPECT_TRUE(table->empty());
}

}  // namespace
}  // namespace press
