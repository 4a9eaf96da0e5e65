#include "pipeline/node_story.h"

#include <fmt/format.h>

#include <algorithm>

#include "press/support/suggest.h"
#include "press/support/text.h"

namespace press {
namespace {

std::string_view name_of(const Node& node) {
  if (!node.name().empty() || node.output() == nullptr) return node.name();
  return node.output()->name();
}

Node* find(const Graph& graph, std::string_view name) {
  Node* found = nullptr;
  for_each_node(graph, [&](Node* node) {
    const bool is_it = node->name() == name || (node->output() != nullptr && node->output()->name() == name);
    if (found == nullptr && is_it) found = node;
  });
  return found;
}

/// The node's line of the graph's text.
std::string text_of(const Node& node) {
  const Graph* graph = node.graph();
  while (graph->outer() != nullptr) graph = graph->outer();
  const std::string text = to_text(*graph);
  const std::string head = (node.output() != nullptr ? node.output()->name() : "_");
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = std::string_view(text).substr(begin, end - begin);
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    if (line.starts_with(head) &&
        (line.substr(head.size()).starts_with(" = ") || line.substr(head.size()).starts_with(", "))) {
      return std::string(line);
    }
    begin = end + 1;
  }
  return node.label();
}

std::string described(const Value& value) {
  if (value.is_constant()) return fmt::format("the constant {}", quoted(value.name()));
  if (value.is_graph_input()) return fmt::format("the input {}", quoted(value.name()));
  return fmt::format("made by {}", value.producer()->label());
}

}  // namespace

Result<NodeStory> NodeStory::begin(const Graph& graph, const std::string& node) {
  const Node* found = find(graph, node);
  if (found == nullptr) {
    std::vector<std::string_view> names;
    for_each_node(graph, [&](const Node* one) { names.push_back(name_of(*one)); });
    return Error(ErrorCode::kUsage,
                 fmt::format("the model has no node {}{}", quoted(node), did_you_mean(node, names)));
  }
  NodeStory story(node);
  story.look(*found);
  story.tell(fmt::format("in the file: {}", story.text_));
  return story;
}

void NodeStory::look(const Node& node) {
  label_ = node.label();
  text_ = text_of(node);
  reader_.reset();
  const Value* output = node.output();
  if (output == nullptr || output->uses().empty()) return;
  const Use& use = output->uses().front();
  reader_ = use.node == nullptr ? Reader{"", use.index} : Reader{std::string(name_of(*use.node)), use.index};
}

void NodeStory::after(const PassInfo& pass, const PassOutcome& outcome, const Graph& graph) {
  if (text_.empty()) return;
  for (const Declined& declined : outcome.declined) {
    if (declined.node == label_) tell(fmt::format("{} declined: {}", pass.name, declined.reason));
  }
  if (outcome.rewrites == 0) return;
  const Node* node = find(graph, name_);
  if (node == nullptr) {
    tell(fmt::format("{} removed it; {}", pass.name, what_readers_get(graph)));
    text_.clear();
    return;
  }
  const std::string before = text_;
  look(*node);
  if (text_ != before) tell(fmt::format("{} made it: {}", pass.name, text_));
}

std::string NodeStory::what_readers_get(const Graph& graph) const {
  if (!reader_.has_value()) return "nobody read its result";
  if (reader_->name.empty()) {
    return reader_->index < graph.outputs().size()
               ? fmt::format("the output {} is now {}", quoted(graph.outputs()[reader_->index].name),
                             described(*graph.outputs()[reader_->index].value))
               : "its reader is gone too";
  }
  const Node* reader = find(graph, reader_->name);
  const Value* value = reader != nullptr ? reader->input(reader_->index) : nullptr;
  return value != nullptr ? fmt::format("what {} reads is now {}", reader->label(), described(*value))
                          : "its reader is gone too";
}

void NodeStory::tell(const std::string& line) {
  if (std::ranges::find(lines_, line) == lines_.end()) lines_.push_back(line);
}

std::vector<std::string> NodeStory::lines() const {
  std::vector<std::string> lines = lines_;
  if (!text_.empty() && lines.size() == 1)
    lines.push_back("no pass touched it, and none that looked at it declined");
  return lines;
}

}  // namespace press
