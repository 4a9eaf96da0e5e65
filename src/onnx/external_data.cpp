#include "onnx/external_data.h"

#include <array>

#include "onnx/schema.h"

namespace press {
namespace {

constexpr int kDeepest = 200;

/// Field `number` of a message of kind `holder` is a message of kind `held`.
struct Holding {
  MessageKind holder;
  std::uint32_t number;
  MessageKind held;
};

// The ways from what we do not look into (functions, training information, sparse attributes) to tensors.
constexpr std::array kHoldings = {
    Holding{MessageKind::kModel, 20, MessageKind::kTraining},
    Holding{MessageKind::kModel, 25, MessageKind::kFunction},
    Holding{MessageKind::kTraining, 1, MessageKind::kGraph},
    Holding{MessageKind::kTraining, 2, MessageKind::kGraph},
    Holding{MessageKind::kFunction, 7, MessageKind::kNode},
    Holding{MessageKind::kFunction, 11, MessageKind::kAttribute},
    Holding{MessageKind::kGraph, schema::graph::kNode, MessageKind::kNode},
    Holding{MessageKind::kGraph, schema::graph::kInitializer, MessageKind::kTensor},
    Holding{MessageKind::kGraph, schema::graph::kSparseInitializer, MessageKind::kSparseTensor},
    Holding{MessageKind::kNode, schema::node::kAttribute, MessageKind::kAttribute},
    Holding{MessageKind::kAttribute, schema::attribute::kTensor, MessageKind::kTensor},
    Holding{MessageKind::kAttribute, schema::attribute::kTensors, MessageKind::kTensor},
    Holding{MessageKind::kAttribute, schema::attribute::kGraph, MessageKind::kGraph},
    Holding{MessageKind::kAttribute, schema::attribute::kGraphs, MessageKind::kGraph},
    Holding{MessageKind::kAttribute, 22, MessageKind::kSparseTensor},
    Holding{MessageKind::kAttribute, 23, MessageKind::kSparseTensor},
    Holding{MessageKind::kSparseTensor, schema::sparse::kValues, MessageKind::kTensor},
    Holding{MessageKind::kSparseTensor, schema::sparse::kIndices, MessageKind::kTensor},
};

Status refuse_at(wire::Bytes message, MessageKind kind, int depth) {
  if (depth > kDeepest) return Error(ErrorCode::kUnsupported, "functions are nested too deeply");
  return wire::for_each_field(message, [&](const wire::Field& field) -> Status {
    if (kind == MessageKind::kTensor && field.is(schema::tensor::kDataLocation, wire::Type::kVarint) &&
        field.value == schema::tensor::kExternalLocation) {
      return Error(
          ErrorCode::kUnsupported,
          "a tensor in a function, in training information or in a sparse attribute has external data; save "
          "the model with all data inside first");
    }
    if (field.type != wire::Type::kLength) return {};
    for (const Holding& holding : kHoldings) {
      if (holding.holder == kind && holding.number == field.number) {
        PRESS_TRY(refuse_at(field.payload, holding.held, depth + 1));
      }
    }
    return {};
  });
}

}  // namespace

Status refuse_external_data(wire::Bytes message, MessageKind kind) {
  return refuse_at(message, kind, 0);
}

}  // namespace press
