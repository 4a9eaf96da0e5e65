// What tests of recovery share: networks on images of 3x6x6 numbers, samples of them, and what a change
// costs.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "press/onnx/text.h"
#include "press/runtime/batch.h"
#include "press/runtime/session.h"
#include "support/random_tensor.h"

namespace press::test {

inline Model parsed(const std::string& text) {
  auto model = parse_model_text(text);
  EXPECT_TRUE(model.ok()) << (model.ok() ? "" : model.error().message());
  return model.ok() ? std::move(model).value() : Model();
}

inline std::vector<Batch> samples() {
  std::vector<Batch> batches;
  for (std::uint32_t i = 0; i < 8; ++i)
    batches.push_back({.inputs = {random_tensor({8, 3, 6, 6}, 100 + i)}, .labels = {}, .names = {}});
  return batches;
}

/// Squared difference of the first outputs for 64 samples that samples() does not hold.
inline double error_of(const Model& model, const Model& original) {
  const std::vector<Tensor> inputs = {random_tensor({64, 3, 6, 6}, 7)};
  auto found = Session::create(*model.graph)->run(inputs);
  auto wanted = Session::create(*original.graph)->run(inputs);
  EXPECT_TRUE(found.ok() && wanted.ok());
  double error = 0;
  for (std::size_t i = 0; i < (*wanted)[0].data<float>().size(); ++i) {
    const double difference = (*found)[0].data<float>()[i] - (*wanted)[0].data<float>()[i];
    error += difference * difference;
  }
  return error;
}

}  // namespace press::test
