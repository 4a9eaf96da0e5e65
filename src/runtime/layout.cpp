#include "runtime/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "runtime/parallel.h"

namespace press {

namespace {

constexpr std::int64_t kTile = 32;

/// target[j][i] = source[i][j] for a matrix of rows x columns, in tiles that stay in cache.
template <typename T>
void transpose(const T* source, T* target, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t i = 0; i < rows; i += kTile) {
    const std::int64_t last_i = std::min(i + kTile, rows);
    for (std::int64_t j = 0; j < columns; j += kTile) {
      const std::int64_t last_j = std::min(j + kTile, columns);
      for (std::int64_t a = i; a < last_i; ++a) {
        for (std::int64_t b = j; b < last_j; ++b) target[b * rows + a] = source[a * columns + b];
      }
    }
  }
}

/// Transposes `count` matrices of elements of `width` bytes.
void transpose_all(int threads, const std::byte* source, std::byte* target, std::int64_t count,
                   std::int64_t rows, std::int64_t columns, std::int64_t width) {
  parallel_for(threads, count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::byte* from = source + i * rows * columns * width;
      std::byte* to = target + i * rows * columns * width;
      const auto run = [&]<typename T>(T /*tag*/) {
        transpose(reinterpret_cast<const T*>(from), reinterpret_cast<T*>(to), rows, columns);
      };
      switch (width) {
        case 1:
          run(std::uint8_t{});
          break;
        case 2:
          run(std::uint16_t{});
          break;
        case 4:
          run(std::uint32_t{});
          break;
        default:
          run(std::uint64_t{});
          break;
      }
    }
  });
}

class LayoutKernel final : public Kernel {
 public:
  explicit LayoutKernel(bool channels_last) : channels_last_(channels_last) {}

  Status run(KernelContext& context) override {
    const Tensor* source = context.input(0);
    if (source == nullptr || source->rank() < 3) {
      return Error(ErrorCode::kInput,
                   fmt::format("the input should have a batch, a channel and spatial dims, but is {}",
                               source != nullptr ? to_string(source->dims()) : "missing"));
    }
    const int bits = bit_width(source->type());
    if (bits < 8 || bits > 64) {
      return Error(ErrorCode::kUnsupported, fmt::format("{} cannot be rearranged", name(source->type())));
    }
    const Dims dims = channels_last_ ? to_channels_last(source->dims()) : from_channels_last(source->dims());
    const Dims& plain = channels_last_ ? source->dims() : dims;
    const std::int64_t batch = plain[0];
    const std::int64_t channels = plain[1];
    const std::int64_t plane = channels > 0 && batch > 0 ? source->size() / batch / channels : 0;
    if (channels == 1 || plane <= 1) {  // the bytes are the same
      context.set_output(0, source->reshaped(dims));
      return {};
    }
    PRESS_ASSIGN(Tensor * target, context.allocate_output(0, source->type(), dims));
    transpose_all(context.threads(), source->aligned_bytes(), target->mutable_bytes().data(), batch,
                  channels_last_ ? channels : plane, channels_last_ ? plane : channels, bits / 8);
    return {};
  }

 private:
  bool channels_last_;
};

class ChannelsLastConcat final : public Kernel {
 public:
  Status run(KernelContext& context) override {
    const Tensor* first = context.input(0);
    if (first == nullptr) return Error(ErrorCode::kInput, "input 0 is missing");
    Dims dims = first->dims();
    dims.back() = 0;
    for (std::size_t i = 0; i < context.input_count(); ++i) {
      const Tensor* part = context.input(i);
      if (part == nullptr || part->type() != first->type() || part->rank() != first->rank() ||
          !std::equal(dims.begin(), dims.end() - 1, part->dims().begin())) {
        return Error(ErrorCode::kInput, fmt::format("input {} does not fit to input 0, which is {}", i,
                                                    to_string(from_channels_last(first->dims()))));
      }
      dims.back() += part->dims().back();
    }
    PRESS_ASSIGN(Tensor * target, context.allocate_output(0, first->type(), dims));
    if (target->size() == 0) return {};
    const std::int64_t width = bit_width(first->type()) / 8;
    const std::int64_t row = dims.back() * width;
    std::byte* out = target->mutable_bytes().data();
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < context.input_count(); ++i) {
      const Tensor& part = *context.input(i);
      const std::int64_t size = part.dims().back() * width;
      const std::byte* in = part.aligned_bytes();
      parallel_for(context.threads(), target->size() * width / row, 1024,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t j = begin; j < end; ++j) {
                       std::memcpy(out + j * row + offset, in + j * size, static_cast<std::size_t>(size));
                     }
                   });
      offset += size;
    }
    return {};
  }
};

}  // namespace

Dims to_channels_last(const Dims& dims) {
  Dims result = dims;
  std::rotate(result.begin() + 1, result.begin() + 2, result.end());
  return result;
}

Dims from_channels_last(const Dims& dims) {
  Dims result = dims;
  std::rotate(result.begin() + 1, result.end() - 1, result.end());
  return result;
}

std::unique_ptr<Kernel> make_layout_kernel(bool channels_last) {
  return std::make_unique<LayoutKernel>(channels_last);
}

std::unique_ptr<Kernel> make_channels_last_concat() {
  return std::make_unique<ChannelsLastConcat>();
}

Result<Tensor> constant_with_channels_last(const Tensor& constant, std::size_t rank) {
  Dims plain = constant.dims();
  plain.insert(plain.begin(), rank - plain.size(), 1);
  const std::int64_t width = bit_width(constant.type()) / 8;
  PRESS_ASSIGN(Tensor result, Tensor::allocate(constant.type(), to_channels_last(plain)));
  const std::int64_t channels = plain[1];
  const std::int64_t plane = plain[0] * channels > 0 ? constant.size() / plain[0] / channels : 0;
  transpose_all(1, constant.aligned_bytes(), result.mutable_bytes().data(), plain[0], channels, plane, width);
  return result;
}

}  // namespace press
