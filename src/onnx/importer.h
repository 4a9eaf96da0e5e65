// ModelProto to graph.
#pragma once

#include "onnx/tensor_proto.h"
#include "press/ir/graph.h"
#include "press/onnx/model_io.h"

namespace press {

/// Errors: kInput for damaged or inconsistent models, kUnsupported for element types that we do not know.
Result<Model> import_model(wire::Bytes bytes, TensorSource& source, const LoadOptions& options = {});

}  // namespace press
