// ONNX Runtime as an engine, for figures of the runtime that a model will meet: its shared library is loaded
// while the program runs and called through its C interface; building needs nothing of it.
#pragma once

#include <memory>
#include <string>

#include "press/evaluate/engine.h"
#include "press/support/result.h"

namespace press {

class OnnxRuntime {
 public:
  /// `path`: libonnxruntime.so; "" asks the system's loader for it. Errors: kInput where there is no such
  /// library, it is another one, or it is older than version 1.8.
  static Result<std::shared_ptr<OnnxRuntime>> load(const std::string& path);

  OnnxRuntime(const OnnxRuntime&) = delete;
  OnnxRuntime& operator=(const OnnxRuntime&) = delete;
  ~OnnxRuntime();

  /// As the library tells it: "1.17.1".
  const std::string& version() const { return version_; }

  /// Sessions on the CPU with all graph optimizations, as the library's own defaults are. `graph` gives the
  /// names of inputs and outputs and must outlive the engines, `path` is the same model's file. Errors of the
  /// engines: kUnsupported for what the library refuses, with its words.
  static EngineFactory engine(std::shared_ptr<OnnxRuntime> library, const Graph& graph, std::string path);

 private:
  friend class OnnxRuntimeEngine;
  OnnxRuntime() = default;

  void* library_ = nullptr;           // of dlopen
  void* const* functions_ = nullptr;  // the library's table
  void* environment_ = nullptr;
  std::string version_;
};

}  // namespace press
