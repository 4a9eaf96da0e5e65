#include "pipeline/counterparts.h"

namespace press {

std::unordered_map<const Node*, Node*> counterparts(const Graph& from, const Graph& to) {
  std::unordered_map<const Node*, Node*> pairs;
  auto other = to.nodes().begin();
  for (const Node* node : from.nodes()) {
    pairs.emplace(node, *other);
    ++other;
  }
  return pairs;
}

}  // namespace press
