#include "press/support/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "press/support/file_descriptor.h"
#include "press/support/text.h"

namespace press {
namespace {

Error failed(const std::string& what) {
  return {ErrorCode::kInput, fmt::format("{}: {}", what, std::strerror(errno))};
}

std::string_view kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return S_ISCHR(mode) || S_ISBLK(mode) ? "a device" : "no regular file";
}

struct Mapping {
  std::span<const std::byte> bytes;
  std::uint64_t device;
  std::uint64_t inode;
};

/// The live mappings: release() must tell them from memory that may not be dropped, and nobody may replace
/// their files.
class Mappings {
 public:
  static Mappings& instance() {
    static Mappings mappings;
    return mappings;
  }

  void add(const Mapping& mapping) {
    const std::lock_guard lock(mutex_);
    mappings_.push_back(mapping);
  }

  void remove(const std::byte* start) {
    const std::lock_guard lock(mutex_);
    std::erase_if(mappings_, [&](const Mapping& mapping) { return mapping.bytes.data() == start; });
  }

  bool contains(std::uint64_t device, std::uint64_t inode) {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(mappings_, [&](const Mapping& mapping) {
      return mapping.device == device && mapping.inode == inode;
    });
  }

  void release(std::span<const std::byte> bytes) {
    static const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::lock_guard lock(mutex_);
    for (const Mapping& mapping : mappings_) {
      const std::byte* start = mapping.bytes.data();
      if (mapping.bytes.size() < MappedFile::kWorthReleasing || bytes.data() < start ||
          bytes.data() >= start + mapping.bytes.size())
        continue;
      const auto offset = static_cast<std::size_t>(bytes.data() - start);
      const std::size_t first = offset / page * page;
      madvise(const_cast<std::byte*>(start) + first, offset - first + bytes.size(), MADV_DONTNEED);
    }
  }

 private:
  std::mutex mutex_;
  std::vector<Mapping> mappings_;
};

/// The path without links, "." and ".."; "" where it does not exist.
std::string canonical(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> resolved(realpath(path.c_str(), nullptr), &std::free);
  return resolved != nullptr ? resolved.get() : "";
}

}  // namespace

MappedFile::~MappedFile() {
  if (bytes_.empty()) return;
  Mappings::instance().remove(bytes_.data());
  munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

bool MappedFile::is_open(std::uint64_t device, std::uint64_t inode) {
  return Mappings::instance().contains(device, inode);
}

void MappedFile::release(std::span<const std::byte> bytes) {
  if (!bytes.empty()) Mappings::instance().release(bytes);
}

Result<std::shared_ptr<const MappedFile>> MappedFile::map(int descriptor) {
  struct stat status {};
  if (fstat(descriptor, &status) != 0) return failed("the file's size cannot be read");
  if (!S_ISREG(status.st_mode)) {
    return Error(ErrorCode::kInput,
                 fmt::format("it is {}, and a regular file is needed", kind_of(status.st_mode)));
  }
  std::span<const std::byte> bytes;
  if (status.st_size > 0) {
    const auto size = static_cast<std::size_t>(status.st_size);
    void* memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (memory == MAP_FAILED) return failed("the file cannot be mapped into memory");
    bytes = {static_cast<const std::byte*>(memory), size};
    Mappings::instance().add({bytes, status.st_dev, status.st_ino});
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(bytes));
}

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string& path) {
  // O_NONBLOCK: a pipe without a writer must not hold us up before we see that it is one.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) return failed("the file cannot be opened");
  return map(file.get());
}

Result<std::shared_ptr<const MappedFile>> MappedFile::open_inside(const std::string& folder,
                                                                  const std::string& relative) {
  if (relative.empty() || relative.front() == '/' || relative.find('\0') != std::string::npos) {
    return Error(ErrorCode::kInput, fmt::format("{} is no path inside the model's folder", quoted(relative)));
  }
  const std::string root = canonical(folder.empty() ? "." : folder);
  if (root.empty()) return failed(fmt::format("the folder {} cannot be read", quoted_path(folder)));
  const std::string resolved = canonical(root + "/" + relative);
  if (resolved.empty()) return failed(fmt::format("{} cannot be opened", quoted(relative)));
  const std::string prefix = root == "/" ? root : root + "/";
  if (!resolved.starts_with(prefix)) {
    return Error(ErrorCode::kInput, fmt::format("{} leads out of the model's folder", quoted(relative)));
  }
  // The resolved path has no links left; walking it folder by folder without following any keeps it inside.
  FileDescriptor at(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::string_view rest = std::string_view(resolved).substr(prefix.size());
  while (at.valid()) {
    const std::size_t slash = rest.find('/');
    const std::string part(rest.substr(0, slash));
    if (slash == std::string_view::npos) {
      const FileDescriptor file(
          openat(at.get(), part.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW));
      if (!file.valid()) break;
      return map(file.get()).with_context(fmt::format("opening {}", quoted(relative)));
    }
    at = FileDescriptor(openat(at.get(), part.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    rest.remove_prefix(slash + 1);
  }
  return failed(fmt::format("{} cannot be opened", quoted(relative)));
}

Result<std::shared_ptr<const MappedFile>> MappedFile::standard_input() {
  struct stat status {};
  const bool redirected = fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode);
  if (redirected && lseek(STDIN_FILENO, 0, SEEK_CUR) == 0) return map(STDIN_FILENO);
  const FileDescriptor memory(memfd_create("standard input", MFD_CLOEXEC));
  if (!memory.valid()) return failed("standard input cannot be kept in memory");
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  while (true) {
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("standard input cannot be read");
    if (got == 0) return map(memory.get());
    for (ssize_t done = 0; done < got;) {
      const ssize_t written =
          ::write(memory.get(), buffer.data() + done, static_cast<std::size_t>(got - done));
      if (written < 0 && errno != EINTR) return failed("standard input cannot be kept in memory");
      if (written > 0) done += written;
    }
  }
}

}  // namespace press
