#include "press/pipeline/interface.h"

#include <gtest/gtest.h>

#include "press/onnx/model_io.h"
#include "press/onnx/text.h"

namespace press {
namespace {

Model open_model() {
  auto model = parse_model_text(R"(<ir_version: 8, opset_import: ["" : 13]>
      net (float[N,3,H,W] x, float[3] w = {1.0, 2.0, 3.0}) => (float[N,3,H,W] y, float[P] z) <float one = {1.0}> {
        a = Add(x, one)
        y = Relu(a)
        s = Shape(x)
        z = Cast <to = 1> (s)
      })");
  EXPECT_TRUE(model.ok()) << model.error().message();
  return std::move(model).value();
}

std::string type_of_output(const Model& model, std::size_t index) {
  return to_string(model.graph->outputs()[index].type);
}

TEST(Interface, FixesADimWhereverItsNameStands) {
  Model model = open_model();
  ASSERT_TRUE(change_interface(model, {.dims = {{"N", 2}}}).ok());
  EXPECT_EQ(to_string(model.graph->inputs()[0]->type()), "float32[2,3,H,W]");
  EXPECT_EQ(type_of_output(model, 0), "float32[2,3,H,W]");
}

TEST(Interface, FixesAllExtentsOfAnInputAndCompletesOutputs) {
  Model model = open_model();
  ASSERT_TRUE(change_interface(model, {.input_shapes = {{"", {1, 3, 8, 6}}}}).ok());
  EXPECT_EQ(type_of_output(model, 0), "float32[1,3,8,6]");
  EXPECT_EQ(type_of_output(model, 1), "float32[4]");
}

TEST(Interface, RefusesWhatTheModelDoesNotHave) {
  const auto error = [](const InterfaceOptions& options) {
    Model model = open_model();
    const Status status = change_interface(model, options);
    return status.ok() ? std::string() : status.error().message();
  };
  EXPECT_NE(error({.dims = {{"M", 2}}}).find("no input has a dim named 'M'; there are N, H, W"),
            std::string::npos);
  EXPECT_NE(error({.dims = {{"N", 2}}, .input_shapes = {{"x", {1, 3, 8, 6}}}}).find("would be 2 and 1"),
            std::string::npos);
  EXPECT_NE(error({.input_shapes = {{"x", {1, 4, 8, 6}}}}).find("is 3 in the file"), std::string::npos);
  EXPECT_NE(error({.input_shapes = {{"x", {1, 3}}}}).find("has 4 axes"), std::string::npos);
  EXPECT_NE(error({.input_shapes = {{"y", {1, 3}}}}).find("no input 'y'"), std::string::npos);
}

TEST(Interface, FreezesInitializersThatCallersMayOverride) {
  const std::string path = testing::TempDir() + "/overridable.onnx";
  ASSERT_TRUE(save_model(open_model(), path, {.overwrite = true}).ok());
  const auto model = load_model(path, {.freeze_initializers = true});
  ASSERT_TRUE(model.ok()) << model.error().message();
  ASSERT_EQ(model->graph->inputs().size(), 1U);
  EXPECT_EQ(model->graph->inputs()[0]->name(), "x");
  EXPECT_EQ(model->graph->constants().size(), 2U);
  const std::string frozen = testing::TempDir() + "/frozen.onnx";
  ASSERT_TRUE(save_model(*model, frozen, {.overwrite = true}).ok());
  EXPECT_EQ(load_model(frozen)->graph->inputs().size(), 1U);
}

TEST(Interface, ReadsItsNotations) {
  EXPECT_EQ(parse_fixed_dim("a=b=3").value(), std::pair(std::string("a=b"), std::int64_t{3}));
  EXPECT_EQ(parse_input_shape("in:0:1x3").value(), std::pair(std::string("in:0"), Dims{1, 3}));
  EXPECT_EQ(parse_input_shape("7,8").value(), std::pair(std::string(), Dims{7, 8}));
  for (const char* text : {"", "=1", "n", "n=", "n=0", "n=-1", "n=1.5"})
    EXPECT_FALSE(parse_fixed_dim(text).ok()) << text;
  for (const char* text : {"", "x:", "x:1,,2", "x:1,", "x:a", "x:0"})
    EXPECT_FALSE(parse_input_shape(text).ok()) << text;
}

}  // namespace
}  // namespace press
