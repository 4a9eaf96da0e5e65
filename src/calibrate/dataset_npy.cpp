// Sets of tensors in NPY and NPZ files.
#include <fmt/format.h>

#include <algorithm>

#include "calibrate/dataset_sources.h"
#include "calibrate/npy.h"
#include "press/support/text.h"

namespace press {

namespace {
class TensorDataset final : public Dataset {
 public:
  TensorDataset(std::string name, std::vector<std::shared_ptr<const Tensor>> arrays,
                std::vector<std::int64_t> labels, Info info)
      : Dataset(std::move(info)),
        name_(std::move(name)),
        arrays_(std::move(arrays)),
        labels_(std::move(labels)) {}

  std::size_t size() const override { return static_cast<std::size_t>(arrays_[0]->dims()[0]); }
  std::string name(std::size_t index) const override { return fmt::format("{}[{}]", name_, index); }
  std::optional<std::int64_t> label(std::size_t index) const override {
    return labels_.empty() ? std::nullopt : std::optional(labels_[index]);
  }

  Result<Sample> read(std::size_t index) const override {
    std::vector<Tensor> sample;
    for (const std::shared_ptr<const Tensor>& array : arrays_) {
      const std::size_t bytes = array->bytes().size() / size();
      PRESS_ASSIGN(Tensor part,
                   Tensor::from_bytes(array->type(), Dims(array->dims().begin() + 1, array->dims().end()),
                                      array->bytes().subspan(index * bytes, bytes), array));
      sample.push_back(std::move(part));
    }
    return Sample(std::move(sample));
  }

 private:
  std::string name_;
  std::vector<std::shared_ptr<const Tensor>> arrays_;
  std::vector<std::int64_t> labels_;
};

/// Makes a set of arrays that must have the same number of samples, as many as there are labels where there
/// are any.
DatasetResult make_dataset(const std::filesystem::path& path, std::vector<NamedArray> arrays,
                           std::optional<std::vector<std::int64_t>> labels) {
  const auto wrong = [&](const std::string& what) {
    return Error(ErrorCode::kInput, fmt::format("'{}': {}", path.string(), what));
  };
  Dataset::Info info;
  std::vector<std::shared_ptr<const Tensor>> tensors;
  for (NamedArray& entry : arrays) {
    const std::string subject = entry.name.empty() ? "the array" : "array " + press::quoted(entry.name);
    if (entry.array.rank() == 0)
      return wrong(subject + " is a scalar, its first dimension must count the samples");
    const std::int64_t samples = entry.array.dims()[0];
    const std::int64_t expected = labels            ? static_cast<std::int64_t>(labels->size())
                                  : tensors.empty() ? samples
                                                    : tensors[0]->dims()[0];
    if (samples != expected) {
      return wrong(fmt::format(
          "{} has {} samples, {} {}", subject, samples,
          labels ? "the labels are" : "array " + press::quoted(info.array_names[0]) + " has", expected));
    }
    info.array_names.push_back(entry.name);
    tensors.push_back(std::make_shared<Tensor>(std::move(entry.array)));
  }
  return std::unique_ptr<Dataset>(new TensorDataset(path.filename().string(), std::move(tensors),
                                                    std::move(labels).value_or(std::vector<std::int64_t>()),
                                                    std::move(info)));
}
}  // namespace

DatasetResult open_npy(const std::filesystem::path& path, const FileBytes& file,
                       const std::filesystem::path& label_path) {
  PRESS_ASSIGN(Tensor array, parse_npy(file).with_context(fmt::format("'{}'", path.string())));
  std::optional<std::vector<std::int64_t>> labels;
  if (!label_path.empty()) {
    PRESS_ASSIGN(labels, read_labels(label_path));
  }
  return make_dataset(path, {{"", std::move(array)}}, std::move(labels));
}

DatasetResult open_npz(const std::filesystem::path& path, const FileBytes& file) {
  const std::string context = fmt::format("'{}'", path.string());
  PRESS_ASSIGN(std::vector<NamedArray> arrays, parse_npz(file).with_context(context));
  std::optional<std::vector<std::int64_t>> labels;
  if (const auto found = std::ranges::find(arrays, "labels", &NamedArray::name); found != arrays.end()) {
    PRESS_ASSIGN(labels, to_labels(found->array).with_context(context));
    arrays.erase(found);
  }
  if (arrays.empty()) {
    return Error(
        ErrorCode::kInput,
        fmt::format("{} has no arrays: one for each input of the network is expected, named as the input",
                    context));
  }
  return make_dataset(path, std::move(arrays), std::move(labels));
}

}  // namespace press
