// What passes did to one node, for people who ask why.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "press/ir/graph.h"
#include "press/passes/pass.h"
#include "press/support/result.h"

namespace press {

/// Follows a node by its name, or that of its first output, through a run of passes.
class NodeStory {
 public:
  /// Errors: kUsage where the model has no such node, with the nearest name.
  static Result<NodeStory> begin(const Graph& graph, const std::string& node);

  /// To be called after each run of a pass.
  void after(const PassInfo& pass, const PassOutcome& outcome, const Graph& graph);

  /// One sentence each: where it began, what changed it or declined to, where it ended.
  std::vector<std::string> lines() const;

 private:
  /// Who reads the node's first output, found again by name when the node is gone.
  struct Reader {
    std::string name;  // of the reading node; "" for an output of the graph
    std::size_t index = 0;
  };

  explicit NodeStory(std::string name) : name_(std::move(name)) {}
  void look(const Node& node);
  std::string what_readers_get(const Graph& graph) const;
  void tell(const std::string& line);

  std::string name_;
  std::string label_;
  std::string text_;  // as of the last look; "" once it is gone
  std::optional<Reader> reader_;
  std::vector<std::string> lines_;
};

}  // namespace press
