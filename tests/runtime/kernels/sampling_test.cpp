#include <gtest/gtest.h>

#include "runtime/session_support.h"

namespace press {
namespace {

TEST(GridSample, LinearReadsBetweenElementsAndZerosOutside) {
  const auto outputs =
      run_operators(22,
                    R"((float[1,1,2,2] x, float[1,1,2,2] grid) => (y) {
                                       y = GridSample<mode = "linear">(x, grid) })",
                    {floats({1, 1, 2, 2}, {1, 2, 3, 4}), floats({1, 1, 2, 2}, {0, 0, 1, -0.5F})});
  expect_floats(outputs.at(0), {1, 1, 1, 2}, {2.5F, 1});
}

TEST(GridSample, CubicMirrorsAtTheCorners) {
  const auto outputs =
      run_operators(22,
                    R"((float[1,1,3,3] x, float[1,2,2,2] grid) => (y) {
                      y = GridSample<mode = "cubic", padding_mode = "reflection", align_corners = 1>(x, grid) })",
                    {counted({1, 1, 3, 3}), floats({1, 2, 2, 2}, {0.25F, 0.5F, -1.5F, 0, 1, 1, 0, -1.2F})});
  expect_floats(outputs.at(0), {1, 1, 2, 2}, {6.4296875F, 3.3125F, 8, 1.1680027F});
}

TEST(AffineGrid, PlacesEveryElementOfTheImage) {
  const auto outputs = run_operators(20,
                                     R"((float[1,2,3] theta, int64[4] size) => (y) {
                                       y = AffineGrid<align_corners = 1>(theta, size) })",
                                     {floats({1, 2, 3}, {1, 0, 0.5F, 0, 2, 0}), int64s({4}, {1, 1, 2, 2})});
  expect_floats(outputs.at(0), {1, 2, 2, 2}, {-0.5F, -2, 1.5F, -2, -0.5F, 2, 1.5F, 2});
}

TEST(RoiAlign, AveragesSamplesOfEachBin) {
  const auto outputs =
      run_operators(16,
                    R"((float[1,1,4,4] x, float[1,4] rois, int64[1] batch) => (y) {
                                       y = RoiAlign<output_height = 2, output_width = 2, sampling_ratio = 2>(x, rois, batch) })",
                    {counted({1, 1, 4, 4}), floats({1, 4}, {0.5F, 0.5F, 3, 3}), int64s({1}, {0})});
  expect_floats(outputs.at(0), {1, 1, 2, 2}, {3.125F, 4.375F, 8.125F, 9.375F});
}

}  // namespace
}  // namespace press
