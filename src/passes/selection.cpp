#include "passes/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace press {
namespace {

// std::regex recurses once a character; a name or an expression of a megabyte would overflow the stack.
constexpr std::size_t kSearchedLength = 1000;
constexpr std::size_t kExpressionLength = 1000;

Status compile_all(const std::vector<std::string>& expressions, std::vector<std::regex>& compiled) {
  for (const std::string& expression : expressions) {
    if (expression.size() > kExpressionLength) {
      return Error(ErrorCode::kUsage, fmt::format("a regular expression of {} bytes; at most {} are allowed",
                                                  expression.size(), kExpressionLength));
    }
    try {
      compiled.emplace_back(expression, std::regex::ECMAScript | std::regex::optimize);
    } catch (const std::regex_error& error) {
      return Error(ErrorCode::kUsage,
                   fmt::format("'{}' is no regular expression: {}", expression, error.what()));
    }
  }
  return {};
}

bool any_found(const std::vector<std::regex>& expressions, std::string_view name) {
  return std::ranges::any_of(expressions, [&](const std::regex& expression) {
    return std::regex_search(name.begin(), name.end(), expression);
  });
}

}  // namespace

std::string_view selection_name(const Node& node) {
  if (!node.name().empty()) return node.name();
  for (const Value* output : node.outputs()) {
    if (output != nullptr) return output->name();
  }
  return {};
}

Result<NodeMatcher> NodeMatcher::compile(const NodeSelection& selection) {
  NodeMatcher matcher;
  PRESS_TRY(compile_all(selection.include, matcher.include_));
  PRESS_TRY(compile_all(selection.exclude, matcher.exclude_));
  matcher.operators_ = selection.operators;
  return matcher;
}

bool NodeMatcher::names_type(std::string_view type) const {
  return std::ranges::find(operators_, type) != operators_.end();
}

bool NodeMatcher::matches(const Node& node) const {
  if (!operators_.empty() && !names_type(node.op_type())) return false;
  const std::string_view name = selection_name(node).substr(0, kSearchedLength);
  return (include_.empty() || any_found(include_, name)) && !any_found(exclude_, name);
}

}  // namespace press
