// Sets whose samples are image files: folders and CSV lists.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "calibrate/dataset_sources.h"
#include "press/support/text.h"

namespace press {

namespace {
namespace fs = std::filesystem;

constexpr std::string_view kReadable = ".jpg, .jpeg, .jpe, .jfif, .png, .bmp, .pgm, .ppm, .pnm";
constexpr std::array<std::string_view, 9> kEndings = {".jpg", ".jpeg", ".jpe", ".jfif", ".png",
                                                      ".bmp", ".pgm",  ".ppm", ".pnm"};

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

bool is_image_name(const fs::path& path) {
  return std::ranges::find(kEndings, lower(path.extension().string())) != kEndings.end();
}

struct ImageFile {
  std::string name;  // relative to the root of the set
  std::optional<std::int64_t> label;
};

class FileDataset final : public Dataset {
 public:
  FileDataset(fs::path root, std::vector<ImageFile> files, Info info)
      : Dataset(std::move(info)), root_(std::move(root)), files_(std::move(files)) {}

  std::size_t size() const override { return files_.size(); }
  std::string name(std::size_t index) const override { return files_[index].name; }
  std::optional<std::int64_t> label(std::size_t index) const override { return files_[index].label; }

  Result<Sample> read(std::size_t index) const override {
    PRESS_ASSIGN(const FileBytes file, map_file(root_ / files_[index].name));
    PRESS_ASSIGN(Image image, decode_image(file.bytes));
    return Sample(std::move(image));
  }

 private:
  fs::path root_;
  std::vector<ImageFile> files_;
};

/// What lies right in a folder, by name, without what begins with a dot.
struct Listing {
  std::vector<std::string> images;
  std::vector<std::string> folders;
  std::size_t others = 0;
};

Result<Listing> list(const fs::path& folder) {
  Listing listing;
  std::error_code code;
  fs::directory_iterator entries(folder, code);
  for (; !code && entries != fs::directory_iterator(); entries.increment(code)) {
    const fs::path& path = entries->path();
    std::string name = path.filename().string();
    if (name.starts_with('.')) continue;
    std::error_code no_such_target;
    if (entries->is_directory(no_such_target)) {
      listing.folders.push_back(std::move(name));
    } else if (is_image_name(path)) {
      listing.images.push_back(std::move(name));
    } else {
      ++listing.others;
    }
  }
  if (code) {
    return Error(ErrorCode::kInput,
                 fmt::format("cannot read folder '{}': {}", folder.string(), code.message()));
  }
  std::ranges::sort(listing.images);
  std::ranges::sort(listing.folders);
  return listing;
}

/// The fields of one CSV line (RFC 4180: a field in quotes may hold commas, and quotes as two quotes).
std::vector<std::string> split_fields(std::string_view line) {
  std::vector<std::string> fields(1);
  bool in_quotes = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && in_quotes && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += line[++i];
    } else if (c == '"') {
      in_quotes = !in_quotes;
    } else if (c == ',' && !in_quotes) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  for (std::string& field : fields) {
    const std::size_t first = field.find_first_not_of(" \t\r");
    field =
        first == std::string::npos ? "" : field.substr(first, field.find_last_not_of(" \t\r") - first + 1);
  }
  return fields;
}

/// A number of digits only.
std::optional<std::int64_t> parse_label(const std::string& text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  return code == std::errc() && stop == end && value >= 0 ? std::optional(value) : std::nullopt;
}
}  // namespace

DatasetResult open_folder(const fs::path& folder) {
  PRESS_ASSIGN(Listing listing, list(folder));
  std::vector<ImageFile> files;
  Dataset::Info info;
  info.ignored_files = listing.others;
  files.reserve(listing.images.size());
  for (std::string& image : listing.images) files.push_back({std::move(image), std::nullopt});

  std::string empty_class;
  for (const std::string& name : listing.folders) {
    PRESS_ASSIGN(const Listing members, list(folder / name));
    if (members.images.empty()) {
      if (empty_class.empty()) empty_class = name;
      continue;
    }
    if (!listing.images.empty()) {
      return Error(ErrorCode::kInput,
                   fmt::format("folder '{}' has images and sub-folders with images ({}): put all "
                               "images into sub-folders, one a class, or none",
                               folder.string(), press::quoted(name)));
    }
    const auto label = static_cast<std::int64_t>(info.class_names.size());
    for (const std::string& image : members.images)
      files.push_back({fmt::format("{}/{}", name, image), label});
    info.class_names.push_back(name);
    info.ignored_files += members.others;
  }
  if (files.empty()) {
    const bool nothing = listing.others == 0 && listing.folders.empty();
    return Error(
        ErrorCode::kInput,
        nothing ? fmt::format("folder '{}' is empty", folder.string())
                : fmt::format("folder '{}' has no images ({} other files, {} sub-folders without images; "
                              "readable are {})",
                              folder.string(), listing.others, listing.folders.size(), kReadable));
  }
  if (!info.class_names.empty() && !empty_class.empty()) {
    return Error(ErrorCode::kInput,
                 fmt::format("folder '{}': sub-folder {} has no images, but each sub-folder is a "
                             "class and counts for the labels: fill it or move it away",
                             folder.string(), press::quoted(empty_class)));
  }
  return std::unique_ptr<Dataset>(new FileDataset(folder, std::move(files), std::move(info)));
}

DatasetResult open_csv(const fs::path& path, std::string_view text) {
  const auto malformed = [&](std::size_t line, const std::string& what) {
    return Error(ErrorCode::kInput, fmt::format("'{}', line {}: {}", path.string(), line, what));
  };
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());

  std::vector<ImageFile> files;
  std::size_t name_column = 0;
  std::size_t label_column = 1;
  bool first = true;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::vector<std::string> fields = split_fields(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (fields.size() == 1 && fields[0].empty()) continue;
    if (std::exchange(first, false)) {
      std::vector<std::string> titles;
      titles.reserve(fields.size());
      for (const std::string& field : fields) titles.push_back(lower(field));
      const auto name_title = std::ranges::find(titles, "filename");
      const auto label_title = std::ranges::find(titles, "label");
      if (name_title != titles.end() && label_title != titles.end()) {
        name_column = static_cast<std::size_t>(name_title - titles.begin());
        label_column = static_cast<std::size_t>(label_title - titles.begin());
        continue;
      }
    }
    if (fields.size() <= std::max(name_column, label_column)) {
      return malformed(line, "'filename,label' is expected");
    }
    const auto label = parse_label(fields[label_column]);
    if (!label) {
      return malformed(
          line, fmt::format("label {} is no number of 0 or more (columns are filename,label, or named so "
                            "in the first line)",
                            press::quoted(fields[label_column])));
    }
    if (fields[name_column].empty()) return malformed(line, "the file name is empty");
    files.push_back({std::move(fields[name_column]), label});
  }
  if (files.empty()) return Error(ErrorCode::kInput, fmt::format("'{}' lists no images", path.string()));
  return std::unique_ptr<Dataset>(new FileDataset(path.parent_path(), std::move(files), {}));
}

}  // namespace press
