#include "runtime/kernels/residual_convolution.h"

#include <algorithm>

#include "runtime/kernels/arguments.h"
#include "runtime/parallel.h"

namespace press::kernels {

namespace {

constexpr std::int64_t kLargestPart = std::int64_t{512}
                                      << 10;  // of the target, in bytes: half of a usual L2 cache
constexpr std::int64_t kCacheLine = 64;

bool are_all(const Dims& dims, std::int64_t value) {
  return std::ranges::all_of(dims, [value](std::int64_t dim) { return dim == value; });
}

/// True where each row of the target is made of the same row of the source.
bool has_independent_rows(const onednn::ConvolutionSpec& spec) {
  return spec.source.size() == 4 && spec.weights[2] == 1 && spec.weights[3] == 1 &&
         are_all(spec.strides, 1) && are_all(spec.pads_begin, 0) && are_all(spec.pads_end, 0);
}

/// Rows of the target in a part; 0 where no number of rows gives parts that are small enough and as many for
/// each thread.
std::int64_t rows_of_part(const onednn::ConvolutionSpec& spec, std::int64_t width, int threads) {
  const std::int64_t height = spec.target[2];
  const std::int64_t row = product(spec.target) / spec.target[0] / height * width;
  const std::int64_t fewest = has_independent_rows(spec) ? 1 : height;
  for (std::int64_t rows = height; rows >= fewest; --rows) {
    const std::int64_t parts = spec.target[0] * (height / rows);
    const bool even = parts % threads == 0 || parts >= 8 * threads;
    if (height % rows == 0 && rows * row <= kLargestPart && even) return rows;
  }
  return 0;
}

/// Brings memory into the cache: the CPU's prefetcher runs ahead of reads in order.
void read_in_order(const std::byte* memory, std::int64_t size) {
  unsigned sum = 0;
  for (std::int64_t i = 0; i < size; i += kCacheLine) sum += std::to_integer<unsigned>(memory[i]);
  asm volatile("" : : "r"(sum));  // what is read counts as used
}

}  // namespace

bool ResidualConvolution::pays(const onednn::ConvolutionSpec& spec, std::int64_t width, int threads) {
  return spec.layout == onednn::Layout::kChannelsLast && spec.target.size() >= 3 &&
         product(spec.target) * width > 2 * kLargestPart && rows_of_part(spec, width, threads) > 0;
}

Result<ResidualConvolution> ResidualConvolution::create(const onednn::ConvolutionSpec& spec,
                                                        std::int64_t width, int threads, const Make& make) {
  const std::int64_t rows = rows_of_part(spec, width, threads);
  onednn::ConvolutionSpec part = spec;
  part.source[0] = part.target[0] = 1;
  if (rows < spec.target[2]) part.source[2] = part.target[2] = rows;
  ResidualConvolution result;
  result.parts_ = spec.target[0] * (spec.target[2] / rows);
  result.source_bytes_ = product(part.source) * width;
  result.target_bytes_ = product(part.target) * width;
  const ThreadScope scope(1);
  for (std::int64_t i = 0; i < std::min<std::int64_t>(threads, result.parts_); ++i) {
    PRESS_ASSIGN(onednn::Convolution convolution, make(part));
    result.workers_.push_back(std::move(convolution));
  }
  return result;
}

Status ResidualConvolution::run(KernelContext& context, const onednn::ConvolutionData& data,
                                const onednn::WeightsSource& weights, onednn::PackedWeights& kept) {
  for (onednn::Convolution& worker : workers_) PRESS_TRY(worker.pack(context, weights, kept));
  return run_parts(std::ssize(workers_), parts_, [&](std::int64_t worker, std::int64_t part) {
    onednn::ConvolutionData here = data;
    here.source = static_cast<const std::byte*>(data.source) + part * source_bytes_;
    here.target = static_cast<std::byte*>(data.target) + part * target_bytes_;
    read_in_order(static_cast<const std::byte*>(here.target), target_bytes_);
    return workers_[static_cast<std::size_t>(worker)].run(context, here, weights, &kept);
  });
}

}  // namespace press::kernels
