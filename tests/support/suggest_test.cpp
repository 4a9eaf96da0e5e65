#include "press/support/suggest.h"

#include <gtest/gtest.h>

#include <vector>

namespace press {
namespace {

const std::vector<std::string_view> kVerbs{"inspect", "optimize", "quantize", "prune"};

TEST(NearestName, FindsTheFewestEdits) {
  EXPECT_EQ(nearest_name("optimise", kVerbs), "optimize");
  EXPECT_EQ(nearest_name("purne", kVerbs), "prune");  // neighbours that changed places are one edit
  EXPECT_EQ(nearest_name("inspct", kVerbs), "inspect");
}

TEST(NearestName, GivesNothingWhereNothingIsNear) {
  EXPECT_EQ(nearest_name("banana", kVerbs), "");
  EXPECT_EQ(nearest_name("", kVerbs), "");
  EXPECT_EQ(nearest_name("prune", {}), "");
}

TEST(DidYouMean, IsPartOfASentence) {
  EXPECT_EQ(did_you_mean("quantise", kVerbs), "; did you mean 'quantize'?");
  EXPECT_EQ(did_you_mean("banana", kVerbs), "");
}

}  // namespace
}  // namespace press
