// Graph to ModelProto.
#pragma once

#include "onnx/tensor_proto.h"
#include "press/ir/graph.h"

namespace press {

/// The model with names that a file can hold: values have names of their own, output slots are filled by
/// values of their name (through an Identity where it cannot be otherwise). The model itself where that is so
/// already, else a copy in `storage`.
const Model& prepared_for_export(const Model& model, Model& storage);

/// A prepared model as a message that points at the tensors' bytes: `prepared` must outlive it. Long
/// initializers go to `sink` where there is one.
wire::Message export_model(const Model& prepared, TensorSink* sink);

}  // namespace press
