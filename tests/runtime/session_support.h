// Running graphs in tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "press/onnx/text.h"
#include "press/runtime/session.h"

namespace press {

/// Parses a model; a failure fails the test and returns an empty model.
inline Model parsed(std::string_view text) {
  Result<Model> model = parse_model_text(text);
  EXPECT_TRUE(model.ok()) << (model.ok() ? "" : model.error().message());
  return model.ok() ? std::move(*model) : Model{};
}

/// Runs a graph once; a failure fails the test and returns nothing.
inline std::vector<Tensor> run_graph(const Graph& graph, const std::vector<Tensor>& inputs,
                                     const SessionOptions& options = {}) {
  Result<Session> session = Session::create(graph, options);
  EXPECT_TRUE(session.ok()) << (session.ok() ? "" : session.error().message());
  if (!session.ok()) return {};
  Result<std::vector<Tensor>> outputs = session->run(inputs);
  EXPECT_TRUE(outputs.ok()) << (outputs.ok() ? "" : outputs.error().message());
  return outputs.ok() ? std::move(*outputs) : std::vector<Tensor>();
}

/// The message of the Error that creating or running the graph ends in; "" where it succeeds.
inline std::string failure(const Graph& graph, const std::vector<Tensor>& inputs) {
  Result<Session> session = Session::create(graph);
  if (!session.ok()) return session.error().message();
  Result<std::vector<Tensor>> outputs = session->run(inputs);
  return outputs.ok() ? "" : outputs.error().message();
}

/// A graph "(inputs) => (outputs) { nodes }" of one version of ONNX's operators, run once on `inputs`.
inline std::vector<Tensor> run_operators(int opset, std::string_view graph, const std::vector<Tensor>& inputs,
                                         const SessionOptions& options = {}) {
  const Model model = parsed("<ir_version: 8, opset_import: [\"\" : " + std::to_string(opset) +
                             ", \"com.microsoft\" : 1]> g " + std::string(graph));
  return run_graph(*model.graph, inputs, options);
}

inline Tensor floats(Dims dims, const std::vector<float>& values) {
  return Tensor::of<float>(std::move(dims), values);
}

inline Tensor int64s(Dims dims, const std::vector<std::int64_t>& values) {
  return Tensor::of<std::int64_t>(std::move(dims), values);
}

/// 0, 1, 2, …
inline Tensor counted(Dims dims) {
  Tensor tensor = std::move(Tensor::allocate(DataType::kFloat, std::move(dims))).value();
  float next = 0;
  for (float& value : tensor.mutable_data<float>()) value = next++;
  return tensor;
}

/// Float32 of these dims and, within 1e-5 of the largest one, these values.
inline void expect_floats(const Tensor& found, const Dims& dims, const std::vector<float>& expected) {
  ASSERT_EQ(found.type(), DataType::kFloat);
  EXPECT_EQ(found.dims(), dims);
  ASSERT_EQ(found.size(), static_cast<std::int64_t>(expected.size()));
  float largest = 1e-30F;
  for (const float value : expected) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(found.data<float>()[i], expected[i], 1e-5F * largest) << "element " << i;
}

/// Repeatable values between -1 and 1.
inline Tensor noise(Dims dims, std::uint32_t seed = 1) {
  Tensor tensor = std::move(Tensor::allocate(DataType::kFloat, std::move(dims))).value();
  std::uint32_t state = seed * 2654435761U + 1;
  for (float& value : tensor.mutable_data<float>()) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<float>(state >> 8) / 8388608.0F - 1.0F;
  }
  return tensor;
}

/// The largest difference, relative to the largest value.
inline double relative_difference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return INFINITY;
  double difference = 0;
  double largest = 1e-30;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = std::max(difference, std::abs(static_cast<double>(a[i]) - b[i]));
    largest = std::max(largest, std::abs(static_cast<double>(b[i])));
  }
  return difference / largest;
}

}  // namespace press
