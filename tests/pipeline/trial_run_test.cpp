#include "pipeline/trial_run.h"

#include <gtest/gtest.h>

#include "pipeline/small_network.h"

namespace press {
namespace {

using test::parsed;

Model scaled(const std::string& factor) {
  return parsed(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,2] x) => (float[N,2] y) <float factor = {)" +
                factor + R"(}> { y = Mul(x, factor) })");
}

std::optional<Batch> sample() {
  return Batch{
      .inputs = {Tensor::of({1, 2}, std::vector<float>{1e30F, -1})}, .labels = {}, .names = {"a.png"}};
}

TEST(TrialRun, TakesAChangeThatRuns) {
  EXPECT_TRUE(TrialRun(scaled("2"), sample()).check(scaled("3")).ok());
  EXPECT_TRUE(TrialRun(scaled("2"), std::nullopt).check(scaled("1e30")).ok());  // zeros
}

TEST(TrialRun, NamesTheSampleThatOverflows) {
  const Status status = TrialRun(scaled("2"), sample()).check(scaled("1e30"));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(status.error().message().find("NaN or infinity for 'a.png'"), std::string::npos)
      << status.error().message();
}

TEST(TrialRun, AsksNoMoreThanTheOriginalGives) {
  EXPECT_TRUE(TrialRun(scaled("1e30"), sample()).check(scaled("1e30")).ok());
}

TEST(TrialRun, RefusesWhatRunsNoMore) {
  const Model broken = parsed(R"(<ir_version: 8, opset_import: ["" : 17, "acme" : 1]>
    g (float[N,2] x) => (float[N,2] y) { y = acme.Mystery(x) })");
  EXPECT_FALSE(TrialRun(scaled("2"), sample()).check(broken).ok());
  EXPECT_TRUE(TrialRun(broken, sample()).check(broken).ok()) << "it did not run before";
}

}  // namespace
}  // namespace press
