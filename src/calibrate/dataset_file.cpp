#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>

#include "calibrate/dataset_sources.h"
#include "press/ir/tensor.h"
#include "press/support/mapped_file.h"

namespace press {

namespace {
/// A z_stream set up for inflating.
class Inflater {
 public:
  explicit Inflater(Deflate format) {
    constexpr int kGzipHeader = 16;
    ready_ = inflateInit2(&stream_, format == Deflate::kGzip ? MAX_WBITS + kGzipHeader : -MAX_WBITS) == Z_OK;
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }
  bool ready() const { return ready_; }
  z_stream& stream() { return stream_; }

 private:
  z_stream stream_{};
  bool ready_;
};
}  // namespace

Result<FileBytes> map_file(const std::filesystem::path& path) {
  PRESS_ASSIGN(std::shared_ptr<const MappedFile> file,
               MappedFile::open(path.string()).with_context(fmt::format("reading '{}'", path.string())));
  const std::span<const std::byte> bytes = file->bytes();
  return FileBytes{std::move(file), bytes};
}

Status inflate_into(std::span<std::byte> target, std::span<const std::byte> source, Deflate format,
                    bool whole) {
  Inflater inflater(format);
  if (!inflater.ready()) return Error(ErrorCode::kInput, "not enough memory to inflate");
  z_stream& stream = inflater.stream();
  constexpr std::size_t kMaxStep = std::numeric_limits<uInt>::max();
  std::size_t read = 0;
  std::size_t written = 0;
  std::byte beyond{};  // room for one byte more than the target shows a stream that is too long
  int state = Z_OK;
  while (state == Z_OK) {
    const bool full = written == target.size();
    if (full && !whole) return {};
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(source.data() + read));
    stream.avail_in = static_cast<uInt>(std::min(source.size() - read, kMaxStep));
    stream.next_out = reinterpret_cast<Bytef*>(full ? &beyond : target.data() + written);
    stream.avail_out = static_cast<uInt>(full ? 1 : std::min(target.size() - written, kMaxStep));
    const uInt offered_in = stream.avail_in;
    const uInt offered_out = stream.avail_out;
    state = inflate(&stream, Z_NO_FLUSH);
    read += offered_in - stream.avail_in;
    const std::size_t made = offered_out - stream.avail_out;
    if (full && made != 0)
      return Error(ErrorCode::kInput, "the compressed data is longer than its header says");
    written += made;
  }
  if (state == Z_STREAM_END && written == target.size()) return {};
  if (state == Z_BUF_ERROR) return Error(ErrorCode::kInput, "the compressed data is truncated");
  if (state == Z_STREAM_END)
    return Error(ErrorCode::kInput, "the compressed data is shorter than its header says");
  return Error(ErrorCode::kInput, fmt::format("the compressed data is damaged: {}",
                                              stream.msg != nullptr ? stream.msg : "invalid stream"));
}

Result<FileBytes> inflate(std::span<const std::byte> source, std::size_t size, Deflate format) {
  constexpr std::size_t kMaxRatio = 1032;  // of deflate: 258 bytes out of two bits
  if (size / kMaxRatio > source.size()) {
    return Error(ErrorCode::kInput, fmt::format("{} compressed bytes cannot hold the {} bytes of the header",
                                                source.size(), size));
  }
  PRESS_ASSIGN(Tensor tensor, Tensor::allocate(DataType::kUint8, {static_cast<std::int64_t>(size)}));
  const auto owner = std::make_shared<Tensor>(std::move(tensor));
  PRESS_TRY(inflate_into(owner->mutable_bytes(), source, format, true));
  return FileBytes{owner, owner->bytes()};
}

}  // namespace press
