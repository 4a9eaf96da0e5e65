#include "press/support/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string_view>

#include "support/files.h"

namespace press::test {
namespace {

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

class AtomicFileTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  std::string error(const std::string& target, const AtomicFile::Options& options = {}) const {
    const Result<AtomicFile> file = AtomicFile::create(target, options);
    EXPECT_FALSE(file.ok());
    if (file.ok()) return "";
    EXPECT_EQ(file.error().code(), ErrorCode::kOutput);
    return file.error().message();
  }

  TemporaryFolder folder_;
};

TEST_F(AtomicFileTest, AppearsOnCommitOnly) {
  Result<AtomicFile> file = AtomicFile::create(path("out"), {});
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->write(as_bytes("some ")).ok());
  ASSERT_TRUE(file->write(as_bytes("bytes")).ok());
  EXPECT_FALSE(std::filesystem::exists(path("out")));
  ASSERT_TRUE(file->flush().ok());
  EXPECT_EQ(read_bytes(file->temporary_path()), "some bytes");
  ASSERT_TRUE(file->commit().ok());
  EXPECT_EQ(read_bytes(path("out")), "some bytes");
}

TEST_F(AtomicFileTest, LeavesNothingWithoutCommit) {
  folder_.write("out", "old");
  {
    Result<AtomicFile> file = AtomicFile::create(path("out"), {.overwrite = true});
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->write(as_bytes("new")).ok());
  }
  EXPECT_EQ(read_bytes(path("out")), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
}

TEST_F(AtomicFileTest, ReplacesOnRequestOnlyAndKeepsPermissions) {
  folder_.write("out", "old");
  chmod(path("out").c_str(), 0640);
  EXPECT_NE(error(path("out")).find("exists already"), std::string::npos);
  Result<AtomicFile> file = AtomicFile::create(path("out"), {.overwrite = true});
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->flush().ok());
  ASSERT_TRUE(file->commit().ok());
  EXPECT_EQ(read_bytes(path("out")), "");
  struct stat status {};
  ASSERT_EQ(stat(path("out").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST_F(AtomicFileTest, DoesNotReplaceAFileThatCameMeanwhile) {
  Result<AtomicFile> file = AtomicFile::create(path("out"), {});
  ASSERT_TRUE(file.ok());
  folder_.write("out", "somebody else's");
  ASSERT_TRUE(file->flush().ok());
  EXPECT_FALSE(file->commit().ok());
  EXPECT_EQ(read_bytes(path("out")), "somebody else's");
}

TEST_F(AtomicFileTest, NeverReplacesInputs) {
  folder_.write("in", "input");
  std::filesystem::create_hard_link(path("in"), path("other name"));
  EXPECT_NE(error(path("other name"), {true, {path("in")}}).find("input"), std::string::npos);
  const auto mapped = MappedFile::open(path("in"));
  ASSERT_TRUE(mapped.ok());
  EXPECT_NE(error(path("in"), {.overwrite = true}).find("input"), std::string::npos);
}

TEST_F(AtomicFileTest, FollowsLinks) {
  std::filesystem::create_directory(path("folder"));
  std::filesystem::create_symlink("folder/new", path("link"));
  Result<AtomicFile> file = AtomicFile::create(path("link"), {});
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->flush().ok());
  ASSERT_TRUE(file->commit().ok());
  EXPECT_TRUE(std::filesystem::is_symlink(path("link")));
  EXPECT_TRUE(std::filesystem::exists(path("folder/new")));
  std::filesystem::create_symlink("circle", path("circle"));
  EXPECT_NE(error(path("circle")).find("circle"), std::string::npos);
}

TEST_F(AtomicFileTest, NamesWhatStandsInTheWay) {
  EXPECT_NE(error(folder_.path()).find("no regular file"), std::string::npos);
  EXPECT_NE(error("/dev/null", {.overwrite = true}).find("no regular file"), std::string::npos);
  EXPECT_NE(error(path("missing/out")).find("No such file"), std::string::npos);
  EXPECT_NE(error(path("out/")), "");
  EXPECT_NE(error(""), "");
  if (geteuid() != 0) {
    std::filesystem::permissions(folder_.path(), std::filesystem::perms::owner_read);
    EXPECT_NE(error(path("out")).find("Permission denied"), std::string::npos);
    std::filesystem::permissions(folder_.path(), std::filesystem::perms::owner_all);
  }
}

}  // namespace
}  // namespace press::test
