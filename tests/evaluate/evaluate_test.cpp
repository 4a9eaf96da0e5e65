#include "press/evaluate/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "press/evaluate/latency.h"
#include "press/onnx/text.h"

namespace press {
namespace {

Model parsed(const char* text) {
  auto model = parse_model_text(text);
  EXPECT_TRUE(model.ok()) << model.error().message();
  return std::move(model).value();
}

/// Three classes, scores are the three inputs times the diagonal.
Model classifier(const char* name = "1, 0, 0, 0, 1, 0, 0, 0, 1") {
  const std::string text = std::string(R"(<ir_version: 8, opset_import: ["" : 17]>
      net (float[N,3] x) => (float[N,3] y) <float[3,3] w = {)") +
                           name + "}> { y = MatMul(x, w) }";
  return parsed(text.c_str());
}

/// Batches of one sample each: the best class is `classes[i]`.
BatchSource source_of(std::vector<std::int64_t> classes, std::vector<std::int64_t> labels) {
  return [classes, labels, at = std::size_t{0}]() mutable -> Result<std::optional<Batch>> {
    if (at == classes.size()) return std::optional<Batch>();
    std::vector<float> scores(3, 0.1F * static_cast<float>(at));
    scores[static_cast<std::size_t>(classes[at])] += 1;
    Batch batch{.inputs = {Tensor::of({1, 3}, scores)},
                .labels = {labels[at]},
                .names = {"sample " + std::to_string(at)}};
    ++at;
    return std::optional<Batch>(std::move(batch));
  };
}

TEST(EvaluateModels, CountsHitsAndAgreement) {
  const Model model = classifier();
  const Model swapped = classifier("0, 1, 0, 1, 0, 0, 0, 0, 1");  // classes 0 and 1 change places
  const std::vector<EvaluatedModel> models{{"a", model.graph.get()}, {"b", swapped.graph.get()}};
  const auto scores = evaluate_models(models, source_of({0, 1, 2, 2}, {0, 2, 2, -1}));
  ASSERT_TRUE(scores.ok()) << scores.error().message();
  const ModelScore& first = (*scores)[0];
  EXPECT_EQ(first.samples, 4);
  EXPECT_EQ(first.labelled, 3);
  EXPECT_EQ(first.top1, 2);
  EXPECT_EQ(first.top5, 3);
  EXPECT_EQ(first.agreement, 4);
  EXPECT_NEAR(*first.top1_percent(), 100.0 * 2 / 3, 1e-12);
  const ModelScore& second = (*scores)[1];
  EXPECT_EQ(second.top1, 1);
  EXPECT_EQ(second.agreement, 2);
  EXPECT_DOUBLE_EQ(*second.agreement_percent(), 50.0);
  EXPECT_TRUE(std::isinf(first.differences.at(0).difference.sqnr_db()));
  EXPECT_FLOAT_EQ(static_cast<float>(second.differences.at(0).difference.max_absolute()), 1.0F);
}

TEST(EvaluateModels, TheNumberOfThreadsChangesNothing) {
  const Model model = classifier();
  const Model rounded = classifier("0.99, 0.01, 0, 0, 1.02, 0, 0.03, 0, 0.97");
  const std::vector<EvaluatedModel> models{{"a", model.graph.get()}, {"b", rounded.graph.get()}};
  std::vector<std::int64_t> classes, labels;
  for (std::int64_t i = 0; i < 64; ++i) {
    classes.push_back(i * 7 % 3);
    labels.push_back(i % 3);
  }
  const auto one = evaluate_models(models, source_of(classes, labels), {.threads = 1});
  const auto four = evaluate_models(models, source_of(classes, labels), {.threads = 4});
  ASSERT_TRUE(one.ok() && four.ok());
  for (std::size_t m = 0; m < models.size(); ++m) {
    EXPECT_EQ((*one)[m].top1, (*four)[m].top1);
    EXPECT_EQ((*one)[m].agreement, (*four)[m].agreement);
    const Difference& a = (*one)[m].differences[0].difference;
    const Difference& b = (*four)[m].differences[0].difference;
    EXPECT_EQ(a.sqnr_db(), b.sqnr_db());  // bit for bit: sums are formed in the order of the batches
    EXPECT_EQ(a.cosine(), b.cosine());
  }
}

TEST(EvaluateModels, LabelOutsideOfTheClassesIsAnErrorThatNamesIt) {
  const Model model = classifier();
  const std::vector<EvaluatedModel> models{{"net.onnx", model.graph.get()}};
  const auto scores = evaluate_models(models, source_of({0, 1, 2}, {0, 9, 7}), {.threads = 2});
  ASSERT_FALSE(scores.ok());
  EXPECT_EQ(scores.error().code(), ErrorCode::kInput);
  EXPECT_EQ(scores.error().message(),
            "sample 'sample 1' has label 9, but 'net.onnx' tells 3 classes apart (labels 0 to 2)");
}

TEST(EvaluateModels, NetworkWithoutClassesIsComparedOnly) {
  const Model model = parsed(R"(<ir_version: 8, opset_import: ["" : 17]>
      net (float[N,3] x) => (float[N,1] y) <float[3,1] w = {1, 2, 3}> { y = MatMul(x, w) })");
  const std::vector<EvaluatedModel> models{{"a", model.graph.get()}, {"b", model.graph.get()}};
  const auto scores = evaluate_models(models, source_of({0, 1}, {0, 1}));
  ASSERT_TRUE(scores.ok()) << scores.error().message();
  EXPECT_FALSE((*scores)[0].classifies);
  EXPECT_FALSE((*scores)[0].agreement_percent().has_value());
  EXPECT_EQ((*scores)[1].differences.at(0).difference.count(), 2U);
}

TEST(EvaluateModels, OutputsOfOtherSizesAreAnError) {
  const Model model = classifier();
  const Model other = parsed(R"(<ir_version: 8, opset_import: ["" : 17]>
      net (float[N,3] x) => (float[N,1] y) <float[3,1] w = {1, 2, 3}> { y = MatMul(x, w) })");
  const std::vector<EvaluatedModel> models{{"a", model.graph.get()}, {"b", other.graph.get()}};
  const auto scores = evaluate_models(models, source_of({0}, {0}));
  ASSERT_FALSE(scores.ok());
  EXPECT_EQ(scores.error().code(), ErrorCode::kInput);
}

TEST(EvaluateModels, ProgressMayStopIt) {
  const Model model = classifier();
  const std::vector<EvaluatedModel> models{{"a", model.graph.get()}};
  const EvaluateOptions options{
      .progress = [](std::int64_t) -> Status { return Error(ErrorCode::kInterrupted, "stop"); }};
  const auto scores = evaluate_models(models, source_of({0, 1}, {0, 1}), options);
  ASSERT_FALSE(scores.ok());
  EXPECT_EQ(scores.error().code(), ErrorCode::kInterrupted);
}

TEST(EvaluateModels, ErrorsOfTheSourceComeThrough) {
  const Model model = classifier();
  const std::vector<EvaluatedModel> models{{"a", model.graph.get()}};
  const auto scores = evaluate_models(
      models,
      []() -> Result<std::optional<Batch>> { return Error(ErrorCode::kInput, "cannot read 'x.jpg'"); },
      {.threads = 3});
  ASSERT_FALSE(scores.ok());
  EXPECT_EQ(scores.error().message(), "cannot read 'x.jpg'");
}

TEST(AdaptInputs, ConvertsToTheDeclaredFloatingType) {
  const Model model = parsed(R"(<ir_version: 8, opset_import: ["" : 17]>
      net (float16[N,2] x) => (float16[N,2] y) { y = Relu(x) })");
  const std::vector<Tensor> inputs{Tensor::of({1, 2}, std::vector<float>{1.5F, -2})};
  const std::vector<Tensor> adapted = adapt_inputs(*model.graph, inputs);
  ASSERT_EQ(adapted[0].type(), DataType::kFloat16);
  const auto numbers = to_floats(adapted[0]);
  ASSERT_TRUE(numbers.ok());
  EXPECT_EQ(*numbers, (std::vector<float>{1.5F, -2}));
}

TEST(MeasureLatency, TimesEveryModelInTurn) {
  const Model model = classifier();
  const std::vector<EvaluatedModel> models{{"a", model.graph.get()}, {"b", model.graph.get()}};
  const std::vector<Tensor> batch{Tensor::of({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6})};
  const auto times = measure_latency(models, batch, {.warm_up = 1, .rounds = 7});
  ASSERT_TRUE(times.ok()) << times.error().message();
  for (const Latency& time : *times) {
    EXPECT_EQ(time.runs, 7);
    EXPECT_EQ(time.batch, 2);
    EXPECT_GT(time.median_ms, 0);
    EXPECT_GE(time.p95_ms, time.median_ms);
    EXPECT_GT(time.per_sample_ms, 0);
  }
}

}  // namespace
}  // namespace press
