// Sets of samples on disk, with random access: images in folders, CSV lists and IDX files; tensors in NPY and
// NPZ files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "press/calibrate/image.h"
#include "press/ir/tensor.h"
#include "press/support/result.h"

namespace press {

struct DatasetOptions {
  /// Label file of an IDX set (IDX or NPY) or of an NPY set; empty: an IDX set looks for it beside the
  /// images.
  std::filesystem::path labels;
  /// How many samples to take; 0 takes all.
  std::size_t limit = 0;
  /// Not given: the samples are taken evenly, the same number of each class as far as a class has so many,
  /// evenly spread over the class, in the order of the set; so all classes appear where the limit is at least
  /// their number. Given: they are drawn at random without replacement and keep the order in which they were
  /// drawn, the same for the same seed on every machine.
  std::optional<std::uint64_t> seed;
};

/// One image, or one tensor for each array of the set (without the dim that counts the samples).
using Sample = std::variant<Image, std::vector<Tensor>>;

class Dataset {
 public:
  /// What holds for the set as a whole.
  struct Info {
    std::vector<std::string> class_names;  // by label; empty where labels have no names
    std::vector<std::string>
        array_names;                // of an NPZ set, by file order; one empty name for NPY; none for images
    std::size_t ignored_files = 0;  // files in folders that are no images by their names
  };

  virtual ~Dataset() = default;

  virtual std::size_t size() const = 0;
  /// Path in the set, or position in its file: "cat/7.jpg", "train-images-idx3-ubyte[7]".
  virtual std::string name(std::size_t index) const = 0;
  virtual std::optional<std::int64_t> label(std::size_t index) const = 0;
  /// May be called from several threads. Errors: kInput where the file is missing or damaged; the error does
  /// not name the sample.
  virtual Result<Sample> read(std::size_t index) const = 0;

  const Info& info() const { return info_; }
  bool holds_images() const { return info_.array_names.empty(); }

 protected:
  explicit Dataset(Info info) : info_(std::move(info)) {}

 private:
  Info info_;
};

/// Opens what `path` is:
/// - a folder of sub-folders: each is a class, labels count the names in byte order from 0; images lie right
/// in them;
/// - a folder of images: they have no labels and are ordered by name;
/// - a CSV file: `filename,label` a line, or columns of these names in a header line; paths are relative to
/// the file;
/// - an IDX file of images (idx3, unsigned bytes), plain or gzip; labels of idx1 beside it, "images-idx3" in
/// the name
///   replaced by "labels-idx1";
/// - an NPY file: one tensor a sample along the first dim; C order, little-endian, bool, integers and floats;
/// - an NPZ file: such an array for each input of the network, named as the input, and perhaps integers named
/// "labels". Images are recognised by the endings .jpg, .jpeg, .jpe, .jfif, .png, .bmp, .pgm, .ppm and .pnm;
/// other files and those that begin with a dot are passed over. Errors: kInput where the path is missing,
/// empty, or no such set; kUsage where a label file is given to a set that has its own way to label.
Result<std::unique_ptr<Dataset>> open_dataset(const std::filesystem::path& path,
                                              const DatasetOptions& options = {});

}  // namespace press
