// ONNX's text form, for tests and small examples.
#pragma once

#include <string_view>

#include "press/ir/graph.h"
#include "press/support/result.h"

namespace press {

/// Parses a model as ONNX's own parser writes it down:
///
///   <ir_version: 8, opset_import: ["" : 17]>
///   agraph (float[N,4] x) => (float[N,2] y) <float[4,2] w = {1,2,3,4,5,6,7,8}> {
///     y = MatMul(x, w)
///   }
///
/// Initializers stand in the list after the outputs; an input with a value is an input that has a default.
/// What the parser of ONNX 1.12 cannot say: names of nodes, empty lists, infinities and NaN, float16 and
/// younger element types, names with characters other than letters, digits and '_'; a list of floats needs a
/// point in every number ([1.0, 2.5]). An omitted input is left empty: Clip(x, , high). Errors (kInput): the
/// parser's complaint with its line.
Result<Model> parse_model_text(std::string_view text);

}  // namespace press
