// ONNX's ValueInfoProto: a name, a type, and what else is said of a value.
#pragma once

#include <string>
#include <string_view>

#include "onnx/wire.h"
#include "press/ir/type.h"

namespace press {

struct ValueInfo {
  std::string_view name;
  Type type;
  std::string
      extras;  // fields that we do not carry: doc string, denotations of the type and its dims, newer ones
};

/// Errors (kInput): damaged fields.
Result<ValueInfo> read_value_info(wire::Bytes message);
wire::Message write_value_info(std::string_view name, const Type& type, std::string_view extras);

}  // namespace press
