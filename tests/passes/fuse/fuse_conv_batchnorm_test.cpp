#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kPass = "fuse_conv_batchnorm";

/// A constant of seeded numbers; `shift` 2 makes variances of them.
void add_constant(Model& model, const std::string& name, const Dims& dims, std::uint32_t seed,
                  float shift = 0, DataType type = DataType::kFloat) {
  Tensor tensor = seeded_tensor(DataType::kFloat, dims, seed);
  for (float& element : tensor.mutable_data<float>()) element += shift;
  if (type == DataType::kFloat16) {
    std::vector<Float16> halves;
    for (const float element : tensor.data<float>()) halves.push_back(to_float16(element));
    tensor = Tensor::of(dims, halves);
  }
  model.graph->add_constant(std::move(tensor), name);
}

Value* constant(const Model& model, std::string_view name) {
  for (Value* value : model.graph->constants()) {
    if (value->name() == name) return value;
  }
  ADD_FAILURE() << "no constant " << name;
  return nullptr;
}

/// x ─ one linear operator ─ BatchNormalization ─ Relu ─ y, with seeded parameters.
struct Network {
  std::string op_type = "Conv";
  Dims weight = {6, 4, 3, 3};
  std::int64_t channels = 6;
  bool bias = true;
  std::vector<Attribute> attributes = {};
  Shape input = {Dim("N"), 4, 7, 7};
  std::int64_t opset = 17;
  DataType type = DataType::kFloat;

  Model model() const {
    Model made;
    Graph& graph = *made.graph;
    graph.set_opset("", opset);
    Value* x = graph.add_input("x", {type, input, {}});
    add_constant(made, "w", weight, 11, 0, type);
    add_constant(made, "b", {channels}, 12, 0, type);
    add_constant(made, "gamma", {channels}, 13, 0, type);
    add_constant(made, "beta", {channels}, 14, 0, type);
    add_constant(made, "mean", {channels}, 15, 0, type);
    add_constant(made, "variance", {channels}, 16, 2, type);
    std::vector<Value*> inputs = {x, constant(made, "w")};
    if (bias) inputs.push_back(constant(made, "b"));
    Node* linear =
        graph.add_node({.op_type = op_type, .inputs = inputs, .attributes = attributes, .name = "layer"});
    Node* norm = graph.add_node({.op_type = "BatchNormalization",
                                 .inputs = {linear->output(), constant(made, "gamma"), constant(made, "beta"),
                                            constant(made, "mean"), constant(made, "variance")},
                                 .attributes = {{"epsilon", 1e-3F, {}}}});
    Node* relu = graph.add_node({.op_type = "Relu", .inputs = {norm->output()}});
    graph.add_output("y", relu->output(), {type, std::nullopt, {}});
    return made;
  }
};

PassRun expect_fuses(const Network& network, std::string_view expected) {
  PassRun run = run_pass(kPass, network.model());
  EXPECT_EQ(run.outcome.rewrites, 1U);
  EXPECT_TRUE(run.outcome.declined.empty());
  EXPECT_EQ(operators(run.after), expected);
  EXPECT_EQ((*run.after.graph->nodes().begin())->name(), "layer");
  return run;
}

TEST(FuseConvBatchnorm, FusesIntoConvByTheFormula) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N,1,2,2] x) => (float[N,2,2,2] y)
      <float[2,1,1,1] w = {3, 5}, float[2] b = {1, 2}, float[2] gamma = {2, 4}, float[2] beta = {10, 20},
       float[2] mean = {7, 8}, float[2] variance = {0.25, 4}> {
      c = Conv(x, w, b)
      y = BatchNormalization<epsilon = 0.0>(c, gamma, beta, mean, variance)
    })");
  expect_model(run.after, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N,1,2,2] x) => (float[N,2,2,2] y) <float[2,1,1,1] w = {12, 10}, float[2] b = {-14, 8}> {
      y = Conv(x, w, b)
    })");
}

TEST(FuseConvBatchnorm, FusesIntoConvWithAndWithoutBias) {
  expect_fuses({}, "Conv Relu");
  const PassRun run = expect_fuses({.bias = false}, "Conv Relu");
  EXPECT_EQ(run.after.graph->nodes_snapshot().front()->input(2)->name(), "layer.bias");
}

TEST(FuseConvBatchnorm, FusesIntoGroupedAndDepthwiseConv) {
  expect_fuses({.weight = {6, 2, 3, 3}, .attributes = {{"group", std::int64_t{2}, {}}}}, "Conv Relu");
  expect_fuses({.weight = {4, 1, 3, 3}, .channels = 4, .attributes = {{"group", std::int64_t{4}, {}}}},
               "Conv Relu");
}

TEST(FuseConvBatchnorm, FusesIntoConvTranspose) {
  expect_fuses({.op_type = "ConvTranspose", .weight = {4, 6, 3, 3}}, "ConvTranspose Relu");
  expect_fuses({.op_type = "ConvTranspose",
                .weight = {4, 3, 3, 3},
                .bias = false,
                .attributes = {{"group", std::int64_t{2}, {}}}},
               "ConvTranspose Relu");
}

TEST(FuseConvBatchnorm, FusesIntoGemm) {
  const Shape matrix = {Dim("N"), 5};
  expect_fuses({.op_type = "Gemm", .weight = {5, 6}, .input = matrix}, "Gemm Relu");
  expect_fuses({.op_type = "Gemm", .weight = {5, 6}, .bias = false, .input = matrix}, "Gemm Relu");
  expect_fuses({.op_type = "Gemm",
                .weight = {6, 5},
                .attributes = {{"transB", std::int64_t{1}, {}}, {"alpha", 0.5F, {}}, {"beta", 3.0F, {}}},
                .input = matrix},
               "Gemm Relu");
}

TEST(FuseConvBatchnorm, MakesAGemmOfAProductOfMatrices) {
  expect_fuses({.op_type = "MatMul", .weight = {5, 6}, .bias = false, .input = {Dim("N"), 5}}, "Gemm Relu");
}

TEST(FuseConvBatchnorm, DoesNotFuseIntoMatMulOfHigherRank) {
  const Network network{
      .op_type = "MatMul", .weight = {5, 5}, .channels = 3, .bias = false, .input = {Dim("N"), 3, 5}};
  const PassRun run = run_pass(kPass, network.model());
  EXPECT_EQ(run.outcome.rewrites, 0U);
  ASSERT_EQ(run.outcome.declined.size(), 1U);
}

TEST(FuseConvBatchnorm, FusesHalfPrecision) {
  expect_fuses({.type = DataType::kFloat16}, "Conv Relu");
}

TEST(FuseConvBatchnorm, FusesInEveryOperatorSetFrom7) {
  for (const std::int64_t opset : {7, 9, 14, 15}) expect_fuses({.opset = opset}, "Conv Relu");
  EXPECT_EQ(run_pass(kPass, Network{.opset = 6}.model(), {.executable = false}).outcome.rewrites, 0U);
}

TEST(FuseConvBatchnorm, FusesTwoInARow) {
  Model model = Network{}.model();
  Node* relu = model.graph->nodes_snapshot().back();
  Node* again =
      model.graph->add_node({.op_type = "BatchNormalization",
                             .inputs = {relu->input(0), constant(model, "gamma"), constant(model, "beta"),
                                        constant(model, "mean"), constant(model, "variance")}},
                            relu);
  model.graph->set_input(relu, 0, again->output());
  const PassRun run = run_pass(kPass, model);
  EXPECT_EQ(run.outcome.rewrites, 2U);
  EXPECT_EQ(operators(run.after), "Conv Relu");
}

TEST(FuseConvBatchnorm, CopiesAWeightThatAnotherNodeUses) {
  Model model = Network{}.model();
  Graph& graph = *model.graph;
  Node* other = graph.add_node(
      {.op_type = "Conv", .inputs = {graph.inputs()[0], constant(model, "w")}, .name = "other"});
  graph.add_output("z", other->output(), {DataType::kFloat, std::nullopt, {}});
  const PassRun run = run_pass(kPass, model);
  EXPECT_EQ(run.outcome.rewrites, 1U);
  EXPECT_EQ(operators(run.after), "Conv Relu Conv");
}

TEST(FuseConvBatchnorm, KeepsZerosOfPrunedWeights) {
  Model model = Network{}.model();
  Tensor weight = *constant(model, "w")->constant();
  for (std::size_t i = 0; i < 50; ++i) weight.mutable_data<float>()[i] = 0;
  constant(model, "w")->set_constant(weight);
  const PassRun run = run_pass(kPass, model);
  const auto zeros = std::ranges::count(constant(run.after, "w")->constant()->data<float>(), 0.0F);
  EXPECT_EQ(zeros, 50);
}

TEST(FuseConvBatchnorm, FusesInsideSubgraphs) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (bool c, float[1,1,2,2] x) => (float[1,1,2,2] y)
      <float[1,1,1,1] w = {3}, float[1] gamma = {2}, float[1] beta = {1}, float[1] mean = {7},
       float[1] variance = {4}> {
      y = If (c) <
        then_branch = then_graph () => (float[1,1,2,2] a) {
          p = Conv(x, w)
          a = BatchNormalization(p, gamma, beta, mean, variance)
        },
        else_branch = else_graph () => (float[1,1,2,2] b) { b = Abs(x) }
      >
    })",
                               {.executable = false});
  EXPECT_EQ(run.outcome.rewrites, 1U);
}

// -- what it leaves alone ---------------------------------------------------------------------------------

/// `change` is made to the usual network, after which the pass must decline with `reason`.
void expect_declines_after(const std::function<void(Model&)>& change, std::string_view reason,
                           bool executable = true) {
  Model model = Network().model();
  change(model);
  const PassRun run = run_pass(kPass, model, {.executable = executable});
  EXPECT_EQ(run.outcome.rewrites, 0U);
  ASSERT_EQ(run.outcome.declined.size(), 1U) << reason;
  EXPECT_NE(run.outcome.declined.front().reason.find(reason), std::string::npos)
      << "declined because " << run.outcome.declined.front().reason;
}

Node* node_of(Model& model, std::string_view op_type) {
  for (Node* node : model.graph->nodes()) {
    if (node->op_type() == op_type) return node;
  }
  return nullptr;
}

TEST(FuseConvBatchnorm, DoesNotFuseWhenConvOutputHasTwoUses) {
  expect_declines_after(
      [](Model& model) {
        model.graph->add_output("z", node_of(model, "Conv")->output(), {DataType::kFloat, std::nullopt, {}});
      },
      "is used 2 times");
}

TEST(FuseConvBatchnorm, DoesNotFuseTrainingForms) {
  expect_declines_after(
      [](Model& model) {
        node_of(model, "BatchNormalization")->set_attribute("training_mode", std::int64_t{1});
      },
      "training mode", false);
  expect_declines_after(
      [](Model& model) {
        model.graph->set_opset("", 8);
        node_of(model, "BatchNormalization")->set_attribute("spatial", std::int64_t{0});
      },
      "spatial is 0", false);
  expect_declines("fuse_conv_batchnorm", R"(
    <ir_version: 8, opset_import: ["" : 9]>
    agraph (float[1,1,2,2] x) => (float[1,1,2,2] y)
      <float[1,1,1,1] w = {3}, float[1] gamma = {2}, float[1] beta = {1}, float[1] mean = {7},
       float[1] variance = {4}> {
      p = Conv(x, w)
      y, m, v, m2, v2 = BatchNormalization(p, gamma, beta, mean, variance)
    })",
                  "training form", {.executable = false});
}

TEST(FuseConvBatchnorm, DoesNotFuseParametersOfWrongLength) {
  for (const char* name : {"gamma", "beta", "mean", "variance"}) {
    expect_declines_after(
        [&](Model& model) { constant(model, name)->set_constant(seeded_tensor(DataType::kFloat, {5}, 1)); },
        "there are 6 channels", false);
    expect_declines_after([&](Model& model) { constant(model, name)->set_constant(Tensor::scalar(1.0F)); },
                          "is scalar", false);
  }
  expect_declines_after([](Model& model) { constant(model, "b")->set_constant(Tensor::scalar(1.0F)); },
                        "the bias of 'layer' (Conv) is scalar", false);
}

TEST(FuseConvBatchnorm, DoesNotFuseDegenerateStatistics) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float variance : {-1.0F, -1e-3F, nan, std::numeric_limits<float>::infinity() * -1}) {
    expect_declines_after(
        [&](Model& model) {
          Tensor changed = *constant(model, "variance")->constant();
          changed.mutable_data<float>()[3] = variance;
          constant(model, "variance")->set_constant(changed);
        },
        "channel 3 has", false);
  }
  expect_declines_after(
      [&](Model& model) {
        Tensor changed = *constant(model, "mean")->constant();
        changed.mutable_data<float>()[0] = nan;
        constant(model, "mean")->set_constant(changed);
      },
      "channel 0 has", false);
}

TEST(FuseConvBatchnorm, DoesNotFuseWhatBecomesInfinite) {
  Model model = Network{.type = DataType::kFloat16}.model();
  std::vector<Float16> tiny(6, to_float16(0.0F)), large(6, to_float16(60000.0F));
  constant(model, "variance")->set_constant(Tensor::of({6}, tiny));
  constant(model, "gamma")->set_constant(Tensor::of({6}, large));
  const PassRun run = run_pass(kPass, model, {.executable = false});
  EXPECT_EQ(run.outcome.rewrites, 0U);
  ASSERT_EQ(run.outcome.declined.size(), 1U);
  EXPECT_NE(run.outcome.declined.front().reason.find("not finite in float16"), std::string::npos);
}

TEST(FuseConvBatchnorm, DoesNotFuseWeightsThatAreNotConstant) {
  expect_declines_after(
      [](Model& model) {
        Value* given = model.graph->add_input("given", {DataType::kFloat, Shape{6, 4, 3, 3}, {}});
        model.graph->set_input(node_of(model, "Conv"), 1, given);
      },
      "the weight of 'layer' (Conv) is not constant");
  expect_declines_after(
      [](Model& model) {
        Value* given = model.graph->add_input("given", {DataType::kFloat, Shape{6}, {}});
        model.graph->set_input(node_of(model, "BatchNormalization"), 2, given);
      },
      "its input 2 is not a constant");
}

TEST(FuseConvBatchnorm, DoesNotFuseGroupsThatDoNotDivide) {
  Model model = Network{.op_type = "ConvTranspose", .weight = {4, 6, 3, 3}}.model();
  for (const std::int64_t group :
       {std::int64_t{0}, std::int64_t{3}, std::int64_t{-1}, std::int64_t{1} << 62}) {
    model.graph->nodes_snapshot().front()->set_attribute("group", group);
    EXPECT_EQ(run_pass(kPass, model, {.executable = false}).outcome.rewrites, 0U) << group;
  }
}

TEST(FuseConvBatchnorm, LeavesNormalizationElsewhereAlone) {
  expect_declines(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[1,1,2,2] x) => (float[1,1,2,2] y)
      <float[1] gamma = {2}, float[1] beta = {1}, float[1] mean = {7}, float[1] variance = {4}> {
      r = Relu(x)
      y = BatchNormalization(r, gamma, beta, mean, variance)
    })",
                  std::nullopt);
}

}  // namespace
}  // namespace press::test
