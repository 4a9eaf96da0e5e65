#include "press/pipeline/target.h"

#include <gtest/gtest.h>

#include "press/passes/pass.h"

namespace press {
namespace {

TEST(Target, NamesOnlyPassesThatThereAre) {
  for (const Target& target : all_targets()) {
    EXPECT_EQ(find_target(target.name), &target);
    for (const std::string& pass : target.disabled_passes()) {
      EXPECT_NE(find_pass(pass), nullptr) << target.name << " switches off " << pass;
    }
  }
}

TEST(Target, KnowsNoOthers) {
  EXPECT_EQ(find_target("toaster"), nullptr);
}

}  // namespace
}  // namespace press
