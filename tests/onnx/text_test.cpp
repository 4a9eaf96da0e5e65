#include "press/onnx/text.h"

#include <gtest/gtest.h>

namespace press {
namespace {

TEST(ModelText, ReadsInitializersAsConstants) {
  const Result<Model> model = parse_model_text(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1,2,3,4}, float[2] b = {0.5, -1.5}> {
      t = MatMul(x, w)
      y = Add(t, b)
    })");
  ASSERT_TRUE(model.ok()) << model.error().message();
  EXPECT_EQ(to_text(*model->graph),
            "input x: float32[N,2]\n"
            "t = MatMul(x, float32[2x2]{1,2,3,4})\n"
            "y = Add(t, float32[2]{0.5,-1.5})\n"
            "output y = y\n");
}

TEST(ModelText, SaysWhereItDoesNotUnderstand) {
  const Result<Model> model = parse_model_text("<ir_version: 8> agraph (float[N x) => () {}");
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code(), ErrorCode::kInput);
  EXPECT_EQ(model.error().message().find('\n'), std::string::npos);
}

}  // namespace
}  // namespace press
