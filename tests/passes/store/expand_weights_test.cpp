#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr std::string_view kPass = "expand_weights";

TEST(ExpandWeights, ComputesCallsOfTheStoreDomain) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17, "compress.store" : 1]>
    agraph (float[2] x) => (float[2] y) <float[2] a = {1, 2}> {
      w = compress.store.Twice(a)
      y = Add(x, w)
    }
    <domain: "compress.store", opset_import: ["" : 17]>
    Twice (v) => (t) { t = Add(v, v) })");
  EXPECT_EQ(run.outcome.rewrites, 1U);
  expect_model(run.after, R"(
    <ir_version: 8, opset_import: ["" : 17, "compress.store" : 1]>
    agraph (float[2] x) => (float[2] y) <float[2] w = {2, 4}> { y = Add(x, w) })");
}

TEST(ExpandWeights, LeavesOtherFunctionsAlone) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
    agraph (float[2] x) => (float[2] y) <float[2] a = {1, 2}> {
      w = local.Twice(a)
      y = Add(x, w)
    }
    <domain: "local", opset_import: ["" : 17]>
    Twice (v) => (t) { t = Add(v, v) })");
  EXPECT_EQ(run.outcome.rewrites, 0U);
}

TEST(ExpandWeights, DeclinesWhatDependsOnAnInput) {
  const PassRun run = run_pass(kPass, R"(
    <ir_version: 8, opset_import: ["" : 17, "compress.store" : 1]>
    agraph (float[2] x) => (float[2] y) { y = compress.store.Twice(x) }
    <domain: "compress.store", opset_import: ["" : 17]>
    Twice (v) => (t) { t = Add(v, v) })");
  EXPECT_EQ(run.outcome.rewrites, 0U);
  EXPECT_EQ(run.outcome.declined.size(), 1U);
}

}  // namespace
}  // namespace press::test
