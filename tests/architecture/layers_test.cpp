// The floors of docs/architecture.md, held up: who may include whom, and the one door of each large library.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace press {
namespace {

namespace fs = std::filesystem;

/// From bottom to top; floors of the same number are siblings and do not know each other.
const std::map<std::string, int> kFloors = {
    {"support", 0}, {"ir", 1},        {"numeric", 2},  {"ops", 3},      {"onnx", 4}, {"runtime", 5},
    {"passes", 6},  {"calibrate", 6}, {"evaluate", 6}, {"pipeline", 7}, {"cli", 8},
};

/// Headers that begin like `prefix` are included only in sources whose path begins like one of `doors`.
struct Door {
  std::string prefix;
  std::vector<std::string> doors;
};
const std::vector<Door> kDoors = {
    {"oneapi/", {"src/runtime/"}},
    {"dnnl", {"src/runtime/"}},
    {"Eigen/", {"src/runtime/", "src/numeric/"}},
    {"onnx/", {"src/onnx/"}},
    {"google/protobuf", {"src/onnx/"}},
    {"CLI/", {"src/cli/"}},
    {"spdlog/", {"src/cli/"}},
    {"jpeglib.h", {"src/calibrate/image_"}},
    {"stb/", {"src/calibrate/image_"}},
};

struct Include {
  std::string file;  // relative to the source tree
  int line = 0;
  std::string header;
  bool quoted = false;
};

std::vector<Include> includes_of(const fs::path& root) {
  std::vector<fs::path> files;
  for (const char* folder : {"src", "include"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension();
      if (extension == ".h" || extension == ".cpp") files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  std::vector<Include> includes;
  for (const fs::path& file : files) {
    std::ifstream stream(file);
    std::string text;
    for (int line = 1; std::getline(stream, text); ++line) {
      const auto hash = text.find_first_not_of(" \t");
      if (hash == std::string::npos || text[hash] != '#') continue;
      const auto word = text.find("include", hash);
      const auto open = text.find_first_of("<\"", hash);
      const auto close = open != std::string::npos ? text.find_first_of(">\"", open + 1) : open;
      if (word == std::string::npos || close == std::string::npos || word > open) continue;
      includes.push_back(
          {fs::relative(file, root), line, text.substr(open + 1, close - open - 1), text[open] == '"'});
    }
  }
  return includes;
}

/// "src/passes/fuse/x.cpp" and "include/press/passes/pass.h" stand on floor "passes".
std::string floor_of_file(const std::string& path) {
  for (const std::string prefix : {"src/", "include/press/"}) {
    if (path.rfind(prefix, 0) != 0) continue;
    return path.substr(prefix.size(), path.find('/', prefix.size()) - prefix.size());
  }
  return {};
}

/// "press/ir/graph.h" and "ir/text.h" are of floor "ir"; a header without folder is of none.
std::string floor_of_header(std::string header) {
  if (header.rfind("press/", 0) == 0) header = header.substr(6);
  const auto slash = header.find('/');
  return slash != std::string::npos ? header.substr(0, slash) : std::string();
}

bool includes_wrongly(const Include& include) {
  if (!include.quoted) return false;
  const std::string from = floor_of_file(include.file), to = floor_of_header(include.header);
  if (!kFloors.contains(from) || !kFloors.contains(to) || from == to) return false;
  return kFloors.at(to) >= kFloors.at(from);
}

bool passes_a_wrong_door(const Include& include) {
  return std::ranges::any_of(kDoors, [&](const Door& door) {
    if (include.quoted && kFloors.contains(floor_of_header(include.header))) return false;
    if (include.header.rfind(door.prefix, 0) != 0) return false;
    return std::ranges::none_of(
        door.doors, [&](const std::string& allowed) { return include.file.rfind(allowed, 0) == 0; });
  });
}

std::string describe(const Include& include) {
  return fmt::format("{}:{}: includes {}", include.file, include.line, include.header);
}

TEST(Layers, EveryFolderIsAKnownFloor) {
  for (const char* folder : {"src", "include/press"}) {
    for (const auto& entry : fs::directory_iterator(fs::path(PRESS_SOURCE_DIR) / folder)) {
      EXPECT_TRUE(kFloors.contains(entry.path().filename())) << entry.path() << " is no floor";
    }
  }
}

TEST(Layers, FloorsIncludeOnlyWhatLiesBelow) {
  const auto includes = includes_of(PRESS_SOURCE_DIR);
  EXPECT_GT(includes.size(), 100U);
  for (const Include& include : includes) {
    EXPECT_FALSE(includes_wrongly(include)) << describe(include) << ", which lies above or beside it";
  }
}

TEST(Layers, LibrariesHaveOneDoor) {
  for (const Include& include : includes_of(PRESS_SOURCE_DIR)) {
    EXPECT_FALSE(passes_a_wrong_door(include)) << describe(include) << " outside its door";
  }
}

TEST(Layers, BreachesAreSeen) {
  EXPECT_TRUE(includes_wrongly({"src/ir/graph.cpp", 1, "press/ops/operator.h", true}));
  EXPECT_TRUE(includes_wrongly({"include/press/passes/pass.h", 1, "press/calibrate/image.h", true}));
  EXPECT_TRUE(includes_wrongly({"src/passes/fuse/x.cpp", 1, "pipeline/recipe.h", true}));
  EXPECT_FALSE(includes_wrongly({"src/passes/fuse/x.cpp", 1, "passes/selection.h", true}));
  EXPECT_TRUE(passes_a_wrong_door({"src/ir/graph.cpp", 1, "onnx/onnx_pb.h", false}));
  EXPECT_TRUE(passes_a_wrong_door({"src/calibrate/dataset.cpp", 1, "jpeglib.h", false}));
  EXPECT_FALSE(passes_a_wrong_door({"src/calibrate/image_jpeg.cpp", 1, "jpeglib.h", false}));
}

}  // namespace
}  // namespace press
