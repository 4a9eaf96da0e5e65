#include "press/support/mapped_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "support/files.h"

namespace press::test {
namespace {

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST(MappedFileTest, HoldsTheBytesOfTheFile) {
  const TemporaryFolder folder;
  const auto file = MappedFile::open(folder.write("f", "contents"));
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(text_of(**file), "contents");
  const auto empty = MappedFile::open(folder.write("empty", ""));
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE((*empty)->bytes().empty());
}

TEST(MappedFileTest, ReleasedPagesComeBack) {
  const TemporaryFolder folder;
  const std::string contents(MappedFile::kWorthReleasing, 'x');
  const auto file = MappedFile::open(folder.write("f", contents));
  ASSERT_TRUE(file.ok());
  MappedFile::release((*file)->bytes().subspan(5000, 90000));
  EXPECT_EQ(text_of(**file), contents);
}

TEST(MappedFileTest, ReleaseLeavesOtherMemoryAlone) {
  std::string own(1 << 20, 'x');
  MappedFile::release(std::as_bytes(std::span(own)));
  MappedFile::release({});
  EXPECT_EQ(own, std::string(1 << 20, 'x'));
}

TEST(MappedFileTest, OpensInsideAFolderOnly) {
  const TemporaryFolder folder;
  folder.write("inside/a/b", "b");
  folder.write("outside", "o");
  const std::string root = folder.path() / "inside";
  EXPECT_EQ(text_of(**MappedFile::open_inside(root, "a/b")), "b");
  EXPECT_EQ(text_of(**MappedFile::open_inside(root + "/", "a/../a/b")), "b");
  EXPECT_FALSE(MappedFile::open_inside(root, "../outside").ok());
  EXPECT_FALSE(MappedFile::open_inside(root, "a/../../outside").ok());
  EXPECT_FALSE(MappedFile::open_inside(root, folder.path() / "inside/a/b").ok());
  EXPECT_FALSE(MappedFile::open_inside(root, std::string("a/b\0", 4)).ok());
  EXPECT_FALSE(MappedFile::open_inside(root, "a").ok());
  EXPECT_FALSE(MappedFile::open_inside(root, "").ok());
  // A folder whose name starts like the root's is not inside it.
  folder.write("inside2/c", "c");
  EXPECT_FALSE(MappedFile::open_inside(root, "../inside2/c").ok());
}

}  // namespace
}  // namespace press::test
