// compress inspect: what a model is made of, without running it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "flags.h"
#include "model_file.h"
#include "press/pipeline/inspection.h"
#include "press/support/units.h"
#include "table.h"
#include "verb.h"

namespace press {
namespace {

constexpr std::size_t kLineWidth = 100;

std::string or_dash(std::string text) {
  return text.empty() ? "-" : std::move(text);
}

/// "title  item, item, …", wrapped and indented below the first item.
std::string wrapped(const std::string& title, const std::vector<std::string>& items) {
  constexpr std::size_t kIndent = 14;
  std::string text;
  std::string line = fmt::format("{:<{}}", title, kIndent);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string item = items[i] + (i + 1 < items.size() ? ", " : "");
    if (line.size() > kIndent && line.size() + item.size() > kLineWidth) {
      line.erase(line.find_last_not_of(' ') + 1);
      text += line + '\n';
      line = std::string(kIndent, ' ');
    }
    line += item;
  }
  return text + line + '\n';
}

std::string header_text(const Inspection& inspection) {
  std::vector<std::string> opsets;
  for (const auto& [domain, version] : inspection.opsets) {
    opsets.push_back(fmt::format("{} {}", domain.empty() ? "onnx" : domain, version));
  }
  const ModelHeader& header = inspection.header;
  std::string text =
      wrapped("file", {fmt::format("{} ({})", inspection.name, human_bytes(inspection.bytes))});
  text +=
      wrapped("producer",
              {or_dash(fmt::format("{}{}{}", header.producer_name, header.producer_version.empty() ? "" : " ",
                                   header.producer_version))});
  text += wrapped("version", {fmt::format("IR {}", inspection.ir_version),
                              fmt::format("opset {}", fmt::join(opsets, ", "))});
  if (header.functions > 0) text += wrapped("functions", {std::to_string(header.functions)});
  for (const auto& [key, value] : header.metadata)
    text += wrapped("metadata", {fmt::format("{} = {}", key, value)});
  for (const Inspection::Slot& slot : inspection.inputs) {
    text += wrapped("input", {fmt::format("{}: {}", slot.name, to_string(slot.type))});
  }
  for (const Inspection::Slot& slot : inspection.outputs) {
    text += wrapped("output", {fmt::format("{}: {}", slot.name, to_string(slot.type))});
  }
  return text;
}

std::string facts_text(const Inspection& inspection) {
  const ModelFacts& facts = inspection.facts;
  std::vector<std::pair<std::string, std::int64_t>> by_count(facts.operators.begin(), facts.operators.end());
  std::stable_sort(by_count.begin(), by_count.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::string> operators;
  operators.reserve(by_count.size());
  for (const auto& [type, count] : by_count) operators.push_back(fmt::format("{} {}", type, count));
  std::vector<std::string> constants;
  for (const auto& [type, share] : facts.constants) {
    constants.push_back(fmt::format("{} {} ({} in {} tensor{})", human_bytes(share.bytes), name(type),
                                    human_count(share.elements), share.tensors,
                                    share.tensors == 1 ? "" : "s"));
  }
  std::string text = wrapped("nodes", {std::to_string(facts.layers.size())});
  text += wrapped("operators", operators);
  if (!inspection.not_executable.empty()) text += wrapped("cannot run", inspection.not_executable);
  text += wrapped("constants", constants);
  text += wrapped("parameters", {human_count(facts.parameters),
                                 fmt::format("{:.1f} % of the weights are zero", 100 * facts.sparsity())});
  std::vector<std::string> macs{human_count(facts.macs) + " for one sample"};
  if (facts.layers_without_macs > 0) {
    macs.push_back(fmt::format("{} linear layers of unknown shape not counted", facts.layers_without_macs));
  }
  return text + wrapped("MACs", macs);
}

std::string layer_table(const ModelFacts& facts) {
  using enum Table::Align;
  Table table({{"name", kLeft, 32},
               {"operator", kLeft, 20},
               {"output", kLeft, 22},
               {"params", kRight},
               {"zeros %", kRight},
               {"MACs", kRight}});
  for (const LayerFacts& layer : facts.layers) {
    const std::string zeros = layer.weights == 0
                                  ? ""
                                  : fmt::format("{:.1f}", 100.0 * static_cast<double>(layer.zero_weights) /
                                                              static_cast<double>(layer.weights));
    table.add_row({layer.name, layer.op_type, layer.output.shape ? to_string(*layer.output.shape) : "?",
                   layer.parameters > 0 ? human_count(layer.parameters) : "", zeros,
                   !layer.macs        ? "?"
                   : *layer.macs == 0 ? ""
                                      : human_count(*layer.macs)});
  }
  return table.text();
}

class InspectVerb : public Verb {
 public:
  std::string_view name() const override { return "inspect"; }
  std::string_view summary() const override {
    return "operators, parameters, multiply-accumulates, sizes, types, shapes";
  }
  std::string_view description() const override {
    return "Tells what a model is made of, without running it: producer, versions, inputs and outputs, "
           "operators, stored "
           "constants by type, parameters, zeros among the weights of linear layers, and "
           "multiply-accumulates.";
  }
  std::string_view examples() const override {
    return "compress inspect model.onnx --per-layer\n"
           "compress inspect model.onnx --json - | jq .operators";
  }

  void declare(CLI::App& app) override {
    app.add_option("MODEL", input_, "the ONNX model to read; - is standard input")->required()->type_name("");
    app.add_flag("--per-layer", per_layer_, "a line for each node as well")->group(kMainGroup);
    json_.add(app, "everything as JSON, without FILE or with - to standard output");
  }

  Status run(Console& console) override {
    PRESS_TRY(json_.check());
    PRESS_ASSIGN(const NamedModel named, read_named_model(input_));
    const Inspection inspection = inspect(named.model, named.name, named.bytes);
    if (!inspection.facts.shape_note.empty()) {
      console.warn(fmt::format("shapes are not known: {}", inspection.facts.shape_note));
    }
    if (json_.wanted()) {
      PRESS_TRY(json_.write(to_json(inspection)));
    }
    if (json_.to_stdout()) return {};
    PRESS_TRY(Console::print(header_text(inspection) + facts_text(inspection)));
    if (!per_layer_) return {};
    return Console::print("\n" + layer_table(inspection.facts));
  }

 private:
  std::string input_;
  bool per_layer_ = false;
  JsonTarget json_;
};

}  // namespace

std::unique_ptr<Verb> make_inspect() {
  return std::make_unique<InspectVerb>();
}

}  // namespace press
