#include "engine_flags.h"

#include <CLI/CLI.hpp>

namespace press {

void EngineFlags::add(CLI::App& app, const char* group) {
  app.add_option("--engine", engine, "what runs the models: compress or onnxruntime")
      ->check(CLI::IsMember({"compress", "onnxruntime"}))
      ->type_name("NAME")
      ->default_str("compress")
      ->group(group);
  app.add_option("--ort-library", library, "ONNX Runtime's shared library, for --engine onnxruntime")
      ->type_name("FILE")
      ->default_str("libonnxruntime.so as the system finds it")
      ->group(group);
}

Result<std::shared_ptr<OnnxRuntime>> EngineFlags::load() const {
  if (engine == "onnxruntime") return OnnxRuntime::load(library);
  if (library.empty()) return std::shared_ptr<OnnxRuntime>();
  return Error(ErrorCode::kUsage, "--ort-library is for --engine onnxruntime");
}

}  // namespace press
