// --engine and --ort-library: what runs the models that are measured.
#pragma once

#include <memory>
#include <string>

#include "press/evaluate/onnxruntime.h"
#include "press/support/result.h"

namespace CLI {
class App;
}

namespace press {

struct EngineFlags {
  std::string engine = "compress";
  std::string library;

  void add(CLI::App& app, const char* group);
  /// Null for our runtime. Errors: kUsage where the flags do not fit together; those of OnnxRuntime::load.
  Result<std::shared_ptr<OnnxRuntime>> load() const;
};

}  // namespace press
