// IDX files as of MNIST: a big-endian header 0, 0, element type, rank, then dims of 32 bits, then the
// elements (http://yann.lecun.com/exdb/mnist/).
#include <fmt/format.h>

#include "calibrate/dataset_sources.h"
#include "calibrate/npy.h"

namespace press {

namespace {
namespace fs = std::filesystem;

constexpr unsigned kUnsignedByte = 0x08;

/// The elements behind a header of unsigned bytes and the given rank.
struct IdxArray {
  Dims dims;
  FileBytes file;
  std::span<const std::byte> elements;
};

Result<IdxArray> parse_idx(FileBytes file, std::size_t rank) {
  const std::size_t header_size = 4 + 4 * rank;
  std::vector<std::byte> inflated_header(header_size);
  const bool compressed = is_gzip(file.text());
  if (compressed) {
    PRESS_TRY(inflate_into(inflated_header, file.bytes, Deflate::kGzip, false));
  } else if (file.bytes.size() < header_size) {
    return Error(ErrorCode::kInput, "the IDX header is truncated");
  }
  const std::span<const std::byte> header =
      compressed ? std::span<const std::byte>(inflated_header) : file.bytes;
  const auto byte = [&](std::size_t i) { return std::to_integer<unsigned>(header[i]); };
  if (byte(0) != 0 || byte(1) != 0 || byte(2) != kUnsignedByte || byte(3) != rank) {
    return Error(ErrorCode::kInput,
                 fmt::format("an IDX file of unsigned bytes and rank {} is expected (it begins with "
                             "0 0 {} {}), this one begins with {} {} {} {}",
                             rank, kUnsignedByte, rank, byte(0), byte(1), byte(2), byte(3)));
  }
  Dims dims;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t at = 4 + 4 * i;
    dims.push_back(std::int64_t{byte(at)} << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3));
  }
  PRESS_ASSIGN(const std::int64_t count, element_count(dims));
  const std::size_t size = header_size + static_cast<std::size_t>(count);
  if (compressed) {
    PRESS_ASSIGN(file, inflate(file.bytes, size, Deflate::kGzip));
  } else if (file.bytes.size() != size) {
    return Error(ErrorCode::kInput, fmt::format("{} elements need {} bytes, the IDX file has {}",
                                                to_string(dims), size, file.bytes.size()));
  }
  const std::span<const std::byte> elements = file.bytes.subspan(header_size);
  return IdxArray{std::move(dims), std::move(file), elements};
}

class IdxDataset final : public Dataset {
 public:
  IdxDataset(std::string name, IdxArray images, std::vector<std::int64_t> labels)
      : Dataset({}), name_(std::move(name)), images_(std::move(images)), labels_(std::move(labels)) {}

  std::size_t size() const override { return static_cast<std::size_t>(images_.dims[0]); }
  std::string name(std::size_t index) const override { return fmt::format("{}[{}]", name_, index); }
  std::optional<std::int64_t> label(std::size_t index) const override {
    return labels_.empty() ? std::nullopt : std::optional(labels_[index]);
  }

  Result<Sample> read(std::size_t index) const override {
    PRESS_ASSIGN(Image image,
                 make_image({static_cast<int>(images_.dims[1]), static_cast<int>(images_.dims[2])}, 1));
    const auto* pixels = reinterpret_cast<const std::uint8_t*>(images_.elements.data());
    const std::size_t count = image.pixels.size();
    image.pixels.assign(pixels + index * count, pixels + (index + 1) * count);
    return Sample(std::move(image));
  }

 private:
  std::string name_;
  IdxArray images_;
  std::vector<std::int64_t> labels_;
};

/// "train-images-idx3-ubyte.gz" -> "train-labels-idx1-ubyte.gz", or the same with or without ".gz" and with
/// "." for
/// "-" as some copies have it; empty where there is none.
fs::path find_labels(const fs::path& images) {
  std::string name = images.filename().string();
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  for (const std::string separator : {"-", "."}) {
    const std::string part = "images" + separator + "idx3";
    const std::size_t at = name.find(part);
    if (at == std::string::npos) continue;
    name.replace(at, part.size(), "labels" + separator + "idx1");
    for (const char* ending : {"", ".gz"}) {
      fs::path labels = images.parent_path() / (name + ending);
      std::error_code code;
      if (fs::exists(labels, code)) return labels;
    }
  }
  return {};
}
}  // namespace

bool is_gzip(std::string_view text) {
  return text.starts_with("\x1f\x8b");
}

bool is_idx(std::string_view text) {
  using namespace std::string_view_literals;
  return text.starts_with("\0\0\x08"sv);
}

Result<std::vector<std::int64_t>> read_labels(const fs::path& path) {
  const std::string context = fmt::format("labels '{}'", path.string());
  PRESS_ASSIGN(const FileBytes file, map_file(path));
  if (is_npy(file.text())) {
    PRESS_ASSIGN(const Tensor array, parse_npy(file).with_context(context));
    return to_labels(array).with_context(context);
  }
  PRESS_ASSIGN(const IdxArray array, parse_idx(file, 1).with_context(context));
  std::vector<std::int64_t> labels;
  for (const std::byte label : array.elements) labels.push_back(std::to_integer<std::int64_t>(label));
  return labels;
}

DatasetResult open_idx(const fs::path& path, const FileBytes& file, const fs::path& labels) {
  PRESS_ASSIGN(IdxArray images, parse_idx(file, 3).with_context(fmt::format("'{}'", path.string())));
  const fs::path label_path = labels.empty() ? find_labels(path) : labels;
  std::vector<std::int64_t> values;
  if (!label_path.empty()) {
    PRESS_ASSIGN(values, read_labels(label_path));
    if (values.size() != static_cast<std::size_t>(images.dims[0])) {
      return Error(ErrorCode::kInput, fmt::format("'{}' has {} images, '{}' has {} labels", path.string(),
                                                  images.dims[0], label_path.string(), values.size()));
    }
  }
  return std::unique_ptr<Dataset>(
      new IdxDataset(path.filename().string(), std::move(images), std::move(values)));
}

}  // namespace press
