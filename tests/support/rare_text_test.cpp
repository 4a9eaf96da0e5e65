#include "press/support/rare_text.h"

#include <gtest/gtest.h>

namespace press::test {
namespace {

TEST(RareTextTest, IsATextOrNone) {
  RareText text;
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(text.text(), "");
  text = std::string("words");
  const RareText copy = text;
  text.clear();
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(std::string_view(copy), "words");
  text = copy;
  EXPECT_EQ(text.text(), copy.text());
  text = std::string();
  EXPECT_TRUE(text.empty());
}

}  // namespace
}  // namespace press::test
