#include "passes/quantize/weight_blocks.h"

#include <algorithm>
#include <cstddef>

#include "passes/quantize/packed_integers.h"

namespace press::quantize {
namespace {

constexpr const char* kContributed = "com.microsoft";

/// `from` (rows x columns) with rows and columns exchanged.
template <typename T>
std::vector<T> transposed(const std::vector<T>& from, std::int64_t rows, std::int64_t columns) {
  std::vector<T> to(from.size());
  const auto height = static_cast<std::size_t>(rows);
  const auto width = static_cast<std::size_t>(columns);
  for (std::size_t i = 0; i < from.size(); ++i) to[i % width * height + i / width] = from[i];
  return to;
}

/// Rows of codes of `bits` bits, low bits first, each row in whole bytes.
std::vector<std::uint8_t> packed_rows(const std::vector<std::int32_t>& codes, std::size_t width,
                                      std::size_t bits) {
  const std::size_t in_byte = 8 / bits;
  const std::size_t bytes = (width + in_byte - 1) / in_byte;
  std::vector<std::uint8_t> packed(codes.size() / width * bytes);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t column = i % width;
    packed[i / width * bytes + column / in_byte] |=
        static_cast<std::uint8_t>(codes[i] << (column % in_byte * bits));
  }
  return packed;
}

}  // namespace

BlockedWeight round_in_blocks(const Node& node, const LinearLayer& layer, const IntegerGrid& limits,
                              std::int64_t block) {
  const auto height = static_cast<std::size_t>(layer.outputs);
  const auto width = static_cast<std::size_t>(layer.inputs);
  const auto step = static_cast<std::size_t>(block);
  const std::size_t blocks = (width + step - 1) / step;
  BlockedWeight weight{.limits = limits, .block = block, .blocks = static_cast<std::int64_t>(blocks)};
  weight.codes.resize(height * width);
  weight.scales.resize(height * blocks);
  weight.zero_points.resize(height * blocks);
  const std::vector<float> rows = weight_rows(node, layer);
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::size_t begin = b * step;
    const std::size_t count = std::min(step, width - begin);
    Matrix part(height, count);
    for (std::size_t i = 0; i < height; ++i) {
      for (std::size_t j = 0; j < count; ++j) part.at(i, j) = rows[i * width + begin + j];
    }
    const RoundedRows rounded = round_rows(part, {}, limits, Rounding::kNearest);
    for (std::size_t i = 0; i < height; ++i) {
      weight.scales[i * blocks + b] = static_cast<float>(rounded.scales[i]);
      weight.zero_points[i * blocks + b] = rounded.zero_points[i];
      for (std::size_t j = 0; j < count; ++j)
        weight.codes[i * width + begin + j] = rounded.codes[i * count + j];
    }
  }
  return weight;
}

Value* add_blocked_dequantize(Node* node, const LinearLayer& layer, const BlockedWeight& weight,
                              DataType type) {
  Graph& graph = *node->graph();
  const Value* old = node->input(layer.weight_input);
  const bool turned = layer.weight_transposed;
  const auto as_stored = [&](const auto& values, std::int64_t columns) {
    return turned ? transposed(values, layer.outputs, columns) : values;
  };
  const Dims dims = turned ? Dims{weight.blocks, layer.outputs} : Dims{layer.outputs, weight.blocks};
  NodeSpec spec{.op_type = "DequantizeLinear",
                .inputs = {graph.add_constant(packed_integers(type, old->constant()->dims(),
                                                              as_stored(weight.codes, layer.inputs)),
                                              graph.fresh_name("q")),
                           graph.add_constant(Tensor::of(dims, as_stored(weight.scales, weight.blocks)),
                                              graph.fresh_name("s"))},
                .outputs = {graph.fresh_name(old->name() + "_dq")},
                .attributes = {{"axis", std::int64_t{turned ? 0 : 1}, {}}, {"block_size", weight.block, {}}}};
  if (!weight.limits.symmetric) {
    spec.inputs.push_back(graph.add_constant(
        packed_integers(type, dims, as_stored(weight.zero_points, weight.blocks)), graph.fresh_name("z")));
  }
  return graph.add_node(std::move(spec), node)->output();
}

void replace_by_mat_mul_n_bits(Node* node, const LinearLayer& layer, const BlockedWeight& weight) {
  Graph& graph = *node->graph();
  const std::int32_t bits = weight.limits.lo < 0 ? 8 : weight.limits.hi <= 3 ? 2 : 4;
  // The operator knows unsigned codes alone; without zero points theirs is the middle.
  const std::int32_t shift = weight.limits.lo < 0 ? 1 << (bits - 1) : 0;
  const auto width = static_cast<std::size_t>(layer.inputs);
  const auto padded_width = static_cast<std::size_t>(weight.blocks * weight.block);
  std::vector<std::int32_t> codes(static_cast<std::size_t>(layer.outputs) * padded_width);
  for (std::size_t i = 0; i < weight.codes.size(); ++i)
    codes[i / width * padded_width + i % width] = weight.codes[i] + shift;
  const Dims packed_dims{layer.outputs, weight.blocks, weight.block * bits / 8};
  NodeSpec spec{
      .op_type = "MatMulNBits",
      .inputs = {node->input(0),
                 graph.add_constant(Tensor::of(packed_dims, packed_rows(codes, padded_width,
                                                                        static_cast<std::size_t>(bits))),
                                    graph.fresh_name("q")),
                 graph.add_constant(Tensor::of({layer.outputs * weight.blocks}, weight.scales),
                                    graph.fresh_name("s"))},
      .outputs = {graph.fresh_name(node->output()->name())},
      .attributes = {{"K", layer.inputs, {}},
                     {"N", layer.outputs, {}},
                     {"bits", std::int64_t{bits}, {}},
                     {"block_size", weight.block, {}}},
      .name = node->name(),
      .domain = kContributed};
  if (!weight.limits.symmetric) {
    const std::vector<std::uint8_t> zeros = packed_rows(
        weight.zero_points, static_cast<std::size_t>(weight.blocks), static_cast<std::size_t>(bits));
    const auto count = static_cast<std::int64_t>(zeros.size());
    spec.inputs.push_back(graph.add_constant(Tensor::of({count}, zeros), graph.fresh_name("z")));
  }
  if (graph.opset(kContributed) == 0) graph.set_opset(kContributed, 1);
  Value* result = graph.add_node(std::move(spec), node)->output();
  if (Value* bias = node->input(2); bias != nullptr) {
    result = graph
                 .add_node({.op_type = "Add",
                            .inputs = {result, bias},
                            .outputs = {graph.fresh_name(node->output()->name())}},
                           node)
                 ->output();
  }
  Value* old = node->output();
  const std::string name = old->name();
  const Type type = old->type();
  Value* old_weight = node->input(layer.weight_input);
  graph.replace_all_uses(old, result);
  graph.erase(node);
  graph.erase(old_weight);
  result->set_name(name);
  result->set_type(type);
}

}  // namespace press::quantize
