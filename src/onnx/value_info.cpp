#include "onnx/value_info.h"

#include <algorithm>

#include "onnx/schema.h"

namespace press {
namespace {

using wire::Field;
using wire::Parts;
// Not to be mixed up with press::Type.
using Wire = wire::Type;

/// What a TypeProto of a tensor says beyond element type and shape.
struct TypeExtras {
  std::string type;
  std::string tensor;
  std::string shape;
  std::vector<std::string> dims;

  wire::Message encode() const {
    wire::Message shape_message;
    if (std::ranges::any_of(dims, [](const std::string& dim) { return !dim.empty(); })) {
      for (const std::string& dim : dims) shape_message.add_text(schema::shape::kDim, dim);
    }
    shape_message.add_fields(shape);
    wire::Message tensor_message;
    if (!shape_message.empty()) tensor_message.add_message(schema::tensor_type::kShape, shape_message);
    tensor_message.add_fields(tensor);
    wire::Message message;
    if (!tensor_message.empty()) message.add_message(schema::type::kTensor, tensor_message);
    message.add_fields(type);
    return message;
  }
};

Status read_dim(wire::Bytes message, Shape& shape, TypeExtras& extras) {
  shape.emplace_back();
  extras.dims.emplace_back();
  return wire::for_each_field(message, [&](const Field& field) -> Status {
    if (field.is(schema::shape::kDimValue, Wire::kVarint)) {
      shape.back() = field.integer() >= 0 ? Dim(field.integer()) : Dim();
    } else if (field.is(schema::shape::kDimName, Wire::kLength)) {
      shape.back() = Dim(std::string(field.text()));
    } else {
      extras.dims.back().append(wire::as_text(field.whole));
    }
    return {};
  });
}

Status read_tensor_type(wire::Bytes message, Type& type, TypeExtras& extras) {
  return wire::for_each_field(message, [&](const Field& field) -> Status {
    if (field.is(schema::tensor_type::kElement, Wire::kVarint)) {
      type.element = static_cast<DataType>(static_cast<std::int32_t>(field.value));
      return {};
    }
    if (!field.is(schema::tensor_type::kShape, Wire::kLength)) {
      extras.tensor.append(wire::as_text(field.whole));
      return {};
    }
    if (!type.shape) type.shape.emplace();
    return wire::for_each_field(field.payload, [&](const Field& inner) -> Status {
      if (inner.is(schema::shape::kDim, Wire::kLength)) return read_dim(inner.payload, *type.shape, extras);
      extras.shape.append(wire::as_text(inner.whole));
      return {};
    });
  });
}

/// True for the fields of TypeProto of which one only may be there: tensor, sequence, map, optional, …
bool is_kind(const Field& field) {
  return field.type == Wire::kLength && field.number != schema::type::kDenotation && field.number < 16;
}

/// Splits a TypeProto; `tensor` is whether it holds a tensor type. Of several kinds the last one counts.
Status split_type(const Parts& message, Type& type, TypeExtras& extras, bool& tensor) {
  std::uint32_t kind = 0;
  PRESS_TRY(wire::for_each_field(message, [&](const Field& field) -> Status {
    if (is_kind(field)) kind = field.number;
    return {};
  }));
  tensor = kind == schema::type::kTensor;
  return wire::for_each_field(message, [&](const Field& field) -> Status {
    if (is_kind(field) && field.number != kind) return {};
    if (is_kind(field) && tensor) return read_tensor_type(field.payload, type, extras);
    extras.type.append(wire::as_text(field.whole));
    return {};
  });
}

Status read_type(const Parts& message, Type& type, TypeExtras& extras) {
  bool tensor = false;
  PRESS_TRY(split_type(message, type, extras, tensor));
  if (tensor || extras.type.empty()) return {};
  type = {};
  type.opaque = std::move(extras.type);
  extras = {};
  return {};
}

wire::Message write_type(const Type& type, std::string_view encoded_extras) {
  wire::Message message;
  if (!type.is_tensor()) {
    message.add_fields(type.opaque);
    return message;
  }
  Type ignored;
  TypeExtras extras;
  bool tensor_extras = false;
  [[maybe_unused]] const Status status =
      split_type({wire::as_bytes(encoded_extras)}, ignored, extras, tensor_extras);
  wire::Message tensor;
  if (type.element != DataType::kUndefined || type.shape) {
    tensor.add_integer(schema::tensor_type::kElement, static_cast<std::int32_t>(type.element));
  }
  if (type.shape) {
    wire::Message shape;
    for (std::size_t i = 0; i < type.shape->size(); ++i) {
      const Dim& dim = (*type.shape)[i];
      wire::Message dim_message;
      if (dim.known()) dim_message.add_integer(schema::shape::kDimValue, dim.value());
      if (dim.named()) dim_message.add_text(schema::shape::kDimName, dim.symbol());
      if (extras.dims.size() == type.shape->size()) dim_message.add_fields(extras.dims[i]);
      shape.add_message(schema::shape::kDim, dim_message);
    }
    shape.add_fields(extras.shape);
    tensor.add_message(schema::tensor_type::kShape, shape);
  }
  tensor.add_fields(extras.tensor);
  if (!tensor.empty()) message.add_message(schema::type::kTensor, tensor);
  message.add_fields(extras.type);
  return message;
}

}  // namespace

Result<ValueInfo> read_value_info(wire::Bytes message) {
  ValueInfo info;
  Parts type;
  PRESS_TRY(wire::for_each_field(message, [&](const Field& field) -> Status {
    if (field.is(schema::value_info::kName, Wire::kLength)) {
      info.name = field.text();
    } else if (field.is(schema::value_info::kType, Wire::kLength)) {
      type.push_back(field.payload);
    } else {
      info.extras.append(wire::as_text(field.whole));
    }
    return {};
  }));
  TypeExtras type_extras;
  PRESS_TRY(read_type(type, info.type, type_extras));
  // A type that is there but says nothing stays there.
  const wire::Message encoded = type_extras.encode();
  const bool says_nothing =
      info.type.is_tensor() && info.type.element == DataType::kUndefined && !info.type.shape;
  if (!encoded.empty() || (says_nothing && !type.empty())) {
    wire::Message extras;
    extras.add_fields(info.extras);
    extras.add_message(schema::value_info::kType, encoded);
    info.extras = extras.to_string();
  }
  return info;
}

wire::Message write_value_info(std::string_view name, const Type& type, std::string_view extras) {
  wire::Message message;
  message.add_text(schema::value_info::kName, name);
  bool has_type = false;
  std::string_view type_extras;
  std::string rest;
  [[maybe_unused]] const Status status =
      wire::for_each_field(wire::as_bytes(extras), [&](const Field& field) -> Status {
        if (field.is(schema::value_info::kType, Wire::kLength)) {
          has_type = true;
          type_extras = field.text();
        } else {
          rest.append(wire::as_text(field.whole));
        }
        return {};
      });
  const wire::Message type_message = write_type(type, type_extras);
  if (has_type || !type_message.empty()) message.add_message(schema::value_info::kType, type_message);
  message.add_fields(rest);
  return message;
}

}  // namespace press
