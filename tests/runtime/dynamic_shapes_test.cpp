// One session on inputs of changing batch and spatial sizes gives what a session of their own gives.
#include <gtest/gtest.h>

#include "runtime/session_support.h"

namespace press {
namespace {

TEST(DynamicShapes, ASessionPlansAnewWhenTheyChange) {
  const Model model = parsed(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,3,H,W] x, float[4,3,3,3] w, float[4,1,3,3] d, float[6,4] f) => (float[N,4,A,B] y, float[N,6] z)
      <float[4] scales = {1.0, 1.0, 2.0, 2.0}, int64[2] flat = {0, -1}> {
      c = Conv<pads = [1,1,1,1], strides = [2,2]>(x, w)
      r = Relu(c)
      e = Conv<group = 4, pads = [1,1,1,1]>(r, d)
      s = Add(r, e)
      y = Resize<mode = "linear">(s, , scales)
      g1 = GlobalAveragePool(s)
      g2 = Reshape(g1, flat)
      z = Gemm<transB = 1>(g2, f)
    })");
  const Tensor w = noise({4, 3, 3, 3}, 2), d = noise({4, 1, 3, 3}, 3), f = noise({6, 4}, 4);
  for (const bool reference : {false, true}) {
    SessionOptions options;
    options.reference = reference;
    Result<Session> session = Session::create(*model.graph, options);
    ASSERT_TRUE(session.ok());
    for (const Dims& dims :
         {Dims{1, 3, 8, 8}, Dims{2, 3, 8, 8}, Dims{2, 3, 13, 5}, Dims{1, 3, 8, 8}, Dims{3, 3, 1, 20}}) {
      const std::vector<Tensor> inputs = {noise(dims, 5), w, d, f};
      const auto outputs = session->run(inputs);
      ASSERT_TRUE(outputs.ok()) << outputs.error().message();
      const std::vector<Tensor> fresh = run_graph(*model.graph, inputs, options);
      ASSERT_EQ(fresh.size(), 2U);
      EXPECT_EQ((*outputs)[0], fresh[0]) << to_string(dims);
      EXPECT_EQ((*outputs)[1], fresh[1]) << to_string(dims);
      EXPECT_EQ((*outputs)[0].dims()[2], (dims[2] + 1) / 2 * 2);
    }
  }
}

}  // namespace
}  // namespace press
