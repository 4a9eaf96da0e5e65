#include "press/calibrate/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "calibrate/dataset_sources.h"

namespace press {

namespace {
namespace fs = std::filesystem;

/// Some samples of another set.
class Subset final : public Dataset {
 public:
  Subset(std::unique_ptr<Dataset> whole, std::vector<std::size_t> indices)
      : Dataset(whole->info()), whole_(std::move(whole)), indices_(std::move(indices)) {}

  std::size_t size() const override { return indices_.size(); }
  std::string name(std::size_t index) const override { return whole_->name(indices_[index]); }
  std::optional<std::int64_t> label(std::size_t index) const override {
    return whole_->label(indices_[index]);
  }
  Result<Sample> read(std::size_t index) const override { return whole_->read(indices_[index]); }

 private:
  std::unique_ptr<Dataset> whole_;
  std::vector<std::size_t> indices_;
};

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  /// Below `bound`; the bias of the remainder is below bound / 2^64.
  std::size_t below(std::size_t bound) {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return static_cast<std::size_t>((z ^ (z >> 31)) % bound);
  }

 private:
  std::uint64_t state_;
};

/// The first `count` places of a shuffle of 0 to size - 1 (Fisher and Yates).
std::vector<std::size_t> draw(std::size_t size, std::size_t count, std::uint64_t seed) {
  std::vector<std::size_t> indices(size);
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  Random random(seed);
  for (std::size_t i = 0; i < count; ++i) std::swap(indices[i], indices[i + random.below(size - i)]);
  indices.resize(count);
  return indices;
}

/// How many to take of classes of these sizes: as equal as the sizes allow, `count` in all; what does not
/// divide goes to the first classes.
std::vector<std::size_t> share_out(const std::vector<std::size_t>& sizes, std::size_t count) {
  std::vector<std::size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // The smallest classes first: what they cannot give, the others share.
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return sizes[i]; });
  std::vector<std::size_t> shares(sizes.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::size_t left = order.size() - i;
    shares[order[i]] = std::min(sizes[order[i]], (count + left - 1) / left);
    count -= shares[order[i]];
  }
  return shares;
}

std::vector<std::size_t> spread(const Dataset& set, std::size_t count) {
  std::map<std::int64_t, std::vector<std::size_t>> classes;
  for (std::size_t i = 0; i < set.size(); ++i) classes[set.label(i).value_or(-1)].push_back(i);
  std::vector<std::size_t> sizes;
  sizes.reserve(classes.size());
  for (const auto& [label, members] : classes) sizes.push_back(members.size());
  const std::vector<std::size_t> shares = share_out(sizes, count);

  std::vector<std::size_t> indices;
  auto share = shares.begin();
  for (const auto& [label, members] : classes) {
    for (std::size_t i = 0; i < *share; ++i) indices.push_back(members[i * members.size() / *share]);
    ++share;
  }
  std::ranges::sort(indices);
  return indices;
}

DatasetResult open_whole(const fs::path& path, const fs::path& labels) {
  std::error_code code;
  const bool folder = fs::is_directory(path, code);
  if (folder && labels.empty()) return open_folder(path);
  const auto own_labels = [&](std::string_view kind) {
    return Error(ErrorCode::kUsage,
                 fmt::format("'{}' is {}, which does not take a label file", path.string(), kind));
  };
  if (folder) return own_labels("a folder");

  PRESS_ASSIGN(const FileBytes file, map_file(path));
  const std::string_view text = file.text();
  if (is_npy(text)) return open_npy(path, file, labels);
  if (is_gzip(text) || is_idx(text)) return open_idx(path, file, labels);
  if (is_zip(text)) return labels.empty() ? open_npz(path, file) : own_labels("an NPZ file");
  if (path.extension() == ".csv") return labels.empty() ? open_csv(path, text) : own_labels("a CSV file");
  return Error(ErrorCode::kInput,
               fmt::format("'{}' is no set of samples: give a folder of images, a CSV file of "
                           "filename,label, or an IDX, NPY or NPZ file",
                           path.string()));
}
}  // namespace

Result<std::unique_ptr<Dataset>> open_dataset(const fs::path& path, const DatasetOptions& options) {
  PRESS_ASSIGN(std::unique_ptr<Dataset> set, open_whole(path, options.labels));
  if (set->size() == 0) return Error(ErrorCode::kInput, fmt::format("'{}' has no samples", path.string()));
  const std::size_t count = options.limit == 0 ? set->size() : std::min(options.limit, set->size());
  if (options.seed) {
    std::vector<std::size_t> indices = draw(set->size(), count, *options.seed);
    return std::unique_ptr<Dataset>(new Subset(std::move(set), std::move(indices)));
  }
  if (count == set->size()) return set;
  std::vector<std::size_t> indices = spread(*set, count);
  return std::unique_ptr<Dataset>(new Subset(std::move(set), std::move(indices)));
}

}  // namespace press
