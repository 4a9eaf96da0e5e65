#include "press/pipeline/sweep_spec.h"

#include <gtest/gtest.h>

namespace press {
namespace {

SweepSpec parsed(std::string_view text) {
  auto spec = parse_sweep(text, "s.toml");
  EXPECT_TRUE(spec.ok()) << spec.error().message();
  return spec.ok() ? std::move(spec).value() : SweepSpec();
}

std::string error_of(std::string_view text) {
  const auto spec = parse_sweep(text, "s.toml");
  EXPECT_FALSE(spec.ok());
  return spec.ok() ? "" : spec.error().message();
}

TEST(Sweep, SpansEveryCombinationInTheOrderOfTheFile) {
  const SweepSpec spec = parsed(R"(models = ["a.onnx"]
[base]
fuse = true
[[grid]]
prune.method = "magnitude"
prune.sparsity = [0.3, 0.5]
prune.scope = ["local", "global"]
quantize.type = ["none", "fp16"]
)");
  ASSERT_EQ(spec.recipes.size(), 8U);
  EXPECT_EQ(spec.models, std::vector<std::string>{"a.onnx"});
  EXPECT_EQ(spec.recipes[0].label, "magnitude, sparsity 0.3, scope local");
  EXPECT_EQ(spec.recipes[1].label, "magnitude, sparsity 0.3, scope local, fp16");
  EXPECT_EQ(spec.recipes[7].label, "magnitude, sparsity 0.5, scope global, fp16");
  EXPECT_EQ(spec.recipes[7].text,
            "fuse = true\nprune.method = \"magnitude\"\nprune.scope = \"global\"\nprune.sparsity = 0.5\n"
            "quantize.type = \"fp16\"\n");
  EXPECT_EQ(spec.recipes[7].recipe.precision, Precision::kFp16);
  EXPECT_EQ(spec.recipes[7].recipe.prune_options.sparsity, 0.5);
  EXPECT_TRUE(spec.recipes[0].recipe.fuse);
}

TEST(Sweep, EqualRecipesComeOnce) {
  const SweepSpec spec = parsed(R"([[grid]]
prune.sparsity = [0.5, 0.50, 1, 1.0]
[[grid]]
prune.sparsity = 0.5
)");
  EXPECT_EQ(spec.recipes.size(), 2U);
}

TEST(Sweep, ListsOfListsAreSeveralValuesOfAListOption) {
  const SweepSpec spec = parsed("[[grid]]\nnodes.exclude = [[], [\"a\", \"b\"]]\n");
  ASSERT_EQ(spec.recipes.size(), 2U);
  EXPECT_EQ(spec.recipes[1].recipe.nodes.exclude, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(parsed("[[grid]]\nnodes.exclude = [\"a\", \"b\"]\n").recipes.size(), 1U);
}

TEST(Sweep, SamplesArePreparedAsTheBaseSays) {
  const SweepSpec spec = parsed(
      "[samples]\nimages = 'test'\nlimit = 9\n[base]\npreprocess.preset = 'cifar10'\n"
      "calibration.images = 'train'\n[[grid]]\nfuse = [false, true]\n");
  EXPECT_EQ(spec.samples.path, "test");
  EXPECT_EQ(spec.samples.limit, 9);
  EXPECT_EQ(spec.samples.preprocess.preset, "cifar10");
  ASSERT_EQ(spec.recipes.size(), 2U);
  EXPECT_EQ(spec.recipes[0].recipe.calibration.path, "train");
  EXPECT_EQ(spec.recipes[0].label, "no fuse");
  EXPECT_NE(error_of("[samples]\nimage = 'x'\n[[grid]]\nfuse = true\n").find("line 2: unknown key"),
            std::string::npos);
}

TEST(Sweep, MistakesAreReportedWithTheirLine) {
  EXPECT_NE(
      error_of("[[grid]]\nfuse = true\nprune.sparsty = [1]\n").find("line 3: unknown key 'prune.sparsty'"),
      std::string::npos);
  EXPECT_NE(error_of("[[grid]]\n\nprune.sparsity = [0.1,\n 2]\n").find("line 3"), std::string::npos);
  EXPECT_NE(error_of("[base]\nfuse = true\n").find("no [[grid]]"), std::string::npos);
  EXPECT_NE(error_of("grids = 1\n").find("unknown key 'grids'"), std::string::npos);
  EXPECT_NE(error_of("[[grid]\n").find("line 1"), std::string::npos);
  EXPECT_NE(error_of("models = 'a'\n[[grid]]\nfuse = true\n").find("list of strings"), std::string::npos);
}

}  // namespace
}  // namespace press
