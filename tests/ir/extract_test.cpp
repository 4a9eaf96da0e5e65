#include "press/ir/extract.h"

#include <gtest/gtest.h>

#include "press/onnx/text.h"

namespace press {
namespace {

Model model() {
  auto parsed = parse_model_text(R"(
    <ir_version: 8, opset_import: ["" : 13]>
    g (float[N,2] x) => (float[N,2] y) <float[2] c = {1.0, 2.0}>
    { a = Relu (x)
      b = Add (a, c)
      d = Mul (a, b)
      y = Sub (d, c) })");
  EXPECT_TRUE(parsed.ok());
  return std::move(parsed).value();
}

const Value* value(const Model& model, std::string_view name) {
  for (const Value* candidate : model.graph->values()) {
    if (candidate->name() == name) return candidate;
  }
  return nullptr;
}

TEST(Extract, TakesWhatTheOutputsNeedBackToTheInputs) {
  const Model whole = model();
  const std::vector<PartInput> inputs = {
      {value(whole, "a"), {DataType::kFloat, Shape{Dim("N"), Dim(2)}, {}}}};
  const std::vector<const Value*> outputs = {value(whole, "d")};
  const auto part = extract(*whole.graph, inputs, outputs);
  ASSERT_TRUE(part.ok()) << part.error().message();
  EXPECT_TRUE(verify(**part).ok());
  EXPECT_EQ((*part)->node_count(), 2U);
  EXPECT_EQ((*part)->opset(), 13);
  EXPECT_EQ((*part)->inputs()[0]->name(), "a");
  EXPECT_EQ((*part)->outputs()[0].name, "d");
  EXPECT_EQ((*part)->constants()[0]->constant()->bytes().data(),
            value(whole, "c")->constant()->bytes().data());
}

TEST(Extract, SaysWhichInputIsMissing) {
  const Model whole = model();
  const std::vector<const Value*> outputs = {value(whole, "d")};
  const auto part = extract(*whole.graph, {}, outputs);
  ASSERT_FALSE(part.ok());
  EXPECT_NE(part.error().message().find("'x'"), std::string::npos);
}

}  // namespace
}  // namespace press
