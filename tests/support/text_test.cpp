#include "press/support/text.h"

#include <gtest/gtest.h>

namespace press {
namespace {

TEST(Quoted, KeepsPrintableNames) {
  EXPECT_EQ(quoted("conv1/weight:0"), "'conv1/weight:0'");
  EXPECT_EQ(quoted("größe_畳み込み"), "'größe_畳み込み'");
  EXPECT_EQ(quoted(""), "''");
}

TEST(Quoted, EscapesWhatIsNotPrintable) {
  EXPECT_EQ(quoted("a\nb\x01\x7f"), "'a\\nb\\x01\\x7f'");
  EXPECT_EQ(quoted("it's \\"), "'it\\'s \\\\'");
  EXPECT_EQ(quoted("\xff\xc3"), "'\\xff\\xc3'");
  EXPECT_EQ(quoted("\xed\xa0\x80"), "'\\xed\\xa0\\x80'") << "a surrogate";
  EXPECT_EQ(quoted("\xc0\xaf"), "'\\xc0\\xaf'") << "an overlong form";
  EXPECT_EQ(quoted("\xe2\x80\xae"), "'\\xe2\\x80\\xae'") << "a change of direction";
}

TEST(Quoted, CutsLongNamesBetweenCharacters) {
  EXPECT_EQ(quoted(std::string(80, 'a')), "'" + std::string(80, 'a') + "'");
  EXPECT_EQ(quoted(std::string(81, 'a')), "'" + std::string(80, 'a') + "…'");
  EXPECT_EQ(quoted("aäb", 2), "'a…'");
}

}  // namespace
}  // namespace press
