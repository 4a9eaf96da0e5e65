#include "passes/store/weight_codes.h"

#include <algorithm>
#include <vector>

#include "press/ops/operator.h"

namespace press {
namespace {

constexpr std::int64_t kMostLevels = 128;  // codes are int8

bool is_small_integer(DataType type) {
  return is_integer(type) && bit_width(type) <= 8;
}

bool is_signed(DataType type) {
  return type == DataType::kInt8 || type == DataType::kInt4 || type == DataType::kInt2;
}

/// Elements of 2, 4 or 8 bits, low bits first.
std::vector<std::int32_t> integers_of(const Tensor& tensor) {
  const int bits = bit_width(tensor.type());
  const int in_byte = 8 / bits;
  const std::span<const std::byte> bytes = tensor.bytes();
  std::vector<std::int32_t> integers(static_cast<std::size_t>(tensor.size()));
  for (std::size_t i = 0; i < integers.size(); ++i) {
    const auto byte = std::to_integer<std::int32_t>(bytes[i / static_cast<std::size_t>(in_byte)]);
    const int shift = static_cast<int>(i % static_cast<std::size_t>(in_byte)) * bits;
    std::int32_t value = (byte >> shift) & ((1 << bits) - 1);
    if (is_signed(tensor.type()) && value >= 1 << (bits - 1)) value -= 1 << bits;
    integers[i] = value;
  }
  return integers;
}

/// Every reader takes it as the weight of a layer whose data is no dequantized integer.
bool feeds_float_layers(const Value& weight) {
  return std::ranges::all_of(weight.uses(), [](const Use& use) {
    if (use.node == nullptr || traits(*use.node).weight_input != static_cast<int>(use.index)) return false;
    const Value* data = use.node->input(use.index == 0 ? 1 : 0);
    return data != nullptr && (data->producer() == nullptr || !data->producer()->is("DequantizeLinear"));
  });
}

}  // namespace

std::optional<WeightCodes> weight_codes(const Node& dequantize) {
  if (!dequantize.is("DequantizeLinear") || dequantize.int_attribute("block_size", 0) != 0) return {};
  const Value* stored = dequantize.input(0);
  const Value* scale = dequantize.input(1);
  const Value* zero = dequantize.input(2);
  if (stored == nullptr || !stored->is_constant() || !stored->has_one_use() || scale == nullptr ||
      !scale->is_constant() || (zero != nullptr && !zero->is_constant()) ||
      !is_small_integer(stored->constant()->type()) || scale->constant()->type() != DataType::kFloat ||
      !feeds_float_layers(*dequantize.output())) {
    return {};
  }
  const Dims& dims = stored->constant()->dims();
  const std::int64_t channels = scale->constant()->size();
  std::int64_t axis = dequantize.int_attribute("axis", 1);
  if (axis < 0) axis += static_cast<std::int64_t>(dims.size());
  Dims fitting(dims.size(), 1);
  std::int64_t inner = stored->constant()->size();  // elements of one channel that stand together
  if (scale->constant()->rank() > 0 && channels != 1) {
    if (axis < 0 || axis >= static_cast<std::int64_t>(dims.size()) ||
        dims[static_cast<std::size_t>(axis)] != channels) {
      return {};
    }
    fitting[static_cast<std::size_t>(axis)] = channels;
    inner = 1;
    for (auto i = static_cast<std::size_t>(axis) + 1; i < dims.size(); ++i) inner *= dims[i];
  }
  if (zero != nullptr && zero->constant()->size() != channels) return {};

  const std::vector<std::int32_t> integers = integers_of(*stored->constant());
  if (integers.empty()) return {};
  std::vector<std::int32_t> zeros(static_cast<std::size_t>(channels), 0);
  if (zero != nullptr) zeros = integers_of(*zero->constant());
  const auto [low, high] = std::ranges::minmax(integers);
  const auto [low_zero, high_zero] = std::ranges::minmax(zeros);
  const std::int32_t first = std::min(low, low_zero);
  const std::int32_t levels = std::max(high, high_zero) - first + 1;
  if (levels > kMostLevels) return {};

  std::vector<std::int8_t> codes(integers.size()), zero_points(zeros.size());
  for (std::size_t c = 0; c < zeros.size(); ++c) zero_points[c] = static_cast<std::int8_t>(zeros[c] - first);
  for (std::size_t i = 0; i < integers.size(); ++i) {
    const std::size_t channel = i / static_cast<std::size_t>(inner) % zeros.size();
    codes[i] = static_cast<std::int8_t>((integers[i] - zeros[channel] + levels) % levels);
  }
  return WeightCodes{.codes = Tensor::of(dims, codes),
                     .zero_points = Tensor::of(fitting, zero_points),
                     .scales = scale->constant()->reshaped(fitting),
                     .levels = levels};
}

}  // namespace press
