#include "press/onnx/text.h"

#include <fmt/format.h>
#include <onnx/defs/parser.h>

#include <algorithm>
#include <exception>
#include <string>

#include "press/onnx/model_io.h"

namespace press {
namespace {

/// The parser's message in one line.
std::string one_line(std::string message) {
  std::ranges::replace(message, '\n', ' ');
  return message;
}

}  // namespace

Result<Model> parse_model_text(std::string_view text) {
  std::string bytes;
  try {
    onnx::ModelProto proto;
    const onnx::Common::Status status = onnx::OnnxParser::Parse(proto, std::string(text).c_str());
    if (!status.IsOK()) return Error(ErrorCode::kInput, one_line(status.ErrorMessage()));
    if (!proto.SerializeToString(&bytes)) return Error(ErrorCode::kInput, "the model is too large");
  } catch (const std::exception& error) {
    return Error(ErrorCode::kInput,
                 fmt::format("a number in the text cannot be read ({})", one_line(error.what())));
  }
  return model_from_bytes(std::move(bytes));
}

}  // namespace press
