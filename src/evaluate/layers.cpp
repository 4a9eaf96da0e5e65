#include "press/evaluate/layers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <unordered_map>

#include "press/evaluate/evaluate.h"
#include "press/evaluate/model_facts.h"
#include "press/ops/operator.h"
#include "press/runtime/session.h"

namespace press {
namespace {

constexpr std::size_t kBars = 48;
constexpr std::int64_t kLargestConstant = std::int64_t{1} << 32;

bool is_quantizer(const Node& node) {
  return node.is("QuantizeLinear") || node.is("DequantizeLinear");
}

/// Numbers gathered piece by piece, drawn as bars once their extremes are known.
class BarsMaker {
 public:
  void add(std::span<const float> values) {
    for (const float value : values) {
      if (!std::isfinite(value)) continue;
      lo_ = std::min<double>(lo_, value);
      hi_ = std::max<double>(hi_, value);
      values_.push_back(value);
    }
  }

  Bars bars() const {
    if (values_.empty()) return {};
    Bars bars{lo_, hi_, std::vector<std::int64_t>(kBars, 0)};
    const double width = (hi_ - lo_) / static_cast<double>(kBars);
    for (const float value : values_) {
      const double place = width > 0 ? (value - lo_) / width : 0;
      ++bars.counts[std::min(kBars - 1, static_cast<std::size_t>(place))];
    }
    return bars;
  }

 private:
  double lo_ = std::numeric_limits<double>::infinity();
  double hi_ = -std::numeric_limits<double>::infinity();
  std::vector<float> values_;
};

Bars bars_of(const Tensor& tensor) {
  BarsMaker maker;
  if (const auto numbers = to_floats(tensor); numbers.ok()) maker.add(*numbers);
  return maker.bars();
}

/// A value that depends on constants only, through the operators that stand between a stored weight and the
/// layer that uses it (DequantizeLinear, Cast, Reshape, …); undefined where it does not.
Tensor constant_of(const Value* value, int depth = 0) {
  constexpr int kDeepest = 8;
  if (value == nullptr || depth > kDeepest) return {};
  if (const Tensor* tensor = value->constant()) return *tensor;
  const Node* node = value->producer();
  if (node == nullptr || value->producer_index() != 0 || !node->subgraphs().empty()) return {};
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < node->input_count(); ++i) {
    Tensor input;
    if (node->input(i) != nullptr) {
      input = constant_of(node->input(i), depth + 1);
      if (!input.defined()) return {};
    }
    inputs.push_back(std::move(input));
  }
  std::vector<const Tensor*> pointers;
  pointers.reserve(inputs.size());
  for (const Tensor& input : inputs) pointers.push_back(input.defined() ? &input : nullptr);
  auto outputs = evaluate_node(*node, pointers, kLargestConstant);
  return outputs.ok() && !outputs->empty() ? std::move((*outputs)[0]) : Tensor();
}

Tensor weight_of(const Node& node) {
  const int index = traits(node).weight_input;
  return index < 0 ? Tensor() : constant_of(node.input(static_cast<std::size_t>(index)));
}

/// Bytes of the constants that a weight is computed from.
std::int64_t stored_bytes(const Value* value, int depth = 0) {
  if (value == nullptr || depth > 8) return 0;
  if (const Tensor* tensor = value->constant()) return byte_size(tensor->type(), tensor->size());
  std::int64_t bytes = 0;
  if (const Node* node = value->producer()) {
    for (const Value* input : node->inputs()) bytes += stored_bytes(input, depth + 1);
  }
  return bytes;
}

/// The values that a quantizer behind `value` can express.
std::optional<std::pair<double, double>> chosen_range(const Value& value) {
  for (const Use& use : value.uses()) {
    if (use.node == nullptr || !use.node->is("QuantizeLinear") || use.index != 0) continue;
    const Tensor scale = constant_of(use.node->input(1));
    const Tensor zero_point = constant_of(use.node->input(2));
    if (!scale.defined() || scale.size() != 1) continue;
    const auto scales = to_floats(scale);
    if (!scales.ok()) continue;
    double zero = 0, lowest = 0, highest = 255;
    if (zero_point.defined()) {
      const auto zeros = to_floats(zero_point);
      if (!zeros.ok() || zeros->empty()) continue;
      zero = (*zeros)[0];
      switch (zero_point.type()) {
        case DataType::kInt8:
          lowest = -128;
          highest = 127;
          break;
        case DataType::kInt16:
          lowest = -32768;
          highest = 32767;
          break;
        case DataType::kUint16:
          highest = 65535;
          break;
        default:
          break;
      }
    }
    const double step = (*scales)[0];
    return std::pair((lowest - zero) * step, (highest - zero) * step);
  }
  return std::nullopt;
}

/// A layer of the compressed model, and the values of the same name in the originals.
struct Pair {
  const Value* value = nullptr;
  std::vector<const Value*> originals;  // one for each original; null where it has none
  std::vector<Difference> differences;  // likewise
  BarsMaker outputs;                    // of the first original that has the value
};

using Numbers = std::unordered_map<const Value*, std::pair<Dims, std::vector<float>>>;

/// Runs one batch and keeps the watched values.
Result<Numbers> watched_values(Session& session, const Graph& graph, const Batch& batch,
                               std::span<const Value* const> watched) {
  Numbers numbers;
  auto outputs =
      session.run(adapt_inputs(graph, batch.inputs), watched, [&](const Value& value, const Tensor& tensor) {
        auto floats = to_floats(tensor);
        if (floats.ok()) numbers[&value] = {tensor.dims(), std::move(floats).value()};
      });
  if (!outputs.ok()) return std::move(outputs).error();
  return numbers;
}

std::vector<Pair> pairs_of(std::span<const Graph* const> originals, const Graph& compressed) {
  std::vector<std::map<std::string, const Value*>> by_name(originals.size());
  for (std::size_t o = 0; o < originals.size(); ++o) {
    for (const Node* node : originals[o]->nodes()) {
      for (const Value* output : node->outputs()) {
        if (output != nullptr) by_name[o][output->name()] = output;
      }
    }
  }
  std::vector<Pair> pairs;
  for (const Node* node : compressed.nodes()) {
    const Value* output = node->output();
    if (output == nullptr || is_quantizer(*node) || constant_of(output).defined()) continue;
    Pair pair{.value = output, .originals = {}, .differences = {}, .outputs = {}};
    bool found = false;
    for (std::size_t o = 0; o < originals.size(); ++o) {
      const auto original = by_name[o].find(output->name());
      pair.originals.push_back(original == by_name[o].end() ? nullptr : original->second);
      found = found || pair.originals.back() != nullptr;
    }
    pair.differences.resize(originals.size());
    if (found) pairs.push_back(std::move(pair));
  }
  return pairs;
}

const Difference* nearest(const Pair& pair) {
  const Difference* best = nullptr;
  for (const Difference& difference : pair.differences) {
    if (difference.count() == 0) continue;
    if (best == nullptr || difference.sqnr_db() > best->sqnr_db()) best = &difference;
  }
  return best;
}

LayerEvidence evidence_of(const Pair& pair, const Difference& difference) {
  const Node& node = *pair.value->producer();
  LayerEvidence layer{.name = node.name().empty() ? pair.value->name() : node.name(),
                      .op_type = node.op_type()};
  layer.output = difference;
  layer.original_outputs = pair.outputs.bars();
  layer.range = chosen_range(*pair.value);
  if (const Tensor weight = weight_of(node); weight.defined()) {
    layer.weights = weight.size();
    layer.weight_bytes = stored_bytes(node.input(static_cast<std::size_t>(traits(node).weight_input)));
    layer.stored_weights = bars_of(weight);
    if (const auto numbers = to_floats(weight); numbers.ok()) {
      layer.zero_weights = std::count(numbers->begin(), numbers->end(), 0.0F);
    }
    // The last original is the one in the form nearest to the compressed model.
    for (auto original = pair.originals.rbegin(); original != pair.originals.rend(); ++original) {
      if (*original == nullptr) continue;
      const Tensor before = weight_of(*(*original)->producer());
      if (before.defined() && before.size() == weight.size()) layer.original_weights = bars_of(before);
      break;
    }
  }
  return layer;
}

}  // namespace

Result<std::vector<LayerEvidence>> compare_layers(std::span<const Graph* const> originals,
                                                  const Graph& compressed, std::span<const Batch> batches) {
  std::vector<Pair> pairs = pairs_of(originals, compressed);
  std::vector<std::vector<const Value*>> watched(originals.size());
  std::vector<const Value*> watched_compressed;
  std::vector<Session> sessions;
  for (std::size_t o = 0; o < originals.size(); ++o) {
    PRESS_ASSIGN(Session session, Session::create(*originals[o]));
    sessions.push_back(std::move(session));
    for (const Pair& pair : pairs) {
      if (pair.originals[o] != nullptr) watched[o].push_back(pair.originals[o]);
    }
  }
  PRESS_ASSIGN(Session session, Session::create(compressed));
  watched_compressed.reserve(pairs.size());
  for (const Pair& pair : pairs) watched_compressed.push_back(pair.value);

  for (const Batch& batch : batches) {
    PRESS_ASSIGN(const Numbers now, watched_values(session, compressed, batch, watched_compressed));
    std::vector<Numbers> before;
    for (std::size_t o = 0; o < originals.size(); ++o) {
      PRESS_ASSIGN(Numbers numbers, watched_values(sessions[o], *originals[o], batch, watched[o]));
      before.push_back(std::move(numbers));
    }
    for (Pair& pair : pairs) {
      const auto value = now.find(pair.value);
      bool drawn = false;
      for (std::size_t o = originals.size(); o-- > 0 && value != now.end();) {
        const auto original = before[o].find(pair.originals[o]);
        if (original == before[o].end() || original->second.first != value->second.first) continue;
        pair.differences[o].add(original->second.second, value->second.second);
        if (!drawn) pair.outputs.add(original->second.second);
        drawn = true;
      }
    }
  }
  std::vector<LayerEvidence> layers;
  for (const Pair& pair : pairs) {
    if (const Difference* difference = nearest(pair)) layers.push_back(evidence_of(pair, *difference));
  }
  return layers;
}

}  // namespace press
