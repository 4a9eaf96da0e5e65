#include "press/runtime/session.h"

#include <thread>

#include "runtime/session_support.h"

namespace press {
namespace {

constexpr const char* kHeader = R"(<ir_version: 8, opset_import: ["" : 17]> )";

Model parsed_body(const std::string& body) {
  return parsed(kHeader + body);
}

/// A convolution whose result has two readers, one of them behind a Relu.
Model conv_relu() {
  Model model = parsed_body(R"(g (float[N,2,4,4] x, float[2,2,3,3] w) => (float[N,2,4,4] y) {
    c = Conv<pads = [1, 1, 1, 1]>(x, w)
    r = Relu(c)
    y = Neg(r)
  })");
  return model;
}

Value* find_value(const Graph& graph, std::string_view name) {
  for (Value* value : graph.values()) {
    if (value->name() == name) return value;
  }
  return nullptr;
}

TEST(Session, RunsAnyBatchSize) {
  const Model model = conv_relu();
  Result<Session> session = Session::create(*model.graph);
  ASSERT_TRUE(session.ok());
  for (const std::int64_t batch : {1, 3, 2, 0}) {
    const auto outputs = session->run(std::vector<Tensor>{noise({batch, 2, 4, 4}), noise({2, 2, 3, 3}, 2)});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    EXPECT_EQ((*outputs)[0].dims(), (Dims{batch, 2, 4, 4}));
  }
}

TEST(Session, SaysWhatIsWrongWithAnInput) {
  const Model model = conv_relu();
  const Tensor weights = noise({2, 2, 3, 3});
  EXPECT_EQ(failure(*model.graph, {noise({1, 2, 4}), weights}),
            "input 'x' should be float32[N,2,4,4], but is float32 1x2x4");
  EXPECT_EQ(failure(*model.graph, {noise({1, 3, 4, 4}), weights}),
            "input 'x' should be float32[N,2,4,4], but is float32 1x3x4x4");
  EXPECT_EQ(
      failure(*model.graph, {Tensor::of<std::int64_t>({1, 2, 4, 4}, std::vector<std::int64_t>(32)), weights}),
      "input 'x' should be float32[N,2,4,4], but is int64 1x2x4x4");
  EXPECT_EQ(failure(*model.graph, {weights}), "the network takes 2 inputs, but 1 are given");
  EXPECT_EQ(failure(*model.graph, {Tensor(), weights}), "input 'x' has no default and no tensor is given");
}

TEST(Session, RunsFunctionsOfTheModel) {
  const Model model = parsed(R"(
<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
g (float[3] x) => (float[3] y) {
  scaled = local.Scale<factor = 2.0>(x)
  y = local.AddTo(scaled, x)
}
<domain: "local", opset_import: ["" : 17]>
Scale <factor> (a) => (b) {
  f = Constant<value_float: float = @factor>()
  b = Mul(a, f)
}
<domain: "local", opset_import: ["" : 17, "local" : 1]>
AddTo (a, b) => (c) {
  d = local.Scale<factor = 3.0>(b)
  c = Add(a, d)
}
)");
  const std::vector<Tensor> outputs = run_graph(*model.graph, {floats({3}, {1, 2, -4})});
  ASSERT_EQ(outputs.size(), 1U);
  EXPECT_EQ(outputs[0], floats({3}, {5, 10, -20}));
}

TEST(Session, RefusesFunctionsThatCallThemselves) {
  const Model model = parsed(R"(
<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
g (float[3] x) => (float[3] y) {
  y = local.Again(x)
}
<domain: "local", opset_import: ["" : 17, "local" : 1]>
Again (a) => (b) {
  b = local.Again(a)
}
)");
  EXPECT_NE(failure(*model.graph, {floats({3}, {1, 2, 3})}).find("more than 64 levels deep"),
            std::string::npos);
}

TEST(Session, NamesAnUnknownOperator) {
  const Model model = parsed(R"(<ir_version: 8, opset_import: ["" : 17, "acme" : 3]>
    g (float[N] x) => (float[N] y) { y = acme.Frobnicate(x) })");
  const Result<Session> session = Session::create(*model.graph);
  ASSERT_FALSE(session.ok());
  EXPECT_EQ(session.error().code(), ErrorCode::kUnsupported);
  EXPECT_EQ(session.error().message(),
            "node Frobnicate that makes 'y': cannot execute operator 'Frobnicate' of domain 'acme' (opset "
            "3); every verb "
            "that needs no execution still works");
}

TEST(Session, TapSeesValuesThatWouldBeMerged) {
  const Model model = conv_relu();
  Result<Session> session = Session::create(*model.graph);
  ASSERT_TRUE(session.ok());
  const std::vector<Tensor> inputs = {noise({2, 2, 4, 4}), noise({2, 2, 3, 3}, 2)};
  const std::vector<const Value*> watched = {find_value(*model.graph, "x"), find_value(*model.graph, "c"),
                                             find_value(*model.graph, "r")};
  std::vector<std::string> seen;
  std::vector<Tensor> tensors;
  const auto outputs = session->run(inputs, watched, [&](const Value& value, const Tensor& tensor) {
    seen.push_back(value.name());
    tensors.push_back(tensor);
  });
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  ASSERT_EQ(seen, (std::vector<std::string>{"x", "c", "r"}));
  EXPECT_EQ(tensors[1].dims(), (Dims{2, 2, 4, 4}));
  for (std::size_t i = 0; i < 64; ++i) {
    EXPECT_EQ(tensors[2].data<float>()[i], std::max(tensors[1].data<float>()[i], 0.0F));
    EXPECT_EQ((*outputs)[0].data<float>()[i], -tensors[2].data<float>()[i]);
  }
  EXPECT_TRUE(session->run(inputs).ok());
}

TEST(Session, TapInAnyOrderSeesTheSameElementsOnce) {
  const Model model = conv_relu();
  const std::vector<Tensor> inputs = {noise({2, 2, 4, 4}), noise({2, 2, 3, 3}, 2)};
  const std::vector<const Value*> watched = {find_value(*model.graph, "c"), find_value(*model.graph, "r")};
  const auto seen_by = [&](bool any_order) {
    Result<Session> session = Session::create(*model.graph, {.tap_in_any_order = any_order});
    EXPECT_TRUE(session.ok());
    std::vector<std::pair<std::string, std::vector<float>>> seen;
    const auto outputs = session->run(inputs, watched, [&](const Value& value, const Tensor& tensor) {
      EXPECT_EQ(tensor.dims()[0], 2);
      std::vector<float> elements(tensor.data<float>().begin(), tensor.data<float>().end());
      std::ranges::sort(elements);
      seen.emplace_back(value.name(), std::move(elements));
    });
    EXPECT_TRUE(outputs.ok()) << outputs.error().message();
    return seen;
  };
  const auto seen = seen_by(true);
  EXPECT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen, seen_by(false));
}

TEST(Session, FreesTensorsAfterTheirLastUse) {
  std::string body = "g (float[N] x) => (float[N] y) { v0 = Exp(x)\n";
  for (int i = 0; i < 30; ++i) body += "v" + std::to_string(i + 1) + " = Sin(v" + std::to_string(i) + ")\n";
  const Model model = parsed_body(body + "y = Neg(v30) }");
  Result<Session> session = Session::create(*model.graph);
  ASSERT_TRUE(session.ok()) << session.error().message();
  const std::int64_t size = 100000;
  ASSERT_TRUE(session->run(std::vector<Tensor>{noise({size})}).ok());
  EXPECT_LE(session->peak_bytes(), 2 * size * 4 + 1024);
}

TEST(Session, ResultsOutliveTheSession) {
  const Model model = parsed_body("g (float[N] x) => (float[N] y) { y = Neg(x) }");
  const std::vector<Tensor> outputs = run_graph(*model.graph, {floats({2}, {1, -2})});
  ASSERT_EQ(outputs.size(), 1U);
  EXPECT_EQ(outputs[0].data<float>()[1], 2);
}

TEST(Session, GivesTheSameBitsBesideAnotherSession) {
  const Model model = conv_relu();
  const std::vector<Tensor> inputs = {noise({16, 2, 4, 4}), noise({2, 2, 3, 3}, 2)};
  const std::vector<Tensor> alone = run_graph(*model.graph, inputs);
  std::vector<std::vector<Tensor>> beside(2);
  std::vector<std::thread> threads;
  for (std::vector<Tensor>& result : beside) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) result = run_graph(*model.graph, inputs);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(beside[0][0], alone[0]);
  EXPECT_EQ(beside[1][0], alone[0]);
}

TEST(Session, SharesPackedWeightsWithOthersOfItsGraph) {
  Model model;
  Graph& graph = *model.graph;
  graph.set_opset("", 17);
  Value* x = graph.add_input("x", {DataType::kFloat, Shape{Dim("N"), 32, 16, 16}, {}});
  Value* w = graph.add_constant(noise({32, 32, 3, 3}, 2), "w");
  Value* v = graph.add_constant(noise({16, 16}, 3), "v");
  const Node* conv = graph.add_node({.op_type = "Conv",
                                     .inputs = {x, w},
                                     .outputs = {"c"},
                                     .attributes = {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}, {}}}});
  const Node* product =
      graph.add_node({.op_type = "MatMul", .inputs = {conv->output(), v}, .outputs = {"m"}});
  const Node* relu = graph.add_node({.op_type = "Relu", .inputs = {product->output()}, .outputs = {"r"}});
  graph.add_output("y", relu->output(), {DataType::kFloat, Shape{Dim("N"), 32, 16, 16}, {}});
  const std::vector<Tensor> inputs = {noise({2, 32, 16, 16})};
  const std::vector<const Value*> watched = {find_value(graph, "m")};
  const auto ignored = [](const Value&, const Tensor&) {};
  const std::vector<Tensor> alone = run_graph(graph, inputs);
  const SessionOptions options{.shared_weights = make_shared_weights()};
  std::vector<std::vector<Tensor>> results(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([&, i] {
      Result<Session> session = Session::create(graph, options);
      ASSERT_TRUE(session.ok());
      auto found = i % 2 == 0 ? session->run(inputs) : session->run(inputs, watched, ignored);
      ASSERT_TRUE(found.ok());
      results[i] = *std::move(found);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<Tensor>& result : results) EXPECT_EQ(result[0], alone[0]);
}

TEST(Session, MayMoveBetweenThreads) {
  const Model model = conv_relu();
  const std::vector<Tensor> inputs = {noise({2, 2, 4, 4}), noise({2, 2, 3, 3}, 2)};
  Result<Session> session = Session::create(*model.graph, {.threads = 2});
  ASSERT_TRUE(session.ok());
  const auto first = session->run(inputs);
  ASSERT_TRUE(first.ok());
  std::thread([&] {
    const auto second = session->run(inputs);
    ASSERT_TRUE(second.ok());
    EXPECT_EQ((*second)[0], (*first)[0]);
  }).join();
}

TEST(Session, RefusesMoreThanTheMachineHas) {
  const Model model = parsed_body("g (float[1] x, int64[2] s) => (float[A,B] y) { y = Expand(x, s) }");
  const Tensor shape = Tensor::of<std::int64_t>({2}, std::vector<std::int64_t>{1LL << 30, 1LL << 20});
  EXPECT_NE(failure(*model.graph, {floats({1}, {1}), shape}).find("larger than this machine's memory"),
            std::string::npos);
}

TEST(EvaluateNode, RefusesLargeResultsBeforeTheyAreMade) {
  const Model model = parsed_body("g (float[1] x, int64[2] s) => (float[A,B] y) { y = Expand(x, s) }");
  const Node& node = **model.graph->nodes().begin();
  const Tensor x = floats({1}, {3});
  const Tensor large = Tensor::of<std::int64_t>({2}, std::vector<std::int64_t>{1 << 20, 1 << 12});
  const Tensor small = Tensor::of<std::int64_t>({2}, std::vector<std::int64_t>{2, 2});
  const std::vector<const Tensor*> hostile = {&x, &large};
  const auto refused = evaluate_node(node, hostile, 1 << 20);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
  const std::vector<const Tensor*> modest = {&x, &small};
  const auto made = evaluate_node(node, modest, 1 << 20);
  ASSERT_TRUE(made.ok()) << made.error().message();
  EXPECT_EQ((*made)[0], floats({2, 2}, {3, 3, 3, 3}));
}

TEST(Session, ComputesHalfPrecisionInFloat32) {
  const Model model =
      parsed_body("g (float16[2,3] x, float16[3,2] w) => (float16[2,2] y) { y = MatMul(x, w) }");
  const auto half = [](Dims dims, const std::vector<float>& values) {
    std::vector<Float16> halves;
    for (const float value : values) halves.push_back(to_float16(value));
    return Tensor::of<Float16>(std::move(dims), halves);
  };
  const std::vector<Tensor> outputs =
      run_graph(*model.graph, {half({2, 3}, {1, 2, 3, 4, 5, 6}), half({3, 2}, {1, 0, 0, 1, 1, 1})});
  ASSERT_EQ(outputs.size(), 1U);
  EXPECT_EQ(outputs[0], half({2, 2}, {4, 5, 10, 11}));
}

TEST(Session, ProfilesEveryStep) {
  const Model model =
      parsed(R"(<ir_version: 8, opset_import: ["" : 17]> g (float[N,1,4,4] x) => (float[N,2,4,4] y)
    <float[2,1,1,1] w = {0.5, -1}> {
    a = Conv(x, w)
    b = Relu(a)
    y = Exp(b)
  })");
  Result<Session> session = Session::create(*model.graph, {.profile = true});
  ASSERT_TRUE(session.ok());
  const std::vector<Tensor> inputs = {noise({2, 1, 4, 4})};
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(session->run(inputs).ok());
  bool found = false;
  for (const StepTime& step : session->profile()) {
    EXPECT_EQ(step.runs, 3);
    EXPECT_GT(step.nanoseconds, 0);
    found = found || (step.operators == "Conv+Relu" && step.node == *model.graph->nodes().begin());
  }
  EXPECT_TRUE(found);
  EXPECT_TRUE(Session::create(*model.graph).value().profile().empty());
}

}  // namespace
}  // namespace press
