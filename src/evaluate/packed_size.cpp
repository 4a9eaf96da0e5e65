#include "press/evaluate/packed_size.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <vector>

namespace press {
namespace {

constexpr std::size_t kBuffer = std::size_t{1} << 17;

Result<std::int64_t> gzip_size(std::span<const std::byte> bytes) {
  constexpr int kGzipFormat = 15 + 16;  // the widest window, with gzip's head and tail
  z_stream stream{};
  if (deflateInit2(&stream, 6, Z_DEFLATED, kGzipFormat, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    return Error(ErrorCode::kInternal, "zlib does not start");
  }
  const std::unique_ptr<z_stream, int (*)(z_streamp)> owner(&stream, deflateEnd);
  std::vector<Bytef> buffer(kBuffer);
  std::int64_t size = 0;
  int state = Z_OK;
  while (state != Z_STREAM_END) {
    if (stream.avail_in == 0) {  // the library counts in 32 bits
      const std::size_t piece = std::min<std::size_t>(bytes.size(), std::numeric_limits<uInt>::max() / 2);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
      stream.avail_in = static_cast<uInt>(piece);
      bytes = bytes.subspan(piece);
    }
    stream.next_out = buffer.data();
    stream.avail_out = static_cast<uInt>(buffer.size());
    state = deflate(&stream, bytes.empty() ? Z_FINISH : Z_NO_FLUSH);
    if (state != Z_OK && state != Z_STREAM_END) {
      return Error(ErrorCode::kInternal, fmt::format("zlib fails with code {}", state));
    }
    size += static_cast<std::int64_t>(buffer.size() - stream.avail_out);
  }
  return size;
}

Result<std::int64_t> zstd_size(std::span<const std::byte> bytes) {
  constexpr int kUsualLevel = 3;
  const std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  if (!context) return Error(ErrorCode::kInternal, "zstd does not start");
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kUsualLevel);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  ZSTD_CCtx_setPledgedSrcSize(context.get(), bytes.size());
  std::vector<std::byte> buffer(kBuffer);
  ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
  std::int64_t size = 0;
  std::size_t left = 1;
  while (left != 0) {
    ZSTD_outBuffer output{buffer.data(), buffer.size(), 0};
    left = ZSTD_compressStream2(context.get(), &output, &input, ZSTD_e_end);
    if (ZSTD_isError(left) != 0) {
      return Error(ErrorCode::kInternal, fmt::format("zstd fails: {}", ZSTD_getErrorName(left)));
    }
    size += static_cast<std::int64_t>(output.pos);
  }
  return size;
}

}  // namespace

Result<PackedSize> packed_size(std::span<const std::byte> bytes) {
  PackedSize size;
  PRESS_ASSIGN(size.gzip, gzip_size(bytes));
  PRESS_ASSIGN(size.zstd, zstd_size(bytes));
  return size;
}

}  // namespace press
