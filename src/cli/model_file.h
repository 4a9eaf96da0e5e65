// Models on the command line: where they are read from and where they go.
#pragma once

#include <string>
#include <vector>

#include "console.h"
#include "press/ir/graph.h"
#include "press/onnx/model_io.h"
#include "press/pipeline/evaluation.h"
#include "press/support/result.h"

namespace CLI {
class App;
}

namespace press {

/// "'models/a.onnx'", "standard input".
std::string shown(const std::string& path);

/// Reads a model ("-": standard input). Errors: as load_model, naming the file.
Result<Model> read_model(const std::string& path, const LoadOptions& options = {});

/// A model that the process keeps until it ends: then the system takes its memory back at once, faster than a
/// large graph gives it back node by node.
Model& keep_until_exit(Model model);

/// A model with the bytes of its file (of its serialized form for standard input).
Result<NamedModel> read_named_model(const std::string& path);

/// Where a result goes: -o FILE [--force] [--dry-run].
struct ModelTarget {
  std::string path;
  bool force = false;
  bool dry_run = false;

  void add(CLI::App& app);
  bool to_stdout() const { return path == "-" && !dry_run; }
  /// Before the work begins: whether the target can be written at all. Errors: kUsage, kOutput.
  Status check(const std::string& input) const;
  /// Errors: kOutput, kInterrupted.
  Status write(const Model& model, const std::string& input) const;
};

}  // namespace press
