// What people take for an ONNX model by mistake.
#pragma once

#include <string>

#include "onnx/wire.h"

namespace press {

/// One sentence on what the file is and what to do, or "" where it is nothing that we know. For files that
/// could not be read as a model.
std::string recognize(wire::Bytes bytes);

}  // namespace press
