// Which nodes a user selected: regular expressions on the names that stood in the file.
#pragma once

#include <regex>
#include <string_view>
#include <vector>

#include "press/ir/graph.h"
#include "press/passes/options.h"

namespace press {

/// What a node is selected and reported by: its name, or its first output's where it has none.
std::string_view selection_name(const Node& node);

/// A NodeSelection, compiled once.
class NodeMatcher {
 public:
  /// Errors (kUsage): an expression that is none (the message quotes it) or longer than 1000 bytes.
  static Result<NodeMatcher> compile(const NodeSelection& selection);

  /// True where `operators` is empty or holds the node's type, `include` is empty or one of it is found in
  /// the node's selection_name(), and none of `exclude` is. Only the first 1000 bytes of a name are searched.
  bool matches(const Node& node) const;

  /// True where `operators` names the type.
  bool names_type(std::string_view type) const;

 private:
  NodeMatcher() = default;
  std::vector<std::regex> include_;
  std::vector<std::regex> exclude_;
  std::vector<std::string> operators_;
};

}  // namespace press
