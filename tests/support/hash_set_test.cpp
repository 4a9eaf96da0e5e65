#include "press/support/hash_set.h"

#include <gtest/gtest.h>

namespace press::test {
namespace {

TEST(HashSetTest, HoldsEachHashOnceHoweverManyThereAre) {
  HashSet grown, made_for_them(1000);
  for (HashSet* set : {&grown, &made_for_them}) {
    for (std::uint64_t hash = 0; hash < 2000; hash += 2) EXPECT_TRUE(set->insert(hash << 20)) << hash;
    for (std::uint64_t hash = 0; hash < 2000; hash += 2) EXPECT_FALSE(set->insert(hash << 20)) << hash;
    EXPECT_TRUE(set->insert(3));
  }
}

}  // namespace
}  // namespace press::test
