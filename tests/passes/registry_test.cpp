#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "press/passes/pass.h"

namespace press {
namespace {

TEST(Registry, FindsEveryPassByItsName) {
  std::set<std::string_view> names;
  for (const PassInfo& pass : all_passes()) {
    EXPECT_EQ(find_pass(pass.name), &pass);
    EXPECT_TRUE(names.insert(pass.name).second) << pass.name << " is listed twice";
    EXPECT_FALSE(pass.summary.empty());
    EXPECT_NE(pass.summary.back(), '.');
  }
  EXPECT_GE(names.size(), 5U);
}

TEST(Registry, KnowsNoOthers) {
  EXPECT_EQ(find_pass("fuse_everything"), nullptr);
  EXPECT_EQ(find_pass(""), nullptr);
}

TEST(Registry, KeepsFamiliesTogether) {
  std::set<std::string_view> seen;
  std::string_view family;
  for (const PassInfo& pass : all_passes()) {
    if (pass.family == family) continue;
    family = pass.family;
    EXPECT_TRUE(seen.insert(family).second) << "family " << family << " is split in passes.def";
  }
}

TEST(Registry, IsWhatTheDocumentationSays) {
  std::ifstream file(PRESS_SOURCE_DIR "/docs/passes.md");
  ASSERT_TRUE(file.good());
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), passes_markdown()) << "renew it: compress passes --markdown > docs/passes.md";
}

}  // namespace
}  // namespace press
