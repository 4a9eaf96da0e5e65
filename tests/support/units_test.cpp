#include "press/support/units.h"

#include <gtest/gtest.h>

#include <limits>

namespace press {
namespace {

TEST(HumanBytes, HasThreeDigitsAndAUnit) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1000), "1.00 kB");
  EXPECT_EQ(human_bytes(1034567), "1.03 MB");
  EXPECT_EQ(human_bytes(999'999), "1.00 MB");
  EXPECT_EQ(human_bytes(97'410'000), "97.4 MB");
  EXPECT_EQ(human_bytes(2'147'483'648), "2.15 GB");
}

TEST(HumanCount, HasNoUnitBelowAThousand) {
  EXPECT_EQ(human_count(412), "412");
  EXPECT_EQ(human_count(40'800'000), "40.8 M");
  EXPECT_EQ(human_count(-1500), "-1.50 k");
  EXPECT_EQ(human_count(std::numeric_limits<std::int64_t>::max()), "9223372 T");
}

TEST(HumanSeconds, GrowsCoarserWithTime) {
  EXPECT_EQ(human_seconds(0.416), "0.42 s");
  EXPECT_EQ(human_seconds(12.4), "12 s");
  EXPECT_EQ(human_seconds(200), "3 min 20 s");
  EXPECT_EQ(human_seconds(7500), "2 h 5 min");
}

TEST(ParseBytes, TakesWhatPeopleWrite) {
  EXPECT_EQ(parse_bytes("1200000"), 1'200'000);
  EXPECT_EQ(parse_bytes("1.2MB"), 1'200'000);
  EXPECT_EQ(parse_bytes("1.2 MB"), 1'200'000);
  EXPECT_EQ(parse_bytes("300 kB"), 300'000);
  EXPECT_EQ(parse_bytes("1MiB"), 1 << 20);
  for (const char* wrong : {"", "MB", "1.2XB", "-1", "1e99", "nan", "1 2"})
    EXPECT_FALSE(parse_bytes(wrong)) << wrong;
}

}  // namespace
}  // namespace press
