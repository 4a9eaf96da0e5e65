// ONNX files and graphs: the importer and the exporter.
//
// Loading maps the file and leaves weights where they are; saving writes them from there. What the graph does
// not know (newer fields, functions, training information) comes out as it came in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "press/ir/graph.h"
#include "press/support/result.h"

namespace press {

struct LoadOptions {
  /// Weights that the file lists as inputs too, which callers may override, become constants.
  bool freeze_initializers = false;
};

/// Reads a model and its external data; "-" reads standard input, which cannot have external data. Errors:
/// kInput for a file that is missing, no ONNX model, damaged or inconsistent; kUnsupported for one that is
/// newer than we are.
Result<Model> load_model(const std::string& path, const LoadOptions& options = {});

/// Reads a model from memory that `owner` keeps alive. External data is looked for in `folder`; "" allows
/// none.
Result<Model> model_from_bytes(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                               const std::string& folder = {});
Result<Model> model_from_bytes(std::string bytes, const std::string& folder = {});

/// Reads a file that holds one tensor (a TensorProto, as ONNX's own test data has them). Errors: kInput for a
/// file that is missing or holds anything else.
Result<Tensor> load_tensor(const std::string& path);

/// Where weights go. kAuto writes one file while it stays below the 2 GB that protobuf can read.
enum class WeightStore { kAuto, kInside, kExternal };

struct SaveOptions {
  bool overwrite = false;
  std::vector<std::string> inputs = {};  // files that must not be replaced, whatever `overwrite` says
  WeightStore weights = WeightStore::kAuto;
  bool check = true;  // read the new file back before it takes the target's place, and compare fingerprints
};

/// Gives values and outputs the names that they will have in a file, as everything that writes a model does
/// with a copy otherwise.
void prepare_for_export(Model& model);

/// Writes a model; external weights go to "<path>.data". The target is complete or untouched. Errors: kOutput
/// for a file that cannot be written, may not be replaced, or would be 2 GB and more under
/// WeightStore::kInside; kInternal where the file that was read back is not the model.
Status save_model(const Model& model, const std::string& path, const SaveOptions& options = {});

/// Hands the bytes of the model's file to `sink`, piece by piece. Errors: the sink's own, and kOutput for 2
/// GB and more.
Status write_model(const Model& model, const std::function<Status(std::span<const std::byte>)>& sink);

/// The same in one string.
Result<std::string> model_to_bytes(const Model& model);

/// Bytes of the model's file with all weights inside.
std::int64_t serialized_size(const Model& model);

}  // namespace press
