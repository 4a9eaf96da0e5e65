#include "press/ir/extract.h"

#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>

namespace press {
namespace {

class Extractor {
 public:
  explicit Extractor(const Graph& graph) : graph_(graph), part_(std::make_unique<Graph>()) {}

  Result<std::unique_ptr<Graph>> run(std::span<const PartInput> inputs,
                                     std::span<const Value* const> outputs) {
    part_->set_name(graph_.name());
    for (const auto& [domain, version] : graph_.opsets()) part_->set_opset(domain, version);
    for (const PartInput& input : inputs) {
      copies_[input.value] = part_->add_input(input.value->name(), input.type);
    }
    PRESS_TRY(find_needed(outputs));
    for (const Node* node : graph_.nodes()) {
      if (needed_.contains(node)) copy(*node);
    }
    for (const Value* output : outputs) part_->add_output(output->name(), copy_of(output), output->type());
    return std::move(part_);
  }

 private:
  Status find_needed(std::span<const Value* const> outputs) {
    std::vector<const Value*> open(outputs.begin(), outputs.end());
    while (!open.empty()) {
      const Value* value = open.back();
      open.pop_back();
      if (value == nullptr || value->is_constant() || copies_.contains(value)) continue;
      if (value->producer() == nullptr) {
        return Error(
            ErrorCode::kInternal,
            fmt::format("a part of the network needs '{}', which is not among its inputs", value->name()));
      }
      if (!needed_.insert(value->producer()).second) continue;
      if (!value->producer()->subgraphs().empty()) {
        return Error(ErrorCode::kInternal, fmt::format("node {} has subgraphs", value->producer()->label()));
      }
      for (const Value* input : value->producer()->inputs()) open.push_back(input);
    }
    return {};
  }

  Value* copy_of(const Value* value) {
    if (value == nullptr) return nullptr;
    if (const auto found = copies_.find(value); found != copies_.end()) return found->second;
    Value* copy = part_->add_constant(*value->constant(), value->name());
    copies_.emplace(value, copy);
    return copy;
  }

  void copy(const Node& node) {
    NodeSpec spec{.op_type = node.op_type(),
                  .outputs = {},
                  .attributes = node.attributes(),
                  .name = node.name(),
                  .domain = node.domain()};
    for (const Value* input : node.inputs()) spec.inputs.push_back(copy_of(input));
    for (const Value* output : node.outputs()) {
      spec.outputs.emplace_back(output != nullptr ? std::string_view(output->name()) : kOmittedOutput);
    }
    const Node* made = part_->add_node(std::move(spec));
    for (std::size_t i = 0; i < node.output_count(); ++i) {
      if (node.output(i) == nullptr) continue;
      made->output(i)->set_type(node.output(i)->type());
      copies_.emplace(node.output(i), made->output(i));
    }
  }

  const Graph& graph_;
  std::unique_ptr<Graph> part_;
  std::unordered_set<const Node*> needed_;
  std::unordered_map<const Value*, Value*> copies_;
};

}  // namespace

Result<std::unique_ptr<Graph>> extract(const Graph& graph, std::span<const PartInput> inputs,
                                       std::span<const Value* const> outputs) {
  return Extractor(graph).run(inputs, outputs);
}

}  // namespace press
