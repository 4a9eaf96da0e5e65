#include "support/pass_fixture.h"

namespace press::test {
namespace {

TEST(SimplifyShapes, MakesTheShapeOfAFlatteningConstant) {
  const PassRun run = run_pass("simplify_shapes", R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[N,2,3] x) => (float[N,6] y) <int64 zero = {0}, int64[1] first = {0}, int64[1] rest = {-1}> {
      s = Shape(x)
      n = Gather <axis = 0> (s, zero)
      u = Unsqueeze(n, first)
      t = Concat <axis = 0> (u, rest)
      y = Reshape(x, t)
    })");
  expect_model(run.after, R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[N,2,3] x) => (float[N,6] y) <int64[2] t = {0, 6}> {
      y = Reshape(x, t)
    })");
}

TEST(SimplifyShapes, LeavesOneOpenExtentToReshape) {
  const PassRun run = run_pass("simplify_shapes", R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[N,M,3] x) => (float[P,3] y) <int64[1] three = {3}, int64[1] rest = {-1}> {
      t = Concat <axis = 0> (rest, three)
      y = Reshape(x, t)
    })");
  expect_model(run.after, R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[N,M,3] x) => (float[P,3] y) <int64[2] t = {-1, 3}> {
      y = Reshape(x, t)
    })");
}

TEST(SimplifyShapes, DoesNotGuessTwoOpenExtents) {
  expect_declines("simplify_shapes", R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[N,M] x, int64[2] t) => (float[P,Q] y) {
      y = Reshape(x, t)
    })",
                  "more than one extent", {.executable = false});
}

}  // namespace
}  // namespace press::test
