// ZIP archives as far as NumPy writes them (PKWARE APPNOTE 6.3.10): single-disk, stored or deflated, perhaps
// ZIP64.
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "calibrate/npy.h"
#include "press/support/text.h"

namespace press {

namespace {
constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kDirectoryEntry = 0x02014b50;
constexpr std::uint32_t kDirectoryEnd = 0x06054b50;
constexpr std::uint32_t kDirectoryEnd64 = 0x06064b50;
constexpr std::uint32_t kLocator64 = 0x07064b50;
constexpr std::uint16_t kExtra64 = 0x0001;
constexpr std::uint32_t kIn64 = 0xffffffff;  // the number stands in the ZIP64 field instead

constexpr std::uint64_t kLocalHeaderSize = 30;
constexpr std::uint64_t kEntrySize = 46;
constexpr std::uint64_t kEndSize = 22;
constexpr std::uint64_t kEnd64Size = 56;
constexpr std::uint64_t kLocatorSize = 20;

Error malformed() {
  return Error(ErrorCode::kInput, "malformed NPZ (ZIP) archive");
}

/// Little-endian numbers at any offset; nullopt beyond the end.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <typename T>
  std::optional<T> at(std::uint64_t offset) const {
    const auto part = slice(offset, sizeof(T));
    if (!part) return std::nullopt;
    T value;
    std::memcpy(&value, part->data(), sizeof value);
    return value;
  }

  std::optional<std::span<const std::byte>> slice(std::uint64_t offset, std::uint64_t size) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) return std::nullopt;
    return bytes_.subspan(offset, size);
  }

  std::uint64_t size() const { return bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
};

struct Entry {
  std::string name;
  std::uint16_t method = 0;
  std::uint32_t crc = 0;
  std::uint64_t packed_size = 0;
  std::uint64_t size = 0;
  std::uint64_t local_header = 0;
  std::uint64_t next = 0;  // offset of the next directory entry
};

struct Directory {
  std::uint64_t begin = 0;
  std::uint64_t entries = 0;
};

/// The end record stands before a comment of at most 64 KiB at the end of the file.
std::optional<std::uint64_t> find_end(const Reader& zip) {
  if (zip.size() < kEndSize) return std::nullopt;
  const std::uint64_t last = zip.size() - kEndSize;
  const std::uint64_t first = last - std::min<std::uint64_t>(last, std::numeric_limits<std::uint16_t>::max());
  for (std::uint64_t at = last + 1; at-- > first;) {
    if (zip.at<std::uint32_t>(at) == kDirectoryEnd) return at;
  }
  return std::nullopt;
}

std::optional<Directory> find_directory(const Reader& zip) {
  const auto end = find_end(zip);
  if (!end) return std::nullopt;
  if (*end >= kLocatorSize && zip.at<std::uint32_t>(*end - kLocatorSize) == kLocator64) {
    const auto end64 = zip.at<std::uint64_t>(*end - kLocatorSize + 8);
    if (!end64 || !zip.slice(*end64, kEnd64Size) || zip.at<std::uint32_t>(*end64) != kDirectoryEnd64) {
      return std::nullopt;
    }
    return Directory{*zip.at<std::uint64_t>(*end64 + 48), *zip.at<std::uint64_t>(*end64 + 32)};
  }
  return Directory{*zip.at<std::uint32_t>(*end + 16), *zip.at<std::uint16_t>(*end + 10)};
}

/// Replaces the sizes and the offset that stand in the ZIP64 extra field.
bool read_extra64(const Reader& extra, Entry& entry) {
  std::uint64_t* const fields[] = {&entry.size, &entry.packed_size, &entry.local_header};
  const auto in_extra = [](const std::uint64_t* field) { return *field == kIn64; };
  if (std::ranges::none_of(fields, in_extra)) return true;
  for (std::uint64_t at = 0; at + 4 <= extra.size(); at += 4 + *extra.at<std::uint16_t>(at + 2)) {
    if (extra.at<std::uint16_t>(at) != kExtra64) continue;
    std::uint64_t value_at = at + 4;
    for (std::uint64_t* field : fields) {
      if (!in_extra(field)) continue;
      const auto value = extra.at<std::uint64_t>(value_at);
      if (!value) return false;
      *field = *value;
      value_at += sizeof *value;
    }
    return true;
  }
  return false;
}

std::optional<Entry> read_entry(const Reader& zip, std::uint64_t at) {
  if (!zip.slice(at, kEntrySize) || zip.at<std::uint32_t>(at) != kDirectoryEntry) return std::nullopt;
  Entry entry;
  entry.method = *zip.at<std::uint16_t>(at + 10);
  entry.crc = *zip.at<std::uint32_t>(at + 16);
  entry.packed_size = *zip.at<std::uint32_t>(at + 20);
  entry.size = *zip.at<std::uint32_t>(at + 24);
  entry.local_header = *zip.at<std::uint32_t>(at + 42);
  const std::uint64_t name_size = *zip.at<std::uint16_t>(at + 28);
  const std::uint64_t extra_size = *zip.at<std::uint16_t>(at + 30);
  const std::uint64_t comment_size = *zip.at<std::uint16_t>(at + 32);
  const auto name = zip.slice(at + kEntrySize, name_size);
  const auto extra = zip.slice(at + kEntrySize + name_size, extra_size);
  if (!name || !extra || !read_extra64(Reader(*extra), entry)) return std::nullopt;
  entry.name.assign(reinterpret_cast<const char*>(name->data()), name->size());
  entry.next = at + kEntrySize + name_size + extra_size + comment_size;
  return entry;
}

std::uint32_t checksum(std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

/// The bytes of an entry, shared with the archive where they are stored.
Result<FileBytes> unpack(const FileBytes& file, const Entry& entry) {
  constexpr std::uint16_t kStored = 0;
  constexpr std::uint16_t kDeflated = 8;
  const Reader zip(file.bytes);
  if (!zip.slice(entry.local_header, kLocalHeaderSize) ||
      zip.at<std::uint32_t>(entry.local_header) != kLocalHeader) {
    return malformed();
  }
  const std::uint64_t names = std::uint64_t{*zip.at<std::uint16_t>(entry.local_header + 26)} +
                              *zip.at<std::uint16_t>(entry.local_header + 28);
  const auto packed = zip.slice(entry.local_header + kLocalHeaderSize + names, entry.packed_size);
  if (!packed || (entry.method == kStored && entry.size != entry.packed_size)) return malformed();
  FileBytes unpacked{file.owner, *packed};
  if (entry.method == kDeflated) {
    PRESS_ASSIGN(unpacked, inflate(*packed, entry.size, Deflate::kRaw));
  } else if (entry.method != kStored) {
    return Error(ErrorCode::kInput,
                 fmt::format("compression method {} is not supported: save it with numpy.savez or "
                             "numpy.savez_compressed",
                             entry.method));
  }
  if (checksum(unpacked.bytes) != entry.crc)
    return Error(ErrorCode::kInput, "the data is damaged: wrong checksum");
  return unpacked;
}
}  // namespace

bool is_zip(std::string_view text) {
  return text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06");
}

Result<std::vector<NamedArray>> parse_npz(const FileBytes& file) {
  const Reader zip(file.bytes);
  const auto directory = find_directory(zip);
  if (!directory) return malformed();
  std::vector<NamedArray> arrays;
  std::uint64_t at = directory->begin;
  for (std::uint64_t i = 0; i < directory->entries; ++i) {
    auto entry = read_entry(zip, at);
    if (!entry) return malformed();
    at = entry->next;
    constexpr std::string_view kEnding = ".npy";
    std::string name = entry->name;
    if (name.ends_with(kEnding)) name.resize(name.size() - kEnding.size());
    const std::string context = "array " + press::quoted(name);
    PRESS_ASSIGN(const FileBytes bytes, unpack(file, *entry).with_context(context));
    PRESS_ASSIGN(Tensor array, parse_npy(bytes).with_context(context));
    arrays.push_back({std::move(name), std::move(array)});
  }
  return arrays;
}

}  // namespace press
