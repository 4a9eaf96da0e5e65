#include "press/pipeline/sweep_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "press/support/atomic_file.h"
#include "press/support/text.h"

namespace press {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::optional<std::string> text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) return std::nullopt;
  return text.str();
}

}  // namespace

Status SweepFolder::create() const {
  for (const char* name : {"cells", "models", "timings"}) {
    std::error_code error;
    fs::create_directories(fs::path(path_) / name, error);
    if (!error) continue;
    return Error(ErrorCode::kOutput,
                 fmt::format("cannot make the folder {}: {}", quoted_path((fs::path(path_) / name).string()),
                             error.message()));
  }
  return {};
}

std::string SweepFolder::model_path(const std::string& id) const {
  return (fs::path(path_) / "models" / (id + ".onnx")).string();
}

Status SweepFolder::write_plan(const SweepPlan& plan) const {
  const ordered_json json{{"schema", 1},
                          {"version", PRESS_VERSION},
                          {"images", plan.samples_path},
                          {"preprocess", plan.preprocess},
                          {"cells", plan.cells}};
  return write_file((fs::path(path_) / "sweep.json").string(),
                    json.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

Status SweepFolder::write(const SweepCell& cell) const {
  return write_file((fs::path(path_) / "cells" / (cell.id + ".json")).string(), to_json(cell));
}

Status SweepFolder::write(const std::string& id, const SweepCell::Timing& timing) const {
  return write_file((fs::path(path_) / "timings" / (id + ".json")).string(), to_json(timing));
}

std::optional<SweepCell> SweepFolder::cell(const std::string& id) const {
  const auto text = text_of(fs::path(path_) / "cells" / (id + ".json"));
  if (!text) return std::nullopt;
  auto cell = sweep_cell_from_json(*text);
  return cell.ok() && cell->id == id ? std::optional(std::move(cell).value()) : std::nullopt;
}

std::optional<SweepCell::Timing> SweepFolder::timing(const std::string& id) const {
  const auto text = text_of(fs::path(path_) / "timings" / (id + ".json"));
  if (!text) return std::nullopt;
  auto timing = sweep_timing_from_json(*text);
  return timing.ok() ? std::optional(std::move(timing).value()) : std::nullopt;
}

Result<SweepPlan> SweepFolder::plan() const {
  const fs::path path = fs::path(path_) / "sweep.json";
  const auto text = text_of(path);
  if (!text) {
    return Error(ErrorCode::kInput,
                 fmt::format("{} holds no sweep: there is no sweep.json", quoted_path(path_)));
  }
  try {
    const ordered_json json = ordered_json::parse(*text);
    return SweepPlan{json.at("cells").get<std::vector<std::string>>(), json.at("images").get<std::string>(),
                     json.at("preprocess").get<std::string>()};
  } catch (const nlohmann::json::exception& exception) {
    return Error(ErrorCode::kInput, fmt::format("{}: {}", quoted_path(path.string()), exception.what()));
  }
}

Result<std::vector<SweepCell>> SweepFolder::cells() const {
  PRESS_ASSIGN(const SweepPlan found, plan());
  std::vector<SweepCell> cells;
  for (const std::string& id : found.cells) {
    auto read = cell(id);
    if (!read) continue;
    read->timing = timing(id);
    cells.push_back(*std::move(read));
  }
  return cells;
}

std::string command_of(const std::string& model, const SweepRecipe& recipe) {
  std::string command = "compress optimize " + shell_word(model) + " -o small.onnx";
  for (std::size_t begin = 0; begin < recipe.text.size();) {
    const std::size_t end = recipe.text.find('\n', begin);
    const std::string line = recipe.text.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t equals = line.find(" = ");
    const std::string key = line.substr(0, equals);
    const ordered_json value = ordered_json::parse(line.substr(equals + 3), nullptr, false);
    const auto options = recipe_options();
    const auto option =
        std::find_if(options.begin(), options.end(), [&](const auto& o) { return o.key == key; });
    if (option == options.end() || option->flag.empty() || value.is_discarded()) {
      return "compress optimize " + shell_word(model) + " -o small.onnx --recipe recipe.toml";
    }
    const std::string flag(option->flag);
    const auto word = [](const ordered_json& item) {
      return shell_word(item.is_string() ? item.get<std::string>() : item.dump());
    };
    if (value.is_boolean()) {
      command += " " + (value.get<bool>() ? flag : "--no-" + flag.substr(2));
    } else if (value.is_array() && option->kind == OptionKind::kTexts) {
      for (const auto& item : value) command += " " + flag + " " + word(item);
    } else if (value.is_array()) {
      std::string list;
      for (const auto& item : value) list += fmt::format("{}{}", list.empty() ? "" : ",", item.dump());
      command += " " + flag + " " + list;
    } else {
      command += " " + flag + " " + word(value);
    }
  }
  return command;
}

std::string machine_name() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  std::string name = "unknown processor";
  while (std::getline(file, line)) {
    if (!line.starts_with("model name")) continue;
    name = line.substr(std::min(line.size(), line.find(':') + 2));
    break;
  }
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  return fmt::format("{}, {} core{}", name, cores, cores == 1 ? "" : "s");
}

}  // namespace press
