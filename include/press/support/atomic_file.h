// Files that appear whole or not at all: written beside the target, forced to disk, then renamed over it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "press/support/file_descriptor.h"
#include "press/support/mapped_file.h"
#include "press/support/result.h"

namespace press {

class AtomicFile {
 public:
  struct Options {
    bool overwrite = false;
    std::vector<std::string> keep = {};  // files that must never be replaced: the inputs
  };

  /// Starts a temporary file in the folder of `path`; where `path` is a link, in the folder that it points
  /// to. Errors (kOutput): the target exists and may not be overwritten, is no regular file, or its folder
  /// cannot be written.
  static Result<AtomicFile> create(const std::string& path, const Options& options);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  /// Removes the temporary file where commit() did not rename it.
  ~AtomicFile();

  /// Takes the room on the disk for a file of that size, which is then to be written; a disk that cannot do
  /// so beforehand is none the worse. Errors (kOutput): the disk is full.
  Status reserve(std::uint64_t size);

  /// Appends. Errors (kOutput): the disk is full, or another failure to write.
  Status write(std::span<const std::byte> bytes) { return write({&bytes, 1}); }
  /// Appends all pieces at once, which takes less time than one after another.
  Status write(std::span<const std::span<const std::byte>> pieces);

  /// Lets the disk begin with what has been written, so that flush() waits for less. Does not wait itself.
  void start_flush();

  /// Forces everything to disk and closes. Errors (kOutput) as for write().
  Status flush();

  /// Renames the file to its target, after flush(). Errors (kOutput).
  Status commit();

  /// Where the bytes are until commit().
  const std::string& temporary_path() const { return temporary_; }

 private:
  AtomicFile(std::string target, std::string temporary, FileDescriptor file, bool overwrite)
      : target_(std::move(target)),
        temporary_(std::move(temporary)),
        file_(std::move(file)),
        overwrite_(overwrite) {}

  std::string target_;
  std::string temporary_;  // "" once there is none any more
  FileDescriptor file_;
  bool overwrite_;
};

/// Writes a whole file, replacing an older one of that name; a reader sees the old one or the new one. Errors
/// (kOutput) as for AtomicFile.
Status write_file(const std::string& path, std::string_view text);

}  // namespace press
