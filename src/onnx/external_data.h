// Where external data is not supported.
#pragma once

#include <cstdint>

#include "onnx/wire.h"
#include "press/support/result.h"

namespace press {

enum class MessageKind : std::uint8_t {
  kModel,
  kTraining,
  kFunction,
  kGraph,
  kNode,
  kAttribute,
  kSparseTensor,
  kTensor
};

/// Looks through fields that pass from file to file as they are. Errors: kUnsupported where a tensor in them
/// has its data in another file, which would be lost; kInput for damaged fields.
Status refuse_external_data(wire::Bytes message, MessageKind kind);

}  // namespace press
