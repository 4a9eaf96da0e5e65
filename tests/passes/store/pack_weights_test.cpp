#include <fmt/format.h>

#include <random>

#include "press/onnx/model_io.h"
#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kPass = "pack_weights";

/// y = x W for a weight of 64 x 64, to be set.
Model linear(const Tensor& weight) {
  Model model = parse(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N,64] x) => (float[N,64] y) <float[1] w = {0}> { y = MatMul(x, w) })");
  model.graph->constants().front()->set_constant(weight);
  return model;
}

/// Weights of which a share is zero; the others are drawn from `levels` values, or from all where that is 0.
Tensor weights(double zeros, int levels) {
  std::mt19937 random(7);
  std::vector<float> values(64 * 64);
  for (float& value : values) {
    const auto share = static_cast<double>(random()) / 4294967296.0;
    const std::uint32_t bits = random();
    if (share < zeros) continue;
    value = levels == 0 ? static_cast<float>(bits) * 0x1p-32F : static_cast<float>(1 + bits % levels);
  }
  return Tensor::of<float>({64, 64}, values);
}

const Node* packed_node(const Model& model) {
  return *model.graph->nodes().begin();
}

struct Case {
  double zeros;
  int levels;
  std::string_view form;
};

class PackWeights : public testing::TestWithParam<Case> {};

TEST_P(PackWeights, ChoosesTheSmallestFormAndKeepsEveryBit) {
  const Tensor weight = weights(GetParam().zeros, GetParam().levels);
  const PassRun run = run_pass(kPass, linear(weight));
  ASSERT_EQ(run.outcome.rewrites, 1U);
  const Value* rebuilt = (*run.after.graph->outputs()[0].value->producer()).input(1);
  EXPECT_EQ(rebuilt->name(), "w");
  EXPECT_EQ(rebuilt->producer()->op_type(), GetParam().form);
  EXPECT_LT(serialized_size(run.after), serialized_size(run.before));

  const PassRun expanded = run_pass("expand_weights", run.after);
  EXPECT_EQ(expanded.outcome.rewrites, rebuilt->producer()->input(2)->is_constant() ? 1U : 2U);
  EXPECT_EQ(*expanded.after.graph->outputs()[0].value->producer()->input(1)->constant(), weight);
  EXPECT_TRUE(expanded.after.graph->functions().empty());
}

INSTANTIATE_TEST_SUITE_P(Forms, PackWeights,
                         testing::Values(Case{0.0, 3, "Palette"}, Case{0.3, 6, "Palette"},
                                         Case{0.6, 6, "Bitmask"}, Case{0.5, 0, "Bitmask"},
                                         Case{0.9, 6, "Sparse"}, Case{0.95, 0, "Sparse"},
                                         Case{1.0, 0, "Sparse"}));

TEST(PackWeightsPass, LeavesDenseWeightsAlone) {
  const PassRun run = run_pass(kPass, linear(weights(0, 0)));
  EXPECT_EQ(run.outcome.rewrites, 0U);
}

TEST(PackWeightsPass, TheTimeOfLoadingBoundsWhatIsPacked) {
  // A bit a weight unpacks at 20 ns of each of 4096, 3 values with zeros among them take longer and save
  // less.
  Model model = parse(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N,64] x) => (float[N,64] y) <float[1] a = {0}, float[1] b = {0}> {
      h = MatMul(x, a)
      y = MatMul(h, b)
    })");
  const std::vector<Value*> constants = model.graph->constants();
  constants[0]->set_constant(weights(0.9, 200));
  constants[1]->set_constant(weights(0, 2));
  for (const auto& [bound, packed] : {std::pair(10.0, 2U), std::pair(0.1, 1U), std::pair(0.01, 0U)}) {
    PassRunOptions options;
    options.context.store.max_load_ms = bound;
    const PassRun run = run_pass(kPass, clone(model), options);
    EXPECT_EQ(run.outcome.rewrites, packed) << bound;
    if (packed == 1) {
      EXPECT_FALSE(run.after.graph->outputs()[0].value->producer()->input(1)->is_constant());
    }
  }
}

TEST(PackWeightsPass, TakesOnlyTheFormThatIsAskedFor) {
  for (const StoreForm form : {StoreForm::kPalette, StoreForm::kBitmask, StoreForm::kSparse}) {
    PassRunOptions options;
    options.context.store.form = form;
    const PassRun run = run_pass(kPass, linear(weights(0.7, 3)), options);
    ASSERT_EQ(run.outcome.rewrites, 1U);
    EXPECT_EQ(run.after.graph->outputs()[0].value->producer()->input(1)->producer()->op_type().substr(1),
              name(form).substr(1));
  }
}

TEST(PackWeightsPass, KeepsNegativeZero) {
  std::vector<float> values(64 * 64, 0.0F);
  for (std::size_t i = 0; i < values.size(); i += 3) values[i] = -0.0F;
  const Tensor weight = Tensor::of<float>({64, 64}, values);
  const PassRun run = run_pass(kPass, linear(weight));
  ASSERT_EQ(run.outcome.rewrites, 1U);
  const PassRun expanded = run_pass("expand_weights", run.after);
  EXPECT_EQ(*expanded.after.graph->outputs()[0].value->producer()->input(1)->constant(), weight);
}

/// y = x W of 8-bit integers behind a DequantizeLinear with a scale and a zero point a column.
Model dequantized(std::string_view data) {
  Model model = parse(fmt::format(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N,64] x) => (float[N,64] y)
    <uint8[1] q = {{0}}, float[1] s = {{0}}, uint8[1] z = {{0}}, float one = {{1}}, uint8 zero = {{0}}> {{
      {}
      w = DequantizeLinear<axis = 1>(q, s, z)
      y = MatMul(d, w)
    }})",
                                  data));
  std::mt19937 random(5);
  std::vector<std::uint8_t> integers(64 * 64), zeros(64);
  std::vector<float> scales(64);
  for (std::uint8_t& integer : integers) integer = static_cast<std::uint8_t>(random() % 8);
  for (std::uint8_t& zero : zeros) zero = static_cast<std::uint8_t>(random() % 8);
  for (float& scale : scales) scale = static_cast<float>(1 + random() % 1000) * 1e-3F;
  for (Value* constant : model.graph->constants()) {
    if (constant->name() == "q") constant->set_constant(Tensor::of<std::uint8_t>({64, 64}, integers));
    if (constant->name() == "s") constant->set_constant(Tensor::of<float>({64}, scales));
    if (constant->name() == "z") constant->set_constant(Tensor::of<std::uint8_t>({64}, zeros));
  }
  return model;
}

TEST(PackWeightsPass, PacksIntegersOfFloatLayersWithTheirScales) {
  const PassRun run = run_pass(kPass, dequantized("d = Identity(x)"));
  EXPECT_EQ(run.outcome.rewrites, 1U);
  const Node* rebuilt = run.after.graph->outputs()[0].value->producer()->input(1)->producer();
  EXPECT_EQ(rebuilt->op_type(), "Dequantize");
  EXPECT_EQ(rebuilt->input(0)->producer()->op_type(), "Palette");
  EXPECT_LT(serialized_size(run.after), serialized_size(run.before));
  EXPECT_EQ(run_pass("expand_weights", run.after).outcome.rewrites, 2U);
}

TEST(PackWeightsPass, LeavesTheDequantizeLinearOfIntegerLayersInPlace) {
  const PassRun run =
      run_pass(kPass, dequantized("i = QuantizeLinear(x, one, zero) d = DequantizeLinear(i, one, zero)"));
  EXPECT_EQ(run.outcome.rewrites, 1U);
  const Node* rebuilt = run.after.graph->outputs()[0].value->producer()->input(1)->producer();
  EXPECT_EQ(rebuilt->op_type(), "DequantizeLinear");
  EXPECT_EQ(rebuilt->input(0)->producer()->op_type(), "Palette");
}

TEST(PackWeightsPass, DoesNotPackBeforeOpset13) {
  Model model = linear(weights(0.9, 3));
  model.graph->set_opset("", 12);
  const PassRun run = run_pass(kPass, std::move(model));
  EXPECT_EQ(run.outcome.rewrites, 0U);
  EXPECT_FALSE(run.outcome.notes.empty());
}

TEST(PackWeightsPass, PutsAZeroBeforeTheValuesInOldOpsetsToo) {
  Model model = linear(weights(0.6, 6));
  model.graph->set_opset("", 13);
  EXPECT_EQ(run_pass(kPass, std::move(model)).outcome.rewrites, 1U);
}

TEST(PackWeightsPass, RaisesTheIrVersion) {
  Model model = linear(weights(0.9, 3));
  model.ir_version = 4;
  const PassRun run = run_pass(kPass, std::move(model));
  EXPECT_EQ(run.after.ir_version, 8);
}

TEST(PackWeightsPass, PutsTheCallBeforeASubgraphThatUsesIt) {
  Model model = parse(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N,64] x, bool c) => (float[N,64] y) <float[1] w = {0}> {
      y = If (c) <then_branch = g () => (float[N,64] a) { a = MatMul(x, w) },
                  else_branch = h () => (float[N,64] b) { b = Identity(x) }>
    })");
  model.graph->constants().front()->set_constant(weights(0.9, 3));
  const PassRun run = run_pass(kPass, std::move(model));
  EXPECT_EQ(run.outcome.rewrites, 1U);
  EXPECT_EQ(packed_node(run.after)->domain(), "compress.store");
}

}  // namespace
}  // namespace press::test
