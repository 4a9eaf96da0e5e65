#include <gtest/gtest.h>

#include "runtime/session_support.h"

namespace press {
namespace {

TEST(Resize, AntialiasCountsWhatLiesOutsideAsTheEdge) {
  // ONNX's test_resize_downsample_scales_linear_antialias.
  const Model model = parsed(R"(<ir_version: 8, opset_import: ["" : 18]>
    g (float[1,1,4,4] x, float[4] scales) => (float[A,B,C,D] y) {
      y = Resize<mode = "linear", antialias = 1>(x, , scales)
    })");
  std::vector<float> values(16);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + 1);
  const std::vector<Tensor> outputs =
      run_graph(*model.graph, {floats({1, 1, 4, 4}, values), floats({4}, {1, 1, 0.6F, 0.6F})});
  ASSERT_EQ(outputs.size(), 1U);
  EXPECT_EQ(outputs[0].dims(), (Dims{1, 1, 2, 2}));
  const std::vector<float> expected = {2.875F, 4.5F, 9.375F, 11.0F};
  EXPECT_LT(relative_difference(outputs[0].data<float>(), expected), 1e-6);
}

}  // namespace
}  // namespace press
