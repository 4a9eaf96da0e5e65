#include "passes/selection.h"

#include <gtest/gtest.h>

namespace press {
namespace {

bool matches(const NodeSelection& selection, std::string name) {
  Graph graph;
  Node* node = graph.add_node({.op_type = "Relu", .inputs = {}, .outputs = {"out"}, .name = std::move(name)});
  const auto matcher = NodeMatcher::compile(selection);
  EXPECT_TRUE(matcher.ok());
  return matcher.ok() && matcher->matches(*node);
}

TEST(NodeMatcher, SelectsAllWithoutExpressions) {
  EXPECT_TRUE(matches({}, "conv"));
}

TEST(NodeMatcher, SearchesNames) {
  EXPECT_TRUE(matches({.include = {"head", "block[12]"}, .exclude = {}}, "net/block2/conv"));
  EXPECT_FALSE(matches({.include = {"head", "block[12]"}, .exclude = {}}, "net/block3/conv"));
}

TEST(NodeMatcher, LetsExcludeWin) {
  EXPECT_FALSE(matches({.include = {"block"}, .exclude = {"conv$"}}, "net/block2/conv"));
}

TEST(NodeMatcher, TakesTheOutputOfNodesWithoutName) {
  EXPECT_TRUE(matches({.include = {"^out$"}, .exclude = {}}, ""));
}

TEST(NodeMatcher, SurvivesNamesOfAnyLength) {
  EXPECT_TRUE(matches({.include = {"(a|b)*"}, .exclude = {}}, std::string(1 << 20, 'a')));
}

TEST(NodeMatcher, RejectsWhatIsNoExpression) {
  for (const std::string& expression : {std::string("["), std::string("(a"), std::string(1 << 20, '(')}) {
    const auto matcher = NodeMatcher::compile({.include = {}, .exclude = {expression}});
    ASSERT_FALSE(matcher.ok());
    EXPECT_EQ(matcher.error().code(), ErrorCode::kUsage);
  }
}

}  // namespace
}  // namespace press
