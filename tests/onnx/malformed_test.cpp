// Files that are no good model end in one clear sentence.
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "onnx/protos.h"
#include "support/files.h"

namespace press::test {
namespace {

bool printable(const std::string& message) {
  return std::ranges::all_of(message,
                             [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

TEST(WrongFiles, AreRecognized) {
  using namespace std::string_literals;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "empty"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer"},
      {"\x1f\x8b\x08\x00rest"s, "gzip"},
      {"PK\x03\x04rest"s, "ZIP"},
      {"\x89HDF\r\n\x1a\nrest"s, "HDF5"},
      {"\x1c\0\0\0TFL3rest"s, "TensorFlow Lite"},
      {"../../gen/model.onnx", "text"},
      {"\xff\xff\xff\xff\xff\xff"s, "damaged"},
      {std::string(100, '\0'), "damaged"},
  };
  for (const auto& [bytes, expected] : cases) {
    const std::string message = import_error(bytes);
    EXPECT_NE(message.find(expected), std::string::npos) << message;
    EXPECT_TRUE(printable(message)) << message;
  }
}

TEST(WrongFiles, EveryTruncationIsAnErrorOrASoundModel) {
  onnx::ModelProto proto = relu_proto();
  add_weight(proto.mutable_graph(), "w");
  const std::string bytes = proto.SerializeAsString();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Result<Model> model = model_from_bytes(bytes.substr(0, size));
    if (model.ok()) {
      EXPECT_TRUE(verify(*model->graph).ok());
    } else {
      EXPECT_EQ(model.error().code(), ErrorCode::kInput) << model.error().message();
    }
  }
}

TEST(WrongFiles, PathsThatAreNoRegularFilesSayWhatTheyAre) {
  const TemporaryFolder folder;
  const auto error = [](const std::string& path) {
    const Result<Model> model = load_model(path);
    EXPECT_FALSE(model.ok());
    return model.ok() ? "" : model.error().message();
  };
  EXPECT_NE(error(folder.path()).find("a directory"), std::string::npos);
  EXPECT_NE(error("/dev/null").find("a device"), std::string::npos);
  EXPECT_NE(error(folder.path() / "missing").find("No such file"), std::string::npos);
  const std::string pipe = folder.path() / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(error(pipe), "loading '" + pipe + "': it is a pipe, and a regular file is needed");
}

TEST(BadModels, SayWhatIsWrong) {
  const auto error = [](auto&& change) {
    onnx::ModelProto proto = relu_proto();
    change(proto);
    return import_error(proto);
  };
  EXPECT_EQ(error([](auto& proto) { proto.clear_graph(); }), "the model has no graph");
  EXPECT_EQ(error([](auto& proto) { proto.mutable_opset_import(0)->set_version(-1); }),
            "operator set 'ai.onnx' has version -1, which does not exist");
  EXPECT_EQ(error([](auto& proto) { proto.add_opset_import()->set_version(3); }),
            "operator set 'ai.onnx' is imported twice, in versions 17 and 3");
  EXPECT_NE(error([](auto& proto) { proto.clear_opset_import(); }).find("opset_import"), std::string::npos);
  EXPECT_EQ(
      error([](auto& proto) { proto.mutable_graph()->mutable_node(0)->set_input(0, "gone"); }),
      "node Relu that makes 'y' reads 'gone', which is no graph input, initializer or output of a node");
  EXPECT_EQ(error([](auto& proto) { proto.mutable_graph()->mutable_output(0)->set_name("gone"); }),
            "graph output 'gone' is made by no node");
  EXPECT_EQ(
      error([](auto& proto) { add_node(proto.mutable_graph(), "Neg", {"x"}, {"y"}); }),
      "'y' is made twice, by node Relu that makes 'y' and by node Neg that makes 'y'; every value needs one "
      "origin");
  EXPECT_EQ(
      error([](auto& proto) { add_node(proto.mutable_graph(), "Neg", {"y"}, {"x"}); }),
      "'x' is a graph input or initializer, but node Neg that makes 'x' makes it too; every value needs one "
      "origin");
  EXPECT_EQ(error([](auto& proto) { proto.mutable_graph()->mutable_node(0)->clear_op_type(); }),
            "node '' has no operator");
  EXPECT_EQ(error([](auto& proto) {
              for (int i = 0; i < 2; ++i)
                proto.mutable_graph()->mutable_node(0)->add_attribute()->set_name("a");
            }),
            "node Relu that makes 'y' has the attribute 'a' twice");
  EXPECT_EQ(error([](auto& proto) {
              add_node(proto.mutable_graph(), "Neg", {"b"}, {"a"})->set_name("first");
              add_node(proto.mutable_graph(), "Abs", {"a"}, {"b"});
              add_node(proto.mutable_graph(), "Exp", {"b"}, {"c"});
            }),
            "node 'first' (Neg) depends on its own output: the graph has a cycle");
  EXPECT_EQ(error([](auto& proto) {
              add_weight(proto.mutable_graph(), "w");
              add_weight(proto.mutable_graph(), "w")->set_raw_data("12345678");
            }),
            "initializer 'w' is listed twice, with different values");
  EXPECT_EQ(error([](auto& proto) {
              add_weight(proto.mutable_graph(), "w");
              onnx::ValueInfoProto* input = proto.mutable_graph()->add_input();
              input->set_name("w");
              onnx::TypeProto::Tensor* type = input->mutable_type()->mutable_tensor_type();
              type->set_elem_type(1);
              type->mutable_shape()->add_dim()->set_dim_value(5);
            }),
            "graph input 'w' is declared as float32[5], but its initializer is float32 of shape 2");
  EXPECT_EQ(error([](auto& proto) {
              onnx::AttributeProto* attribute = proto.mutable_graph()->mutable_node(0)->add_attribute();
              attribute->set_name("a");
              attribute->set_type(onnx::AttributeProto::INTS);
              attribute->add_ints(1);
              attribute->add_floats(2);
            }),
            "node Relu that makes 'y': attribute 'a' holds values of more than one kind");
}

TEST(BadModels, TwoEqualInitializersAreOne) {
  onnx::ModelProto proto = relu_proto();
  for (int i = 0; i < 2; ++i) add_weight(proto.mutable_graph(), "w");
  EXPECT_EQ(import(proto).graph->constants().size(), 1u);
}

TEST(BadModels, NamesAreShownInOneShortPrintableLine) {
  onnx::ModelProto proto = relu_proto();
  proto.mutable_graph()->mutable_node(0)->set_input(0, "\n\x01\xff" + std::string(1000000, 'a'));
  const std::string message = import_error(proto);
  EXPECT_TRUE(printable(message));
  EXPECT_LT(message.size(), 300u);
}

/// GraphProto of an If whose branch holds the same again, `depth` times.
std::string nested_graph(int depth) {
  onnx::GraphProto graph;
  if (depth > 0) {
    onnx::NodeProto* node = add_node(&graph, "If", {""}, {"o"});
    onnx::AttributeProto* attribute = node->add_attribute();
    attribute->set_name("then_branch");
    attribute->set_type(onnx::AttributeProto::GRAPH);
    EXPECT_TRUE(attribute->mutable_g()->ParseFromString(nested_graph(depth - 1)));
  }
  return graph.SerializeAsString();
}

TEST(BadModels, NestingHasALimit) {
  onnx::ModelProto proto = relu_proto();
  ASSERT_TRUE(proto.mutable_graph()->ParseFromString(nested_graph(32)));
  EXPECT_TRUE(model_from_bytes(proto.SerializeAsString()).ok());
  // Deeper than protobuf's own parser goes: put together by hand.
  const auto field = [](int number, const std::string& bytes) {
    std::string text(1, static_cast<char>(number << 3 | 2));
    std::size_t size = bytes.size();
    for (; size >= 0x80; size >>= 7) text += static_cast<char>(size | 0x80);
    return text + static_cast<char>(size) + bytes;
  };
  std::string graph;
  for (int i = 0; i < 300; ++i) graph = field(1, field(4, "If") + field(5, field(6, graph)));
  EXPECT_EQ(import_error(field(8, "\x10\x11") + field(7, graph)),
            "graphs are nested more than 64 levels deep");
}

TEST(LargeGraphs, TakeLinearTime) {
  onnx::ModelProto proto = relu_proto();
  onnx::GraphProto* graph = proto.mutable_graph();
  // A chain in the worst order, and a value with many users.
  constexpr int kNodes = 50000;
  for (int i = kNodes; i > 0; --i)
    add_node(graph, "Relu", {"v" + std::to_string(i - 1)}, {"v" + std::to_string(i)});
  add_node(graph, "Relu", {"x"}, {"v0"});
  for (int i = 0; i < kNodes; ++i) add_node(graph, "Neg", {"y"}, {"u" + std::to_string(i)});
  const auto start = std::chrono::steady_clock::now();
  const Model model = import(proto);
  EXPECT_EQ(export_proto(model).graph().node_size(), 2 * kNodes + 2);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

/// Every file of a folder of malformed models: an error in one printable line, or a sound model that comes
/// back.
TEST(SharedModels, MalformedOnesEndWell) {
  const char* shared = std::getenv("PRESS_SHARED_DIR");
  if (shared == nullptr) GTEST_SKIP() << "PRESS_SHARED_DIR does not name a folder with models/malformed";
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(shared) / "models/malformed")) {
    const auto start = std::chrono::steady_clock::now();
    const Result<Model> model = load_model(entry.path().string());
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10)) << entry.path();
    if (!model.ok()) {
      EXPECT_TRUE(printable(model.error().message())) << entry.path();
      EXPECT_LT(model.error().message().size(), 1000u) << entry.path();
      continue;
    }
    EXPECT_TRUE(verify(*model->graph).ok()) << entry.path();
    const Result<std::string> bytes = model_to_bytes(*model);
    ASSERT_TRUE(bytes.ok());
    const Result<Model> again = model_from_bytes(*bytes);
    ASSERT_TRUE(again.ok()) << entry.path() << again.error().message();
    EXPECT_EQ(fingerprint(*again->graph), fingerprint(*model->graph)) << entry.path();
  }
}

}  // namespace
}  // namespace press::test
