#include "model_file.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <deque>
#include <filesystem>

#include "flags.h"
#include "press/onnx/model_io.h"
#include "press/support/atomic_file.h"
#include "press/support/text.h"
#include "signals.h"

namespace press {

std::string shown(const std::string& path) {
  return path == "-" ? kStandardInput : press::quoted(path);
}

Result<Model> read_model(const std::string& path, const LoadOptions& options) {
  return load_model(path, options);
}

Model& keep_until_exit(Model model) {
  static auto* const kept = new std::deque<Model>();
  return kept->emplace_back(std::move(model));
}

Result<NamedModel> read_named_model(const std::string& path) {
  PRESS_ASSIGN(Model model, read_model(path));
  std::error_code error;
  const auto bytes = path == "-" ? std::uintmax_t{0} : std::filesystem::file_size(path, error);
  const bool known = path != "-" && !error;
  const std::int64_t size = known ? static_cast<std::int64_t>(bytes) : serialized_size(model);
  return NamedModel{.name = path == "-" ? kStandardInput : path, .bytes = size, .model = std::move(model)};
}

void ModelTarget::add(CLI::App& app) {
  app.add_option("-o,--output", path, "where the result goes; - is standard output")
      ->type_name("FILE")
      ->group(kMainGroup);
  app.add_flag("-f,--force", force, "replace FILE where it exists")->group(kMainGroup);
  app.add_flag("-n,--dry-run", dry_run, "do everything in memory, report, and write nothing")
      ->group(kMainGroup);
}

Status ModelTarget::check(const std::string& input) const {
  if (dry_run) return {};
  if (path.empty())
    return Error(ErrorCode::kUsage, "say where the result goes: -o FILE (or --dry-run to try)");
  if (path == "-") {
    if (!Console::stdout_is_terminal()) return {};
    return Error(ErrorCode::kUsage,
                 "a model is not written to a terminal; give -o FILE, or redirect standard output");
  }
  // Starting the file and dropping it again shows all that may be wrong with the target.
  AtomicFile::Options options{.overwrite = force};
  if (input != "-") options.keep.push_back(input);
  auto file = AtomicFile::create(path, options);
  if (file.ok()) return {};
  return std::move(file).error().with_context(fmt::format("writing {}", press::quoted(path)));
}

Status ModelTarget::write(const Model& model, const std::string& input) const {
  PRESS_TRY(check_interrupted());
  if (path == "-") {
    return write_model(model, [](std::span<const std::byte> bytes) {
      return Console::print({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    });
  }
  SaveOptions options;
  options.overwrite = force;
  if (input != "-") options.inputs.push_back(input);
  return save_model(model, path, options);
}

}  // namespace press
