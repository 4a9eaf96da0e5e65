// What every test of a pass checks, whatever else it looks at:
//   the graph verifies after the pass; the rewrites were told truthfully; a second run changes nothing; the
//   outputs on seeded inputs are those of before, as close as the pass's Numerics promise; inputs and outputs
//   keep names and types.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "press/ir/graph.h"
#include "press/onnx/text.h"
#include "press/passes/dead_code.h"
#include "press/passes/pass.h"
#include "press/runtime/session.h"

namespace press::test {

struct PassRunOptions {
  PassContext context = {};
  /// False for graphs with operators that the runtime lacks.
  bool executable = true;
  /// Largest difference to the outputs of before, relative to the largest of them. Unset: what the pass's
  /// Numerics promise, which for a lossy pass is nothing.
  std::optional<double> tolerance = {};
  bool keeps_interface = true;
  /// False for a pass that takes its share again when it runs again.
  bool settles = true;
};

struct PassRun {
  Model before, after;
  PassOutcome outcome;
};

inline Model parse(std::string_view text) {
  auto model = parse_model_text(text);
  EXPECT_TRUE(model.ok()) << (model.ok() ? "" : model.error().message());
  return model.ok() ? std::move(model).value() : Model();
}

/// A tensor that depends on `seed` alone: floating-point numbers in [-1, 1), integers from 0 to 3, booleans.
inline Tensor seeded_tensor(DataType type, const Dims& dims, std::uint32_t seed) {
  auto made = Tensor::allocate(type, dims);
  EXPECT_TRUE(made.ok());
  if (!made.ok()) return {};
  std::mt19937 random(seed);
  const auto fill = [&]<typename T>(auto&& convert) {
    for (T& element : made->mutable_data<T>()) element = convert(random());
  };
  const auto real = [](std::uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-23F - 1.0F; };
  switch (type) {
    case DataType::kFloat:
      fill.operator()<float>(real);
      break;
    case DataType::kDouble:
      fill.operator()<double>(real);
      break;
    case DataType::kFloat16:
      fill.operator()<Float16>([&](std::uint32_t bits) { return to_float16(real(bits)); });
      break;
    case DataType::kInt64:
      fill.operator()<std::int64_t>([](std::uint32_t bits) { return static_cast<std::int64_t>(bits % 4); });
      break;
    case DataType::kInt32:
      fill.operator()<std::int32_t>([](std::uint32_t bits) { return static_cast<std::int32_t>(bits % 4); });
      break;
    case DataType::kUint8:
      fill.operator()<std::uint8_t>([](std::uint32_t bits) { return static_cast<std::uint8_t>(bits % 4); });
      break;
    case DataType::kInt8:
      fill.operator()<std::int8_t>([](std::uint32_t bits) { return static_cast<std::int8_t>(bits % 4); });
      break;
    case DataType::kBool:
      fill.operator()<bool>([](std::uint32_t bits) { return bits % 2 == 0; });
      break;
    default:
      ADD_FAILURE() << "no seeded tensors of type " << name(type);
  }
  return std::move(*made);
}

/// Inputs for a graph: named dims are 2 (the same name has the same extent), unknown ones 3.
inline std::vector<Tensor> seeded_inputs(const Graph& graph) {
  std::vector<Tensor> inputs;
  std::uint32_t seed = 1;
  for (const Value* input : graph.inputs()) {
    Dims dims;
    EXPECT_TRUE(input->type().shape.has_value()) << "input " << input->name() << " needs a shape";
    if (!input->type().shape.has_value()) return inputs;
    for (const Dim& dim : *input->type().shape)
      dims.push_back(dim.known() ? dim.value() : dim.named() ? 2 : 3);
    inputs.push_back(seeded_tensor(input->type().element, dims, seed++));
  }
  return inputs;
}

inline std::vector<Tensor> outputs_of(const Graph& graph, std::span<const Tensor> inputs) {
  auto session = Session::create(graph);
  EXPECT_TRUE(session.ok()) << (session.ok() ? "" : session.error().message());
  if (!session.ok()) return {};
  auto outputs = session->run(inputs);
  EXPECT_TRUE(outputs.ok()) << (outputs.ok() ? "" : outputs.error().message());
  return outputs.ok() ? std::move(outputs).value() : std::vector<Tensor>();
}

/// The elements of a floating-point or integer tensor.
inline std::vector<double> as_doubles(const Tensor& tensor) {
  std::vector<double> values;
  const auto copy = [&]<typename T>() {
    for (const T element : tensor.data<T>()) values.push_back(static_cast<double>(element));
  };
  switch (tensor.type()) {
    case DataType::kFloat:
      copy.operator()<float>();
      break;
    case DataType::kDouble:
      copy.operator()<double>();
      break;
    case DataType::kFloat16:
      for (const Float16 element : tensor.data<Float16>()) values.push_back(to_float(element));
      break;
    case DataType::kInt64:
      copy.operator()<std::int64_t>();
      break;
    case DataType::kInt32:
      copy.operator()<std::int32_t>();
      break;
    case DataType::kUint8:
      copy.operator()<std::uint8_t>();
      break;
    case DataType::kInt8:
      copy.operator()<std::int8_t>();
      break;
    default:
      ADD_FAILURE() << "no numbers in a tensor of type " << name(tensor.type());
  }
  return values;
}

/// `tolerance` 0 asks for the same bits.
inline void expect_close(const Tensor& actual, const Tensor& expected, double tolerance) {
  EXPECT_EQ(actual.type(), expected.type());
  ASSERT_EQ(actual.dims(), expected.dims());
  if (tolerance == 0) {
    EXPECT_TRUE(actual == expected) << "outputs are not the same bit for bit";
    return;
  }
  const std::vector<double> found = as_doubles(actual), wanted = as_doubles(expected);
  double largest = 1e-30, difference = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    largest = std::max(largest, std::abs(wanted[i]));
    difference = std::max(difference, std::abs(found[i] - wanted[i]));
  }
  EXPECT_LE(difference, tolerance * largest);
}

inline std::optional<double> promised_tolerance(Numerics numerics, DataType type) {
  switch (numerics) {
    case Numerics::kExact:
      return 0.0;
    case Numerics::kReassociated:
      return type == DataType::kFloat16 || type == DataType::kBFloat16 ? 5e-3 : 1e-5;
    case Numerics::kLossy:
      break;
  }
  return std::nullopt;
}

inline void expect_same_interface(const Graph& actual, const Graph& expected) {
  ASSERT_EQ(actual.inputs().size(), expected.inputs().size());
  for (std::size_t i = 0; i < actual.inputs().size(); ++i) {
    EXPECT_EQ(actual.inputs()[i]->name(), expected.inputs()[i]->name());
    EXPECT_EQ(to_string(actual.inputs()[i]->type()), to_string(expected.inputs()[i]->type()));
  }
  ASSERT_EQ(actual.outputs().size(), expected.outputs().size());
  for (std::size_t i = 0; i < actual.outputs().size(); ++i) {
    EXPECT_EQ(actual.outputs()[i].name, expected.outputs()[i].name);
    EXPECT_EQ(to_string(actual.outputs()[i].type), to_string(expected.outputs()[i].type));
  }
}

/// The same model but for names of nodes and inner values; `expected` in ONNX's text form.
inline void expect_model(const Model& actual, std::string_view expected) {
  const Model wanted = parse(expected);
  EXPECT_TRUE(fingerprint(*actual.graph) == fingerprint(*wanted.graph))
      << "expected:\n"
      << to_text(*wanted.graph) << "found:\n"
      << to_text(*actual.graph);
}

inline PassOutcome run_once(const PassInfo& pass, Model& model, const PassContext& context) {
  auto outcome = pass.run(model, context);
  EXPECT_TRUE(outcome.ok()) << (outcome.ok() ? "" : outcome.error().message());
  const Status verified = verify(*model.graph);
  EXPECT_TRUE(verified.ok()) << (verified.ok() ? "" : verified.error().message());
  return outcome.ok() ? std::move(outcome).value() : PassOutcome();
}

/// Runs a pass and checks what the head of this file lists.
inline PassRun run_pass(std::string_view name, const Model& model, const PassRunOptions& options = {}) {
  PassRun run{clone(model), clone(model), {}};
  const PassInfo* pass = find_pass(name);
  EXPECT_NE(pass, nullptr) << "no pass " << name;
  if (pass == nullptr) return run;
  Graph& before = *run.before.graph;
  Graph& after = *run.after.graph;

  run.outcome = run_once(*pass, run.after, options.context);
  const bool changed =
      fingerprint(before) != fingerprint(after) || before.constants().size() != after.constants().size();
  EXPECT_EQ(changed, run.outcome.rewrites > 0) << "rewrites told: " << run.outcome.rewrites;
  remove_dead_code(after);

  if (options.settles) {
    Model again = clone(run.after);
    EXPECT_EQ(run_once(*pass, again, options.context).rewrites, 0U) << "a second run rewrites:\n"
                                                                    << to_text(after);
    EXPECT_EQ(fingerprint(*again.graph), fingerprint(after)) << "a second run changes the model";
  }

  if (options.keeps_interface) expect_same_interface(after, before);
  if (options.executable) {
    const std::vector<Tensor> inputs = seeded_inputs(before);
    const std::vector<Tensor> expected = outputs_of(before, inputs), actual = outputs_of(after, inputs);
    EXPECT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < std::min(actual.size(), expected.size()); ++i) {
      const auto promised = promised_tolerance(pass->numerics, expected[i].type());
      const auto tolerance = options.tolerance.has_value() ? options.tolerance : promised;
      if (tolerance.has_value()) expect_close(actual[i], expected[i], *tolerance);
    }
  }
  return run;
}

inline PassRun run_pass(std::string_view name, std::string_view text, const PassRunOptions& options = {}) {
  return run_pass(name, parse(text), options);
}

/// The pass leaves the model alone; `reason`: what its only word of declining says, or nullopt for no word.
inline void expect_declines(std::string_view pass, std::string_view text,
                            std::optional<std::string_view> reason, const PassRunOptions& options = {}) {
  const PassRun run = run_pass(pass, text, options);
  EXPECT_EQ(run.outcome.rewrites, 0U);
  EXPECT_EQ(run.outcome.declined.size(), reason.has_value() ? 1U : 0U);
  if (!reason.has_value() || run.outcome.declined.empty()) return;
  EXPECT_NE(run.outcome.declined.front().reason.find(*reason), std::string::npos)
      << "declined because " << run.outcome.declined.front().reason;
}

/// Operators of the graph in order: "Conv Relu Gemm".
inline std::string operators(const Model& model) {
  std::string text;
  for (const Node* node : model.graph->nodes()) text += (text.empty() ? "" : " ") + node->op_type();
  return text;
}

}  // namespace press::test
