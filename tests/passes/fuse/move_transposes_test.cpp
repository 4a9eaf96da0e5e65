#include "support/pass_fixture.h"

namespace press::test {
namespace {

constexpr const char* kPass = "move_transposes";

std::string model(std::string_view body, std::string_view constants = "",
                  std::string_view out = "float[A,B,C,D] y") {
  return R"(<ir_version: 8, opset_import: ["" : 13]> g (float[2,3,4,5] x, float[2,3,4,5] z) => ()" +
         std::string(out) + ")\n<int64[8] p = {0, 1, 2, 0, 0, 0, 1, 0}" +
         std::string(constants.empty() ? "" : ", ") + std::string(constants) + "> {\n" + std::string(body) +
         " }";
}

/// Operators that outputs depend on.
std::string left(const std::string& text) {
  PassRun run = run_pass(kPass, text);
  remove_dead_code(*run.after.graph);
  return operators(run.after);
}

TEST(MoveTransposes, TakesAwayThoseAroundOperatorsThatDoNotMind) {
  EXPECT_EQ(left(model(R"(
      a = Transpose <perm = [0, 2, 3, 1]> (x) b = Tanh(a) c = Pad(b, p)
      d = Transpose <perm = [0, 3, 1, 2]> (c) y = Relu(d))")),
            "Tanh Pad Relu");
}

TEST(MoveTransposes, TurnsConstantsAndAxes) {
  EXPECT_EQ(
      left(model(
          R"(
      a = Transpose <perm = [0, 2, 3, 1]> (x) b = Add(a, s) c = PRelu(b, t)
      e, f = Split <axis = -1> (c, parts) h = Concat <axis = 3> (f, e, one)
      i = Slice(h, starts, ends, axes)
      d = Transpose <perm = [0, 3, 1, 2]> (i) y = Relu(d))",
          R"(float[3] s = {1.0, 2.0, 3.0}, float[5,1] t = {0.1, 0.2, 0.3, 0.4, 0.5}, int64[2] parts = {2, 1},
      float[2,4,5,1] one = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0,
        18.0, 19.0, 20.0, 21.0, 22.0, 23.0, 24.0, 25.0, 26.0, 27.0, 28.0, 29.0, 30.0, 31.0, 32.0, 33.0, 34.0, 35.0, 36.0,
        37.0, 38.0, 39.0, 40.0},
      int64[2] starts = {1, 0}, int64[2] ends = {3, 2}, int64[2] axes = {-1, 1})")),
      "Add PRelu Split Concat Slice Relu");
}

TEST(MoveTransposes, TakesOneForTwoOperands) {
  EXPECT_EQ(left(model(R"(
      a = Transpose <perm = [0, 2, 3, 1]> (x) b = Transpose <perm = [0, 2, 3, 1]> (z) y = Add(a, b))")),
            "Add Transpose");
}

TEST(MoveTransposes, KeepsWhatOthersSee) {
  // The value between has another user, and is an output itself.
  const std::string text = model(R"(
      a = Transpose <perm = [0, 2, 3, 1]> (x) b = Transpose <perm = [0, 2, 3, 1]> (z) t = Add(a, b)
      u = Transpose <perm = [0, 3, 1, 2]> (t) v = Relu(u)  y = Neg(t))",
                                 "", "float[A,B,C,D] y, float[E,F,G,H] t, float[I,J,K,L] v");
  EXPECT_EQ(left(text), "Add Transpose Relu Neg Transpose");
}

TEST(MoveTransposes, JoinsStepsThatDoNotUndoEachOther) {
  EXPECT_EQ(left(model(R"(
      a = Transpose <perm = [1, 0, 2, 3]> (x) b = Transpose <perm = [0, 2, 3, 1]> (a) c = Tanh(b)
      d = Transpose <perm = [0, 3, 1, 2]> (c) e = Transpose <perm = [3, 2, 1, 0]> (c) y = Relu(d) w = Neg(e))",
                       "", "float[A,B,C,D] y, float[E,F,G,H] w")),
            "Transpose Tanh Transpose Relu Neg");
}

TEST(MoveTransposes, LeavesWhatWouldNotSaveOne) {
  for (const char* body : {
           "a = Transpose <perm = [0, 2, 3, 1]> (x) y = Tanh(a)",
           "a = Transpose <perm = [0, 2, 3, 1]> (x) b = Softmax(a) y = Transpose <perm = [0, 3, 1, 2]> (b)",
       }) {
    expect_declines(kPass, model(body), std::nullopt);
  }
}

TEST(MoveTransposes, LeavesOperandsOfOtherRanks) {
  expect_declines(
      kPass,
      R"(<ir_version: 8, opset_import: ["" : 13]> g (float[2,3,4,5] x, float[3] z) => (float[A,B,C,D] y) {
      a = Transpose <perm = [0, 2, 3, 1]> (x) b = Add(a, z) y = Transpose <perm = [0, 3, 1, 2]> (b) })",
      std::nullopt);
}

TEST(MoveTransposes, LeavesARegionThatIsLeftAndEnteredAgain) {
  expect_declines(kPass,
                  R"(<ir_version: 8, opset_import: ["" : 13]> g (float[3,3] x) => (float[A,B] y) {
      a = Transpose <perm = [1, 0]> (x) b = Tanh(a) c = Transpose <perm = [1, 0]> (b) d = Add(b, c)
      y = Transpose <perm = [1, 0]> (d) })",
                  std::nullopt);
}

}  // namespace
}  // namespace press::test
