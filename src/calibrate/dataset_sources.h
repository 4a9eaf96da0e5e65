// The kinds of sets behind open_dataset(), and the bytes of files.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "press/calibrate/dataset.h"

namespace press {

/// Bytes and what keeps them alive.
struct FileBytes {
  std::shared_ptr<const void> owner;
  std::span<const std::byte> bytes;

  std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

/// Maps a file into memory. Errors: kInput for a missing path, a directory, no permission.
Result<FileBytes> map_file(const std::filesystem::path& path);

enum class Deflate { kRaw, kGzip };

/// Inflates into the whole of `target`; `whole`: the stream must end there. Errors: kInput for damaged data
/// or another length.
Status inflate_into(std::span<std::byte> target, std::span<const std::byte> source, Deflate format,
                    bool whole);

/// Inflates `size` bytes into new memory; they must be all there are. Errors: as inflate_into; kInput for a
/// size that `source` is too short to hold, before memory is asked for.
Result<FileBytes> inflate(std::span<const std::byte> source, std::size_t size, Deflate format);

using DatasetResult = Result<std::unique_ptr<Dataset>>;
DatasetResult open_folder(const std::filesystem::path& folder);
DatasetResult open_csv(const std::filesystem::path& path, std::string_view text);
DatasetResult open_idx(const std::filesystem::path& path, const FileBytes& file,
                       const std::filesystem::path& labels);
DatasetResult open_npy(const std::filesystem::path& path, const FileBytes& file,
                       const std::filesystem::path& labels);
DatasetResult open_npz(const std::filesystem::path& path, const FileBytes& file);

/// The labels of an IDX (idx1, unsigned bytes; perhaps gzip) or NPY (integers of rank 1) file.
Result<std::vector<std::int64_t>> read_labels(const std::filesystem::path& path);

bool is_gzip(std::string_view text);
bool is_idx(std::string_view text);
bool is_npy(std::string_view text);
bool is_zip(std::string_view text);

}  // namespace press
