#include "press/support/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <vector>

#include "press/support/text.h"

namespace press {
namespace {

Error failed(const std::string& what) {
  return {ErrorCode::kOutput, fmt::format("{}: {}", what, std::strerror(errno))};
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

/// Follows links of the last path component, also where the last one points to nothing yet.
Result<std::string> follow_links(std::string path) {
  for (int hops = 0; hops < 40; ++hops) {
    std::string target(PATH_MAX, '\0');
    const ssize_t length = readlink(path.c_str(), target.data(), target.size());
    if (length < 0) return path;
    target.resize(static_cast<std::size_t>(length));
    path = target.starts_with('/') ? target : fmt::format("{}/{}", folder_of(path), target);
  }
  return Error(ErrorCode::kOutput, "the path is a circle of links");
}

bool is_file(const std::string& path, const struct stat& wanted) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && status.st_dev == wanted.st_dev && status.st_ino == wanted.st_ino;
}

}  // namespace

Result<AtomicFile> AtomicFile::create(const std::string& path, const Options& options) {
  if (path.empty() || path.ends_with('/')) return Error(ErrorCode::kOutput, "the path names no file");
  PRESS_ASSIGN(std::string target, follow_links(path));
  struct stat status {};
  mode_t mode = 0666;
  const bool exists = stat(target.c_str(), &status) == 0;
  if (exists) {
    if (!S_ISREG(status.st_mode))
      return Error(ErrorCode::kOutput, "there is something that is no regular file");
    if (MappedFile::is_open(status.st_dev, status.st_ino) ||
        std::ranges::any_of(options.keep, [&](const auto& kept) { return is_file(kept, status); })) {
      return Error(ErrorCode::kOutput, "this is an input file; name another output");
    }
    if (!options.overwrite)
      return Error(ErrorCode::kOutput, "the file exists already and may not be overwritten");
    mode = status.st_mode & 0777;
  }
  // A name of our own per process and attempt; O_EXCL makes it ours.
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::string temporary = fmt::format("{}.{}-{}.tmp", target, getpid(), attempt);
    FileDescriptor file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (file.valid()) {
      if (exists) fchmod(file.get(), mode);
      return AtomicFile(std::move(target), std::move(temporary), std::move(file), options.overwrite);
    }
    if (errno != EEXIST) break;
  }
  return failed(fmt::format("no file can be made in the folder {}", quoted_path(folder_of(target))));
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::move(other.file_)),
      overwrite_(other.overwrite_) {}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

Status AtomicFile::reserve(std::uint64_t size) {
  if (size == 0 || fallocate(file_.get(), 0, 0, static_cast<off_t>(size)) == 0) return {};
  const bool is_full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
  return is_full ? Status(failed("writing failed")) : Status();
}

Status AtomicFile::write(std::span<const std::span<const std::byte>> pieces) {
  constexpr std::size_t kMostPieces = 512, kMostBytes = std::size_t{1} << 24;
  std::size_t done = 0;  // of the first piece
  while (!pieces.empty()) {
    std::vector<iovec> batch;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < std::min(pieces.size(), kMostPieces) && bytes < kMostBytes; ++i) {
      const std::span<const std::byte> rest = pieces[i].subspan(i == 0 ? done : 0);
      batch.push_back({const_cast<std::byte*>(rest.data()), std::min(rest.size(), kMostBytes - bytes)});
      bytes += batch.back().iov_len;
    }
    ssize_t written = ::writev(file_.get(), batch.data(), static_cast<int>(batch.size()));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("writing failed");
    done += static_cast<std::size_t>(written);
    while (!pieces.empty() && done >= pieces.front().size()) {
      done -= pieces.front().size();
      pieces = pieces.subspan(1);
    }
  }
  return {};
}

void AtomicFile::start_flush() {
  // Only a hint: where it fails, flush() does all of it.
  sync_file_range(file_.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
}

Status AtomicFile::flush() {
  if (fsync(file_.get()) != 0) return failed("the disk did not take the file");
  if (!file_.close()) return failed("the disk did not take the file");
  return {};
}

Status AtomicFile::commit() {
  if (overwrite_) {
    if (rename(temporary_.c_str(), target_.c_str()) != 0) return failed("renaming the finished file failed");
  } else {
    // link() fails where somebody else made the target meanwhile; file systems without links fall back to
    // rename().
    if (link(temporary_.c_str(), target_.c_str()) == 0) {
      unlink(temporary_.c_str());
    } else if (errno == EEXIST) {
      return Error(ErrorCode::kOutput, "the file has come into being meanwhile and may not be overwritten");
    } else if (rename(temporary_.c_str(), target_.c_str()) != 0) {
      return failed("renaming the finished file failed");
    }
  }
  temporary_.clear();
  const FileDescriptor folder(::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.valid()) fsync(folder.get());
  return {};
}

Status write_file(const std::string& path, std::string_view text) {
  PRESS_ASSIGN(AtomicFile file, AtomicFile::create(path, {.overwrite = true}));
  PRESS_TRY(file.write(std::as_bytes(std::span(text))));
  PRESS_TRY(file.flush());
  return file.commit();
}

}  // namespace press
