#include "onnx/name_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace press::test {
namespace {

TEST(NameTableTest, FindsWhatWasPutIn) {
  std::vector<std::string> names;
  for (int i = 0; i < 1000; ++i) names.push_back("name" + std::to_string(i));
  NameTable<int> table;
  EXPECT_EQ(table.find("name1"), nullptr);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(table.emplace(names[static_cast<std::size_t>(i)], i).second);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(*table.find(names[static_cast<std::size_t>(i)]), i);
  EXPECT_FALSE(table.contains("name1000"));
  EXPECT_FALSE(table.contains(""));
}

TEST(NameTableTest, TheFirstOfAName) {
  NameTable<int> table(2);
  table.emplace("a", 1);
  const auto [value, is_new] = table.emplace("a", 2);
  EXPECT_FALSE(is_new);
  EXPECT_EQ(*value, 1);
}

}  // namespace
}  // namespace press::test
