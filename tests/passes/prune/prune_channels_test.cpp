#include <cstdlib>
#include <filesystem>

#include "passes/prune/channel_graph.h"
#include "press/onnx/model_io.h"
#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kPass = "prune_channels";
constexpr const char* kHeader = R"(<ir_version: 8, opset_import: ["" : 17]> )";

/// A model whose constants of one element take seeded tensors of the dims that `dims` gives by name.
Model seeded(const std::string& text, const std::vector<std::pair<std::string, Dims>>& dims) {
  Model model = parse(kHeader + text);
  std::uint32_t seed = 100;
  for (const auto& [name, extents] : dims) {
    for (Value* constant : model.graph->constants()) {
      if (constant->name() == name) constant->set_constant(seeded_tensor(DataType::kFloat, extents, seed++));
    }
  }
  return model;
}

Dims dims_of(const Model& model, std::string_view name) {
  for (const Value* constant : model.graph->constants()) {
    if (constant->name() == name) return constant->constant()->dims();
  }
  return {};
}

/// Sets a place along an axis of a floating-point constant to zero.
void mask(const ChannelSlice& slice) {
  Tensor tensor = *slice.constant->constant();
  std::int64_t inner = 1;
  for (std::size_t i = slice.axis + 1; i < tensor.rank(); ++i) inner *= tensor.dims()[i];
  const std::int64_t extent = tensor.dims()[slice.axis];
  std::int64_t i = 0;
  for (float& element : tensor.mutable_data<float>()) {
    if (i++ / inner % extent == slice.index) element = 0;
  }
  slice.constant->set_constant(std::move(tensor));
}

ChannelGraph graph_of(const Model& model) {
  auto channels = ChannelGraph::build(*model.graph, [](const Node&) { return true; });
  EXPECT_TRUE(channels.ok()) << channels.error().message();
  return std::move(channels).value();
}

/// Takes every third channel of each group out of one copy, sets all that belongs to them to zero in another
/// one, and compares what both compute. Returns how many groups there were.
std::size_t expect_removal_equals_masking(const Model& model) {
  const Model masked = clone(model), removed = clone(model);
  ChannelGraph to_mask = graph_of(masked), to_remove = graph_of(removed);
  std::vector<std::pair<std::size_t, std::size_t>> sets;
  for (std::size_t g = 0; g < to_mask.groups().size(); ++g) {
    for (std::size_t s = 0; s + 1 < to_mask.groups()[g].sets.size(); s += 3) {
      sets.emplace_back(g, s);
      for (const ChannelSlice& slice : to_mask.groups()[g].sets[s].slices) mask(slice);
    }
  }
  to_remove.remove(sets);
  const Status verified = verify(*removed.graph);
  EXPECT_TRUE(verified.ok()) << verified.error().message();
  const std::vector<Tensor> inputs = seeded_inputs(*model.graph);
  const std::vector<Tensor> expected = outputs_of(*masked.graph, inputs);
  const std::vector<Tensor> actual = outputs_of(*removed.graph, inputs);
  EXPECT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < std::min(actual.size(), expected.size()); ++i) {
    expect_close(actual[i], expected[i], 1e-5);
  }
  return to_mask.groups().size();
}

PassRunOptions share(double sparsity, PruneScope scope = PruneScope::kLocal) {
  PassRunOptions options{.settles = false};
  options.context.prune.structure = PruneStructure::kChannels;
  options.context.prune.sparsity = sparsity;
  options.context.prune.scope = scope;
  return options;
}

Model chain() {
  return seeded(R"(g (float[N,3,6,6] x) => (float[N,4] y)
    <float w1 = {0}, float b1 = {0}, float s = {0}, float o = {0}, float m = {0}, float v = {0}, float w2 = {0},
     float w3 = {0}, float b3 = {0}> {
    c1 = Conv(x, w1, b1)
    n1 = BatchNormalization(c1, s, o, m, v)
    r1 = Relu(n1)
    c2 = Conv(r1, w2)
    f = Flatten(c2)
    y = Gemm<transB = 1>(f, w3, b3)
  })",
                {{"w1", {8, 3, 3, 3}},
                 {"b1", {8}},
                 {"s", {8}},
                 {"o", {8}},
                 {"m", {8}},
                 {"v", {8}},
                 {"w2", {6, 8, 3, 3}},
                 {"w3", {4, 24}},
                 {"b3", {4}}});
}

TEST(PruneChannels, ShrinksTheLayersAndWhatReadsThem) {
  Model model = chain();
  for (Value* constant : model.graph->constants()) {
    if (constant->name() == "v") constant->set_constant(Tensor::of<float>({8}, std::vector<float>(8, 1)));
  }
  const PassRun run = run_pass(kPass, model, share(0.5));
  EXPECT_EQ(run.outcome.rewrites, 2U);
  EXPECT_EQ(dims_of(run.after, "w1"), (Dims{4, 3, 3, 3}));
  EXPECT_EQ(dims_of(run.after, "b1"), Dims{4});
  EXPECT_EQ(dims_of(run.after, "v"), Dims{4});
  EXPECT_EQ(dims_of(run.after, "w2"), (Dims{3, 4, 3, 3}));
  EXPECT_EQ(dims_of(run.after, "w3"), (Dims{4, 12}));
  EXPECT_EQ(dims_of(run.after, "b3"), Dims{4});  // the outputs of the network stay
  EXPECT_EQ(expect_removal_equals_masking(model), 2U);
}

TEST(PruneChannels, RemovesTheWeakestFirst) {
  Model model = seeded(R"(g (float[N,2] x) => (float[N,2] y) <float w = {0}, float v = {0}> {
    h = MatMul(x, w)
    y = MatMul(h, v)
  })",
                       {{"v", {4, 2}}});
  for (Value* constant : model.graph->constants()) {
    if (constant->name() != "w") continue;
    constant->set_constant(Tensor::of<float>({2, 4}, std::vector<float>{3, 1, -4, 0, 3, -1, 4, 2}));
  }
  const PassRun run = run_pass(kPass, model, share(0.5));
  for (const Value* constant : run.after.graph->constants()) {
    if (constant->name() != "w") continue;
    EXPECT_EQ(*constant->constant(), Tensor::of<float>({2, 2}, std::vector<float>{3, -4, 3, 4}));
  }
}

TEST(PruneChannels, TakesFromTheWholeNetworkAndLeavesEachLayerSome) {
  const PassRun run = run_pass(kPass, chain(), share(0.9, PruneScope::kGlobal));
  EXPECT_GE(dims_of(run.after, "w1")[0], 1);
  EXPECT_GE(dims_of(run.after, "w2")[0], 1);
  EXPECT_LE(dims_of(run.after, "w1")[0] + dims_of(run.after, "w2")[0], 3);
}

TEST(PruneChannels, KeepsAMultiple) {
  PassRunOptions options = share(0.3);
  options.context.prune.round_to = 4;
  const PassRun run = run_pass(kPass, chain(), options);
  EXPECT_EQ(dims_of(run.after, "w1")[0], 8);  // 6 would be left
  EXPECT_EQ(dims_of(run.after, "w2")[0], 4);
  options.context.prune.sparsity = 0.5;
  EXPECT_EQ(dims_of(run_pass(kPass, chain(), options).after, "w1")[0], 4);
}

TEST(PruneChannels, HeedsTheSelection) {
  PassRunOptions options = share(0.5);
  options.context.prune.nodes.exclude = {"^c1$"};
  const PassRun run = run_pass(kPass, chain(), options);
  EXPECT_EQ(dims_of(run.after, "w1")[0], 8);
  EXPECT_EQ(dims_of(run.after, "w2")[0], 3);
}

TEST(ChannelGraph, CouplesAResidualTrunk) {
  EXPECT_EQ(expect_removal_equals_masking(
                seeded(R"(g (float[N,3,6,6] x) => (float[N,5] y)
    <float a = {0}, float b = {0}, float c = {0}, float d = {0}> {
    t = Conv<pads = [1, 1, 1, 1]>(x, a)
    h = Conv<pads = [1, 1, 1, 1]>(t, b)
    k = Conv<pads = [1, 1, 1, 1]>(h, c)
    s = Add(t, k)
    p = GlobalAveragePool(s)
    f = Flatten(p)
    y = Gemm(f, d)
  })",
                       {{"a", {8, 3, 3, 3}}, {"b", {7, 8, 3, 3}}, {"c", {8, 7, 3, 3}}, {"d", {8, 5}}})),
            2U);  // the trunk, and what is inside
}

TEST(ChannelGraph, FollowsDepthwiseAndSqueezeAndExcitation) {
  EXPECT_EQ(expect_removal_equals_masking(seeded(R"(g (float[N,3,6,6] x) => (float[N,2,4,4] y)
    <float a = {0}, float d = {0}, float e = {0}, float q = {0}, float u = {0}, float slope = {0}, float z = {0}> {
    t = Conv(x, a)
    w = Conv<group = 6, pads = [1, 1, 1, 1]>(t, d, e)
    r = PRelu(w, slope)
    p = GlobalAveragePool(r)
    h = Conv(p, q)
    g0 = Relu(h)
    g1 = Conv(g0, u)
    g2 = Sigmoid(g1)
    m = Mul(r, g2)
    y = Conv(m, z)
  })",
                                                 {{"a", {6, 3, 3, 3}},
                                                  {"d", {6, 1, 3, 3}},
                                                  {"e", {6}},
                                                  {"q", {4, 6, 1, 1}},
                                                  {"u", {6, 4, 1, 1}},
                                                  {"slope", {6, 1, 1}},
                                                  {"z", {2, 6, 1, 1}}})),
            2U);
}

TEST(ChannelGraph, FollowsConcatSplitAndPad) {
  EXPECT_EQ(expect_removal_equals_masking(
                seeded(R"(g (float[N,3,5,5] x) => (float[N,2,5,5] y)
    <float a = {0}, float b = {0}, float c = {0}, float d = {0}, int64[8] pads = {0, 2, 0, 0, 0, 1, 0, 0}> {
    t = Conv(x, a)
    u = Conv(x, b)
    j = Concat<axis = 1>(t, u)
    l, r = Split<axis = 1>(j)
    s = Add(l, r)
    e = Pad(s, pads)
    k = Conv(e, c)
    y = Conv(k, d)
  })",
                       {{"a", {4, 3, 1, 1}}, {"b", {6, 3, 1, 1}}, {"c", {4, 8, 1, 1}}, {"d", {2, 4, 1, 1}}})),
            3U);
}

TEST(ChannelGraph, FollowsReshapesThatNameTheirDims) {
  EXPECT_EQ(expect_removal_equals_masking(seeded(R"(g (float[1,3,4,4] x) => (float[1,2] y)
    <float a = {0}, float c = {0}, int64[2] flat = {1, 96}, int64[3] rows = {1, 6, 16}, int64[1] axis = {3}> {
    t = Conv(x, a)
    r = Reshape(t, rows)
    u = Unsqueeze(r, axis)
    q = Squeeze(u, axis)
    f = Reshape(q, flat)
    y = Gemm(f, c)
  })",
                                                 {{"a", {6, 3, 1, 1}}, {"c", {96, 2}}})),
            1U);
}

TEST(ChannelGraph, FollowsTheNeuronsOfATransformer) {
  EXPECT_EQ(expect_removal_equals_masking(seeded(R"(g (float[N,5,4] x) => (float[N,5,4] y)
    <float up = {0}, float b = {0}, float down = {0}, float half = {0.5}> {
    h = MatMul(x, up)
    a = Add(h, b)
    e = Erf(a)
    k = Mul(e, half)
    g0 = Mul(a, k)
    y = MatMul(g0, down)
  })",
                                                 {{"up", {4, 12}}, {"b", {12}}, {"down", {12, 4}}})),
            1U);
}

TEST(ChannelGraph, PinsWhatItCannotFollow) {
  const Model model = seeded(R"(g (float[N,3,4,4] x) => (float[N,6,4,4] y, float[N,6,4,4] z)
    <float a = {0}, float b = {0}> {
    t = Conv(x, a)
    y = Softmax<axis = 1>(t)
    z = Conv(x, b)
  })",
                             {{"a", {6, 3, 1, 1}}, {"b", {6, 3, 1, 1}}});
  EXPECT_TRUE(graph_of(model).groups().empty());
  const PassRun run = run_pass(kPass, model, share(0.5));
  EXPECT_EQ(run.outcome.rewrites, 0U);
  EXPECT_EQ(run.outcome.declined.size(), 1U);
}

TEST(ChannelGraph, PinsAWeightThatIsReadElsewhere) {
  const Model model = seeded(R"(g (float[N,4] x) => (float[N,4] y, float[4] z)
    <float a = {0}, float b = {0}, int64 row = {0}> {
    t = MatMul(x, a)
    y = MatMul(t, b)
    z = Gather(a, row)
  })",
                             {{"a", {4, 4}}, {"b", {4, 4}}});
  EXPECT_TRUE(graph_of(model).groups().empty());
}

// Every network of the shared models that we execute; what cannot be followed is pinned, never wrong.
TEST(SharedModels, RemovingChannelsEqualsMaskingThem) {
  const char* shared = std::getenv("PRESS_SHARED_DIR");
  if (shared == nullptr) GTEST_SKIP() << "PRESS_SHARED_DIR does not name the folder of shared models";
  std::size_t networks = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(std::string(shared) + "/models")) {
    if (entry.path().extension() != ".onnx" || entry.path().string().find("/malformed/") != std::string::npos)
      continue;
    SCOPED_TRACE(entry.path().filename());
    auto model = load_model(entry.path());
    ASSERT_TRUE(model.ok()) << model.error().message();
    for (const char* pass : {"eliminate_identity", "fold_constants", "fuse_conv_batchnorm"}) {
      ASSERT_TRUE(find_pass(pass)->run(*model, {}).ok());
    }
    const bool takes_images = std::ranges::all_of(model->graph->inputs(), [](const Value* input) {
      return input->type().element == DataType::kFloat && input->type().shape && input->tensor() == nullptr;
    });
    auto session = Session::create(*model->graph);
    if (!takes_images || !session.ok() || !session->run(seeded_inputs(*model->graph)).ok()) continue;
    if (expect_removal_equals_masking(*model) > 0) ++networks;
  }
  EXPECT_GE(networks, 12U);
}

}  // namespace
}  // namespace press::test
