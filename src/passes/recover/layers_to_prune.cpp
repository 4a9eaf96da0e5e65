#include "passes/selection.h"
#include "press/ops/linear_layer.h"
#include "press/passes/recover.h"

namespace press {

Result<std::vector<Node*>> layers_to_prune(const Model& model, const NodeSelection& nodes) {
  PRESS_ASSIGN(const NodeMatcher selected, NodeMatcher::compile(nodes));
  std::vector<Node*> layers;
  for (Node* node : model.graph->nodes()) {
    const std::optional<LinearLayer> layer = linear_layer(*node);
    if (layer.has_value() && selected.matches(*node) && node->input(layer->weight_input)->has_one_use()) {
      layers.push_back(node);
    }
  }
  return layers;
}

}  // namespace press
