// Files read by mapping them into memory: nothing is copied, and pages come in when they are touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "press/support/result.h"

namespace press {

class MappedFile {
 public:
  /// Maps a regular file read-only. Errors (kInput): missing, not readable, not a regular file.
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path);

  /// The same for a file below the folder `folder`. Errors also where `relative` is absolute, or leads out of
  /// the folder by ".." or by links; nothing outside the folder is opened.
  static Result<std::shared_ptr<const MappedFile>> open_inside(const std::string& folder,
                                                               const std::string& relative);

  /// All of standard input, where it is a pipe through an unnamed file in memory. Errors (kInput): it cannot
  /// be read, or is more than memory holds.
  static Result<std::shared_ptr<const MappedFile>> standard_input();

  /// A smaller file stays in memory: letting go of it tensor by tensor takes longer than reading it.
  static constexpr std::size_t kWorthReleasing = std::size_t{32} << 20;

  /// Tells the kernel that the pages of `bytes` are not needed for now, where they belong to a mapped file of
  /// kWorthReleasing or more; their contents stay readable. Does nothing for any other memory.
  static void release(std::span<const std::byte> bytes);

  /// Whether the file with this device and inode number is mapped at the moment.
  static bool is_open(std::uint64_t device, std::uint64_t inode);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  static Result<std::shared_ptr<const MappedFile>> map(int descriptor);

  std::span<const std::byte> bytes_;
};

}  // namespace press
