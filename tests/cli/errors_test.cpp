// What goes wrong ends in one clear sentence, the exit code of docs/errors.md, and no half-written file.
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "cli/command_fixture.h"

namespace press::test {
namespace {

using Names = std::vector<std::string>;

class ErrorTest : public CommandTest {
 protected:
  /// optimize of `input` fails and leaves no file behind.
  void expect_rejected(const std::string& input, int code, const std::string& part) const {
    const Names before = files();
    expect_error(run({"optimize", input, "-o", path("small.onnx")}), code, part);
    EXPECT_EQ(files(), before);
    expect_error(run({"inspect", input}), code, part);
  }

  Names calibrated(const Names& more) const {
    Names arguments{"quantize", path("model.onnx"), "-o", path("int8.onnx"), "--preprocess", "cifar10"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
};

TEST_F(ErrorTest, MissingModel) {
  expect_rejected(path("nothing.onnx"), 3, "nothing.onnx");
}
TEST_F(ErrorTest, FolderAsModel) {
  expect_rejected(folder_.path(), 3, "regular file");
}
TEST_F(ErrorTest, EmptyModel) {
  expect_rejected(folder_.write("empty.onnx", ""), 3, "empty.onnx");
}

TEST_F(ErrorTest, TruncatedModel) {
  const std::string bytes = text_of(path("model.onnx"));
  expect_rejected(folder_.write("cut.onnx", bytes.substr(0, bytes.size() / 2)), 3, "cut.onnx");
}

TEST_F(ErrorTest, RandomBytesAsModel) {
  std::string bytes;
  std::uint32_t state = 1;
  for (int i = 0; i < 4096; ++i) {
    state = state * 1664525 + 1013904223;
    bytes += static_cast<char>(state >> 24);
  }
  expect_rejected(folder_.write("random.onnx", bytes), 3, "random.onnx");
}

TEST_F(ErrorTest, UnknownOperatorStopsOnlyWhatMustExecuteIt) {
  model("odd.onnx", kUnknownOperator);
  expect_error(run({"evaluate", path("odd.onnx"), "--images", path("images"), "--preprocess", "cifar10"}), 4,
               "Mystery");
  expect_error(run({"compare", path("odd.onnx"), path("odd.onnx"), "--images", path("images"), "--preprocess",
                    "cifar10"}),
               4, "Mystery");
  expect_error(run({"quantize", path("odd.onnx"), "-o", path("int8.onnx"), "--calibration", path("images"),
                    "--preprocess", "cifar10"}),
               4, "Mystery");
  EXPECT_FALSE(std::filesystem::exists(path("int8.onnx")));
  EXPECT_EQ(run({"inspect", path("odd.onnx")}).code, 0);
  EXPECT_EQ(run({"optimize", path("odd.onnx"), "-o", path("fused.onnx"), "--fuse"}).code, 0);
  EXPECT_EQ(run({"prune", path("odd.onnx"), "-o", path("pruned.onnx")}).code, 0);
}

TEST_F(ErrorTest, ImagesOfTheWrongNumberOfChannels) {
  image("grey/a/0.pgm", {100});
  expect_error(run({"evaluate", path("model.onnx"), "--images", path("grey")}), 3, "channel");
}

TEST_F(ErrorTest, EmptyFolderOfImages) {
  std::filesystem::create_directory(path("none"));
  expect_error(run(calibrated({"--calibration", path("none")})), 3, "none");
  expect_error(run(calibrated({"--calibration", path("nowhere")})), 3, "nowhere");
  EXPECT_FALSE(std::filesystem::exists(path("int8.onnx")));
}

TEST_F(ErrorTest, CorruptImageIsNamedOrSkipped) {
  folder_.write("images/red/broken.jpg", "\xFF\xD8\xFF\xE0 this is no picture");
  expect_error(run(calibrated({"--calibration", path("images")})), 3, "broken.jpg");
  EXPECT_FALSE(std::filesystem::exists(path("int8.onnx")));
  const Finished skipped = run(calibrated({"--calibration", path("images"), "--skip-corrupt"}));
  EXPECT_EQ(skipped.code, 0) << skipped.err;
  EXPECT_NE(skipped.err.find("broken.jpg"), std::string::npos) << skipped.err;
  EXPECT_TRUE(std::filesystem::exists(path("int8.onnx")));
}

TEST_F(ErrorTest, LabelOutsideOfTheClasses) {
  folder_.write("labels.csv", "images/red/0.ppm,2\nimages/blue/0.ppm,7\n");
  expect_error(
      run({"evaluate", path("model.onnx"), "--images", path("labels.csv"), "--preprocess", "cifar10"}), 3,
      "label 7");
}

TEST_F(ErrorTest, Int8WithoutSamples) {
  expect_error(run({"quantize", path("model.onnx"), "-o", path("int8.onnx")}), 2, "--calibration");
}

TEST_F(ErrorTest, TargetExists) {
  folder_.write("old.onnx", "precious");
  expect_error(run({"optimize", path("model.onnx"), "-o", path("old.onnx")}), 6, "old.onnx");
  EXPECT_EQ(text_of(path("old.onnx")), "precious");
  EXPECT_EQ(run({"optimize", path("model.onnx"), "-o", path("old.onnx"), "--force"}).code, 0);
  EXPECT_NE(text_of(path("old.onnx")), "precious");
}

TEST_F(ErrorTest, TargetIsTheInput) {
  const std::string before = text_of(path("model.onnx"));
  std::filesystem::create_symlink(path("model.onnx"), path("link.onnx"));
  for (const char* target : {"model.onnx", "link.onnx"}) {
    expect_error(run({"optimize", path("model.onnx"), "-o", path(target), "--force"}), 6, "input");
  }
  EXPECT_EQ(text_of(path("model.onnx")), before);
}

TEST_F(ErrorTest, UnwritableTarget) {
  expect_error(run({"optimize", path("model.onnx"), "-o", path("no/such/folder/x.onnx")}), 6, "x.onnx");
  std::filesystem::create_directory(path("folder.onnx"));
  expect_error(run({"optimize", path("model.onnx"), "-o", path("folder.onnx"), "--force"}), 6, "folder.onnx");
}

TEST_F(ErrorTest, TargetInAReadOnlyFolder) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  std::filesystem::create_directory(path("fixed"));
  std::filesystem::permissions(path("fixed"),
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  expect_error(run({"optimize", path("model.onnx"), "-o", path("fixed/x.onnx")}), 6, "x.onnx");
}

TEST_F(ErrorTest, FullDiskLeavesTheOldFile) {
  folder_.write("old.onnx", "precious");
  const Names before = files();
  // A limit on the size of files acts like a disk that is full after so many bytes.
  const Finished finished =
      run({"prune", path("model.onnx"), "-o", path("old.onnx"), "--force", "-q"}, {.largest_file = 300});
  expect_error(finished, 6, "old.onnx");
  EXPECT_EQ(text_of(path("old.onnx")), "precious");
  EXPECT_EQ(files(), before);
}

TEST_F(ErrorTest, FullTmpfsLeavesTheOldFile) {
  const std::string disk = path("disk");
  std::filesystem::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=4k") != 0) {
    GTEST_SKIP() << "a tmpfs cannot be mounted here: " << std::strerror(errno);
  }
  folder_.write("disk/old.onnx", "precious");  // takes the only page
  const Finished finished = run({"prune", path("model.onnx"), "-o", disk + "/old.onnx", "--force", "-q"});
  const std::string left = text_of(disk + "/old.onnx");
  const auto entries = std::distance(std::filesystem::directory_iterator(disk), {});
  ::umount2(disk.c_str(), MNT_DETACH);
  expect_error(finished, 6, "old.onnx");
  EXPECT_EQ(left, "precious");
  EXPECT_EQ(entries, 1);
}

TEST_F(ErrorTest, FullStandardOutput) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full here";
  const Finished finished = run({"optimize", path("model.onnx"), "-o", "-", "-q"}, {.output = "/dev/full"});
  expect_error(finished, 6, "standard output");
}

TEST_F(ErrorTest, InterruptWhileCalibratingLeavesTheOldFile) {
  folder_.write("old.onnx", "precious");
  std::string list;
  for (int i = 0; i < 200'000; ++i) list += "images/red/0.ppm,2\n";
  folder_.write("long.csv", list);
  const Names before = files();
  const Finished finished =
      run({"quantize", path("model.onnx"), "-o", path("old.onnx"), "--force", "--calibration",
           path("long.csv"), "--limit", "0", "--preprocess", "cifar10", "--batch", "1", "-q"},
          {.started = [](pid_t child) {
            std::this_thread::sleep_for(std::chrono::milliseconds(700));
            ::kill(child, SIGINT);
          }});
  expect_error(finished, 130, "interrupted");
  EXPECT_EQ(text_of(path("old.onnx")), "precious");
  EXPECT_EQ(files(), before);
}

TEST_F(ErrorTest, UsageErrorsNameWhatIsMeant) {
  expect_error(run({}), 2, "--help");
  expect_error(run({"optimise"}), 2, "did you mean 'optimize'?");
  expect_error(run({"optimize", path("model.onnx"), "-o", "x", "--fusee"}), 2, "did you mean '--fuse'?");
  expect_error(run({"inspect"}), 2, "MODEL");
  expect_error(run({"optimize", path("model.onnx")}), 2, "-o FILE");
  expect_error(run({"prune", path("model.onnx"), "-o", "x", "--sparsity", "half"}), 2,
               "--sparsity: 'half' is no number");
  expect_error(run({"prune", path("model.onnx"), "-o", "x", "--sparsity", "2"}), 2, "between 0 and 1");
  expect_error(run({"compare", path("model.onnx"), "--images", path("images")}), 2, "two models");
  expect_error(run({"evaluate", path("model.onnx")}), 2, "--images");
  expect_error(run({"inspect", path("model.onnx"), "--json", path("other.onnx")}), 2, ".json");
  expect_error(
      run({"optimize", path("model.onnx"), "-o", path("x.onnx"), "--disable-pass", "fuse_conv_batchnrm"}), 2,
      "fuse_conv_batchnrm");
  expect_error(run({"optimize", path("model.onnx"), "-o", path("x.onnx"), "--recipe", path("none.toml")}), 3,
               "none.toml");
}

}  // namespace
}  // namespace press::test
