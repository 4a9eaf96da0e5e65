#include "press/pipeline/recipe.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace press {
namespace {

Recipe parsed(std::string_view text) {
  auto recipe = parse_recipe(text, "r.toml");
  EXPECT_TRUE(recipe.ok()) << recipe.error().message();
  return recipe.ok() ? *recipe : Recipe();
}

std::string error_of(std::string_view text) {
  const auto recipe = parse_recipe(text, "r.toml");
  if (recipe.ok()) return "";
  EXPECT_EQ(recipe.error().code(), ErrorCode::kUsage);
  return recipe.error().message();
}

TEST(ParseRecipe, FillsWhatItNames) {
  const Recipe recipe = parsed(R"(
fuse = true
[prune]
method = "magnitude"
sparsity = 1
scope = "local"
exclude = ["^fc"]
[quantize]
type = "int8"
observer = "percentile"
percentile = 99.9
[calibration]
images = "images"
limit = 50
[preprocess]
preset = "imagenet"
resize = 128
crop = "96x64"
mean = [1, 2.5, 3]
channels = "bgr"
[passes]
disable = "fold_constants"
)");
  EXPECT_TRUE(recipe.fuse);
  EXPECT_TRUE(recipe.prune);
  EXPECT_EQ(recipe.prune_options.sparsity, 1.0);
  EXPECT_EQ(recipe.prune_options.scope, PruneScope::kLocal);
  EXPECT_EQ(recipe.prune_options.nodes.exclude, std::vector<std::string>{"^fc"});
  EXPECT_EQ(recipe.precision, Precision::kInt8);
  EXPECT_EQ(recipe.quantize_options.observer, Observer::kPercentile);
  EXPECT_EQ(recipe.quantize_options.percentile, 99.9);
  EXPECT_EQ(recipe.calibration.path, "images");
  EXPECT_EQ(recipe.calibration.limit, 50);
  EXPECT_EQ(recipe.disabled_passes, std::vector<std::string>{"fold_constants"});

  const auto steps = resolve(recipe.calibration.preprocess);
  ASSERT_TRUE(steps.ok());
  EXPECT_EQ(std::get<ShorterSide>(steps->resize).pixels, 128);
  EXPECT_EQ(steps->crop, (ImageSize{96, 64}));
  EXPECT_EQ(steps->mean, (std::vector<double>{1, 2.5, 3}));
  EXPECT_EQ(steps->std, (std::vector<double>{0.225, 0.224, 0.229}));  // the preset's, moved with the colours
  EXPECT_EQ(steps->order, ChannelOrder::kBgr);
}

TEST(ParseRecipe, EmptyOneAsksForNothing) {
  EXPECT_TRUE(parsed("").asks_for_nothing());
}

TEST(ParseRecipe, UnknownKeyNamesLineAndNearestKey) {
  EXPECT_EQ(error_of("fuse = true\n[prune]\nsparsty = 0.5\n"),
            "recipe 'r.toml', line 3: unknown key 'prune.sparsty'; did you mean 'prune.sparsity'?");
  EXPECT_EQ(error_of("[qantize]\ntype = 'int8'\n"),
            "recipe 'r.toml', line 1: unknown key 'qantize'; did you mean 'quantize'?");
  EXPECT_EQ(error_of("banana = 1\n"), "recipe 'r.toml', line 1: unknown key 'banana'");
}

TEST(ParseRecipe, WrongTypeSaysWhatIsExpected) {
  EXPECT_EQ(error_of("fuse = 'yes'\n"),
            "recipe 'r.toml', line 1: 'fuse' must be true or false, but is of type string");
  EXPECT_EQ(error_of("[calibration]\nlimit = 1.5\n"),
            "recipe 'r.toml', line 2: 'calibration.limit' must be an integer, but is of type floating-point");
  EXPECT_EQ(error_of("[preprocess]\nmean = ['a']\n"),
            "recipe 'r.toml', line 2: 'preprocess.mean' must be a list of numbers, but is of type array");
}

TEST(ParseRecipe, ValueOutOfRangeSaysWhatIsAllowed) {
  EXPECT_EQ(error_of("[prune]\nsparsity = 1.5\n"),
            "recipe 'r.toml', line 2: 'prune.sparsity': 1.5 is not between 0 and 1");
  EXPECT_EQ(error_of("[prune]\nscope = 'globl'\n"),
            "recipe 'r.toml', line 2: 'prune.scope': 'globl' is none of global, local, erk; did you mean "
            "'global'?");
  EXPECT_NE(error_of("[preprocess]\nresize = '12by8'\n").find("'12by8' is no size"), std::string::npos);
  EXPECT_NE(error_of("[preprocess]\npreset = 'imagnet'\n"), "");
}

TEST(ParseRecipe, ReadsTheFormsOfQuantization) {
  const auto recipe = parse_recipe(
      "[quantize]\ntype = 'int16x8'\nactivations = 'signed'\nformat = 'qlinear'\nblock-size = 32\n"
      "operators = ['Conv']\nrequantize = true\nkeep-ends = true\nmax-drop = 0.5\nmin-agreement = 99\n",
      "r.toml");
  ASSERT_TRUE(recipe.ok()) << recipe.error().message();
  EXPECT_EQ(recipe->precision, Precision::kInt8);
  EXPECT_EQ(recipe->quantize_options.activation_type(), DataType::kInt16);
  EXPECT_TRUE(recipe->qlinear);
  EXPECT_TRUE(recipe->requantize);
  EXPECT_TRUE(recipe->keep_ends);
  EXPECT_EQ(recipe->quantize_options.block_size, 32);
  EXPECT_EQ(recipe->quantize_options.nodes.operators, std::vector<std::string>{"Conv"});
  EXPECT_EQ(recipe->goal.max_drop, 0.5);
  EXPECT_EQ(recipe->goal.min_agreement, 99);
  EXPECT_NE(error_of("[quantize]\nblock-size = 48\n").find("48 is no power of 2"), std::string::npos);
}

TEST(ParseRecipe, BrokenTomlNamesTheLine) {
  EXPECT_TRUE(error_of("fuse = true\nfuse = = 1\n").starts_with("recipe 'r.toml', line 2: "));
}

TEST(LoadRecipe, MissingFileIsAnInputError) {
  const auto recipe = load_recipe("/nonexistent/recipe.toml");
  ASSERT_FALSE(recipe.ok());
  EXPECT_EQ(recipe.error().code(), ErrorCode::kInput);
}

TEST(LoadRecipe, TheExampleIsValidAndNamesEveryKey) {
  const std::string path = PRESS_SOURCE_DIR "/tools/recipes/int8.toml";
  const auto recipe = load_recipe(path);
  ASSERT_TRUE(recipe.ok()) << recipe.error().message();
  EXPECT_EQ(recipe->precision, Precision::kInt8);
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  for (const RecipeOption& option : recipe_options()) {
    const std::size_t dot = option.key.find('.');
    const std::string name(dot == std::string_view::npos ? option.key : option.key.substr(dot + 1));
    EXPECT_NE(text.find(name + " = "), std::string::npos) << option.key;
  }
}

}  // namespace
}  // namespace press
