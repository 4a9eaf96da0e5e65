#include "runtime/integer_params.h"

#include <algorithm>
#include <cmath>

namespace press {

std::int32_t byte_at(const Tensor& tensor, std::size_t index) {
  return tensor.type() == DataType::kInt8 ? tensor.data<std::int8_t>()[index]
                                          : std::int32_t{tensor.data<std::uint8_t>()[index]};
}

bool is_byte(DataType type) {
  return type == DataType::kUint8 || type == DataType::kInt8;
}

bool is_normal_scale(float scale) {
  return std::isnormal(scale) && scale > 0;
}

std::optional<QuantParams> tensor_params(const Tensor* scale, const Tensor* zero_point) {
  if (scale == nullptr || scale->type() != DataType::kFloat || scale->size() != 1 ||
      !is_normal_scale(scale->data<float>()[0])) {
    return std::nullopt;
  }
  QuantParams params{scale->data<float>()[0], 0, DataType::kUint8};
  if (zero_point != nullptr) {
    if (!is_byte(zero_point->type()) || zero_point->size() != 1) return std::nullopt;
    params.type = zero_point->type();
    params.zero_point = byte_at(*zero_point, 0);
  }
  return params;
}

std::optional<Tensor> centred(const Tensor& weights, const Tensor* zero_point, std::size_t axis) {
  std::int64_t inner = 1;
  for (std::size_t i = axis + 1; i < weights.rank(); ++i) inner *= weights.dims()[i];
  bool plain = weights.type() == DataType::kInt8;
  if (zero_point != nullptr) {
    if (zero_point->type() != weights.type()) return std::nullopt;
    for (std::size_t i = 0; i < static_cast<std::size_t>(zero_point->size()); ++i) {
      plain = plain && byte_at(*zero_point, i) == 0;
    }
    if (zero_point->size() != 1 && zero_point->size() != weights.dims()[axis]) return std::nullopt;
  }
  if (plain) return weights;
  Result<Tensor> made = Tensor::allocate(DataType::kInt8, weights.dims());
  if (!made.ok()) return std::nullopt;
  const std::span<std::int8_t> values = made->mutable_data<std::int8_t>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto channel = i / static_cast<std::size_t>(inner) % static_cast<std::size_t>(weights.dims()[axis]);
    const std::int32_t zero =
        zero_point == nullptr ? 0 : byte_at(*zero_point, zero_point->size() == 1 ? 0 : channel);
    const std::int32_t value = byte_at(weights, i) - zero;
    if (value < -128 || value > 127) return std::nullopt;
    values[i] = static_cast<std::int8_t>(value);
  }
  return std::move(made).value();
}

std::optional<Weights> make_weights(const Tensor* values, const Tensor* scale, const Tensor* zero_point,
                                    std::size_t axis) {
  if (values == nullptr || scale == nullptr || !is_byte(values->type()) || values->rank() <= axis ||
      values->size() == 0 || scale->type() != DataType::kFloat ||
      (scale->size() != 1 && (scale->rank() != 1 || scale->size() != values->dims()[axis]))) {
    return std::nullopt;
  }
  Weights weights;
  weights.scales.assign(scale->data<float>().begin(), scale->data<float>().end());
  if (!std::ranges::all_of(weights.scales, is_normal_scale)) return std::nullopt;
  std::optional<Tensor> whole = centred(*values, zero_point, axis);
  if (!whole) return std::nullopt;
  weights.values = std::move(*whole);
  return weights;
}

}  // namespace press
