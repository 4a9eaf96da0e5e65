// Writing files: weights stay where they are, targets are complete or untouched.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include <filesystem>

#include "onnx/protos.h"
#include "support/files.h"

namespace press::test {
namespace {

/// What `work` returns in a process of its own.
template <typename Work>
bool in_child(Work&& work) {
  const pid_t child = fork();
  if (child == 0) _exit(work() ? 0 : 1);
  int result = 1;
  EXPECT_EQ(waitpid(child, &result, 0), child);
  return result == 0;
}

/// The largest resident size of this process so far, in bytes.
std::int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

class Save : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  std::size_t files() const {
    const std::filesystem::directory_iterator all(folder_.path());
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }

  TemporaryFolder folder_;
};

Model model_with_weight(std::int64_t elements) {
  Model model = import(relu_proto());
  std::vector<float> values(static_cast<std::size_t>(elements));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  model.graph->add_constant(Tensor::of<float>({elements}, values), "w");
  model.graph->add_constant(Tensor::of<float>({elements}, values), "v");
  return model;
}

TEST_F(Save, ComesBackTheSame) {
  const Model model = model_with_weight(1000);
  ASSERT_TRUE(save_model(model, path("m.onnx")).ok());
  EXPECT_EQ(files(), 1u);
  EXPECT_EQ(static_cast<std::int64_t>(std::filesystem::file_size(path("m.onnx"))), serialized_size(model));
  const Result<Model> again = load_model(path("m.onnx"));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(fingerprint(*again->graph), fingerprint(*model.graph));
  EXPECT_EQ(*find_value(*again->graph, "w")->constant(), *find_value(*model.graph, "w")->constant());
}

TEST_F(Save, ReplacesOnRequestOnlyAndNeverTheInput) {
  ASSERT_TRUE(save_model(model_with_weight(10), path("m.onnx")).ok());
  const std::string before = read_bytes(path("m.onnx"));
  const Result<Model> model = load_model(path("m.onnx"));
  ASSERT_TRUE(model.ok());
  const Status exists = save_model(import(relu_proto()), path("m.onnx"));
  ASSERT_FALSE(exists.ok());
  EXPECT_EQ(exists.error().code(), ErrorCode::kOutput);
  std::filesystem::create_symlink("m.onnx", path("link.onnx"));
  std::filesystem::create_hard_link(path("m.onnx"), path("hard.onnx"));
  for (const char* name : {"m.onnx", "./m.onnx", "link.onnx", "hard.onnx"}) {
    const Status status = save_model(*model, path(name), {.overwrite = true});
    ASSERT_FALSE(status.ok()) << name;
    EXPECT_NE(status.error().message().find("input file"), std::string::npos);
    EXPECT_FALSE(
        save_model(import(relu_proto()), path(name), {.overwrite = true, .inputs = {path("m.onnx")}}).ok());
  }
  EXPECT_EQ(read_bytes(path("m.onnx")), before);
  EXPECT_EQ(files(), 3u) << "no temporary file may stay";
}

TEST_F(Save, ReplacesTheTargetOfALink) {
  folder_.write("real.onnx", "old");
  std::filesystem::create_symlink("real.onnx", path("link.onnx"));
  ASSERT_TRUE(save_model(import(relu_proto()), path("link.onnx"), {.overwrite = true}).ok());
  EXPECT_TRUE(std::filesystem::is_symlink(path("link.onnx")));
  EXPECT_TRUE(load_model(path("real.onnx")).ok());
}

TEST_F(Save, FailsClearlyWhereNothingCanBeWritten) {
  for (const std::string& bad : {path("missing/m.onnx"), folder_.path().string(), std::string("/dev/null"),
                                 std::string("/proc/m.onnx"), std::string(), path("m/")}) {
    const Status status = save_model(import(relu_proto()), bad, {.overwrite = true});
    ASSERT_FALSE(status.ok()) << bad;
    EXPECT_EQ(status.error().code(), ErrorCode::kOutput);
  }
  EXPECT_EQ(files(), 0u);
}

TEST_F(Save, LeavesTheOldFileWhenTheDiskIsFull) {
  folder_.write("m.onnx", "old");
  // A limit on the size of files stands in for a full disk.
  EXPECT_TRUE(in_child([&] {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    setrlimit(RLIMIT_FSIZE, &limit);
    const Status status = save_model(model_with_weight(10000), path("m.onnx"), {.overwrite = true});
    return !status.ok() && status.error().code() == ErrorCode::kOutput;
  }));
  EXPECT_EQ(read_bytes(path("m.onnx")), "old");
  EXPECT_EQ(files(), 1u);
}

TEST_F(Save, PutsWeightsOutsideOnRequest) {
  const Model model = model_with_weight(3000);
  ASSERT_TRUE(save_model(model, path("m.onnx"), {.weights = WeightStore::kExternal}).ok());
  EXPECT_EQ(files(), 2u);
  onnx::ModelProto proto;
  ASSERT_TRUE(proto.ParseFromString(read_bytes(path("m.onnx"))));
  for (const onnx::TensorProto& tensor : proto.graph().initializer()) {
    EXPECT_EQ(tensor.data_location(), onnx::TensorProto::EXTERNAL);
    EXPECT_EQ(tensor.external_data(0).value(), "m.onnx.data");
    EXPECT_EQ(std::stoll(tensor.external_data(1).value()) % 4096, 0);
    EXPECT_EQ(tensor.external_data(2).value(), "12000");
  }
  const Result<Model> again = load_model(path("m.onnx"));
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(fingerprint(*again->graph), fingerprint(*model.graph));
  // And into one file again; the weights that are being read may not be replaced.
  ASSERT_TRUE(save_model(*again, path("one.onnx")).ok());
  EXPECT_EQ(fingerprint(*load_model(path("one.onnx"))->graph), fingerprint(*model.graph));
  std::filesystem::rename(path("m.onnx"), path("moved.onnx"));
  const SaveOptions outside{.overwrite = true, .weights = WeightStore::kExternal};
  EXPECT_FALSE(save_model(*again, path("m.onnx"), outside).ok());
}

TEST_F(Save, MemoryStaysBelowOneAndAHalfTimesTheModel) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need memory of their own";
#endif
  constexpr std::int64_t kElements = 26214400;  // 100 MiB
  const std::string source = path("large.onnx"), target = path("copy.onnx");
  ASSERT_TRUE(in_child([&] {
    Model model = import(relu_proto());
    for (const char* name : {"a", "b"}) {
      Result<Tensor> tensor = Tensor::allocate(DataType::kFloat, {kElements / 2});
      std::ranges::fill(tensor->mutable_data<float>(), 1.0F);
      model.graph->add_constant(std::move(tensor).value(), name);
    }
    return save_model(model, source).ok();
  }));
  EXPECT_TRUE(in_child([&] {
    const std::int64_t before = peak_memory();
    const Result<Model> model = load_model(source);
    const bool saved = model.ok() && save_model(*model, target).ok();
    return saved && peak_memory() - before < kElements * 4 * 3 / 2;
  }));
  EXPECT_EQ(std::filesystem::file_size(source), std::filesystem::file_size(target));
}

}  // namespace
}  // namespace press::test
